"""Everybody hears everybody else, at the level that was said, without gaps and clicks, and nothing of their own."""

import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from relay.dev.phone import Network, SimulatedPhone
from relay.dev.recording import Recording
from relay.dev.room_server import RoomServer
from tests.e2e.call import Call, cushion
from tests.signals import Floats, clicks, dbfs, gaps, pcm, rejection_db, tone, tone_dbfs

LEVEL_DBFS = -20.0
SECONDS = 20
ROOM_HZ, PHONE_HZ = 16000, 8000
# Whole periods in the 100 ms that a level is taken over, so that no tone counts for another; products of two of them
# that G.711 makes fall elsewhere.
AGENT_HZ, CUSTOMER_HZ, SECOND_HZ = 440, 1010, 1730

REJECTION_DB = 40.0
"""Measured: 58 dB in the room, 77 dB on the phone: at the own frequency is noise of re-timing and of G.711."""

Run = Callable[[Coroutine[Any, Any, None]], None]


def said(frequency_hz: int, rate_hz: int) -> Floats:
    return tone(frequency_hz, rate_hz, SECONDS * rate_hz, amplitude=dbfs(LEVEL_DBFS))


def check_heard(heard: Recording, rate_hz: int, others_hz: tuple[int, ...], own_hz: int) -> None:
    for frequency_hz in others_hz:
        assert tone_dbfs(heard.pcm, rate_hz, frequency_hz) == pytest.approx(LEVEL_DBFS, abs=1)
        assert rejection_db(heard.pcm, rate_hz, wanted_hz=frequency_hz, own_hz=own_hz) > REJECTION_DB
    assert gaps(*heard) == []
    own = pcm(np.sum([said(frequency_hz, rate_hz) for frequency_hz in others_hz], axis=0))
    assert clicks(*heard, own_pcm=own) == []


async def second_of_steady_audio(call: Call, phone: SimulatedPhone) -> int:
    """Return since when it is steady, a second after the start, when the machine has been quiet for a while since."""
    await cushion(phone)
    await phone.until_said(50)
    steady_ns = phone.start_ns + 1_000_000_000
    await call.watch.until_quiet(steady_ns)
    return steady_ns


def test_each_of_three_hears_the_others_and_nothing_of_their_own(run: Run) -> None:
    async def scenario() -> None:
        people = {"customer": pcm(said(CUSTOMER_HZ, ROOM_HZ)), "second": pcm(said(SECOND_HZ, ROOM_HZ))}
        async with Call(people) as call, call.phone(pcm(said(AGENT_HZ, PHONE_HZ))) as phone:
            steady_ns = await second_of_steady_audio(call, phone)
            customer, second = (call.people[name].heard_since(steady_ns) for name in people)
            check_heard(call.watch.quiet_part(customer), ROOM_HZ, (AGENT_HZ, SECOND_HZ), CUSTOMER_HZ)
            check_heard(call.watch.quiet_part(second), ROOM_HZ, (AGENT_HZ, CUSTOMER_HZ), SECOND_HZ)
            agent = call.watch.quiet_part(phone.heard.since(steady_ns))
            check_heard(agent, PHONE_HZ, (CUSTOMER_HZ, SECOND_HZ), AGENT_HZ)
            assert phone.violations == []

    run(scenario())


@pytest.mark.long
def test_segments_of_one_byte_carry_the_same_audio(run: Run) -> None:
    """The phone writes them; on loopback what it reads comes as it was written, whatever it asks for."""

    async def scenario() -> None:
        crumbs = Network(segment_bytes=1)
        async with (
            Call({"customer": pcm(said(CUSTOMER_HZ, ROOM_HZ))}) as call,
            call.phone(pcm(said(AGENT_HZ, PHONE_HZ)), network=crumbs) as phone,
        ):
            steady_ns = await second_of_steady_audio(call, phone)
            customer = call.watch.quiet_part(call.customer.heard_since(steady_ns))
            check_heard(customer, ROOM_HZ, (AGENT_HZ,), CUSTOMER_HZ)
            agent = call.watch.quiet_part(phone.heard.since(steady_ns))
            check_heard(agent, PHONE_HZ, (CUSTOMER_HZ,), AGENT_HZ)
            assert phone.violations == []
            assert call.bridge.stats(0).faults == {}

    run(scenario())


@pytest.mark.long
def test_two_calls_in_one_process_do_not_hear_each_other(run: Run) -> None:
    async def scenario() -> None:
        others_hz = (620, 1370)
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(RoomServer(port=0))
            calls = []
            for room, (agent_hz, customer_hz) in {"one": (AGENT_HZ, CUSTOMER_HZ), "two": others_hz}.items():
                people = {"customer": pcm(said(customer_hz, ROOM_HZ))}
                call = await stack.enter_async_context(Call(people, server=server, room=room))
                phone = await stack.enter_async_context(call.phone(pcm(said(agent_hz, PHONE_HZ))))
                calls.append((call, phone))
            (one, phone_one), (two, phone_two) = calls
            await cushion(phone_one)
            steady_ns = await second_of_steady_audio(two, phone_two)
            for other_hz in (*others_hz, CUSTOMER_HZ):
                check_heard(one.watch.quiet_part(one.customer.heard_since(steady_ns)), ROOM_HZ, (AGENT_HZ,), other_hz)
            for other_hz in (AGENT_HZ, CUSTOMER_HZ, others_hz[0]):
                check_heard(two.watch.quiet_part(phone_two.heard.since(steady_ns)), PHONE_HZ, (others_hz[1],), other_hz)

    run(scenario())
