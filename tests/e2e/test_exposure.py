"""Who is exposed to whom: nobody to an agent who is not admitted; and what they hear in place of each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge.events import Dtmf, Ending, Joined, MediaStarted
from relay.bridge.settings import BridgeSettings
from relay.media.tones import NOTICE_DBFS, PROMPT_DBFS, RINGBACK_DBFS
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, check_over
from tests.signals import dbfs, pcm, tone, tone_dbfs

Run = Callable[[Coroutine[Any, Any, None]], None]

AGENT_HZ, CUSTOMER_HZ, PROMPT_HZ = 1370, 1010, 600
RINGBACK_HZ = (440, 480)
NOTICE_HZ = (600, 400)
AGENT = pcm(tone(AGENT_HZ, 8000, 10 * 8000, amplitude=dbfs(-20)))
CUSTOMER = pcm(tone(CUSTOMER_HZ, 16000, 10 * 16000, amplitude=dbfs(-20)))
NOT_HEARD_DBFS = -65.0
"""45 dB below what is said. Measured: -72 on the phone, where G.711 makes noise of the prompt, nothing in the room."""


def loudest_dbfs(heard: bytes, frequency_hz: int) -> float:
    """The level of a short tone, wherever it is: of the best 100 ms."""
    block_bytes, step_bytes = 1600, 80
    starts = range(0, len(heard) - block_bytes + 1, step_bytes)
    return max(tone_dbfs(heard[at : at + block_bytes], 8000, frequency_hz) for at in starts)


@pytest.mark.long
def test_f3_until_admitted_agent_and_customer_hear_nothing_of_each_other(run: Run) -> None:
    async def scenario() -> None:
        async with Call({"customer": CUSTOMER}, held=True) as call, call.phone(AGENT) as phone:
            await call.until_event(MediaStarted)
            await phone.until_said(75)
            phone.dtmf("1")
            await call.until_event(Dtmf)
            assert call.of(Joined) == []
            held_until_ns = time.monotonic_ns()
            by_agent, by_customer = phone.heard.pcm, call.customer.heard_since().pcm
            assert tone_dbfs(by_agent, 8000, CUSTOMER_HZ) < NOT_HEARD_DBFS
            assert tone_dbfs(by_agent, 8000, PROMPT_HZ) == pytest.approx(PROMPT_DBFS, abs=6)
            assert tone_dbfs(by_customer, 16000, AGENT_HZ) < NOT_HEARD_DBFS

            call.bridge.admit()
            await call.until_event(Joined)
            await phone.until_said(75 + 60)
            admitted_ns = held_until_ns + 300_000_000
            assert tone_dbfs(phone.heard.since(admitted_ns).pcm, 8000, CUSTOMER_HZ) == pytest.approx(-20, abs=1)
            assert tone_dbfs(call.customer.heard_since(admitted_ns).pcm, 16000, AGENT_HZ) == pytest.approx(-20, abs=1)

    run(scenario())


@pytest.mark.long
def test_customer_hears_ringback_until_the_agent_and_then_only_the_agent(run: Run) -> None:
    async def scenario() -> None:
        async with Call({"customer": b""}) as call:
            call.bridge.ring()
            await call.customer.until_heard(10)
            ringing_ns = time.monotonic_ns()
            await call.customer.until_heard(50)
            for frequency_hz in RINGBACK_HZ:
                heard_dbfs = tone_dbfs(call.customer.heard_since(ringing_ns).pcm, 16000, frequency_hz)
                assert heard_dbfs == pytest.approx(RINGBACK_DBFS, abs=0.5)
            async with call.phone(AGENT) as phone:
                await call.until_event(Joined)
                joined_ns = time.monotonic_ns() + 200_000_000
                await phone.until_said(50)
                heard = call.customer.heard_since(joined_ns).pcm
                assert tone_dbfs(heard, 16000, AGENT_HZ) == pytest.approx(-20, abs=1)
                for frequency_hz in RINGBACK_HZ:
                    assert tone_dbfs(heard, 16000, frequency_hz) < NOT_HEARD_DBFS

    run(scenario())


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.long
def test_f10_f13_agent_hears_a_notice_and_the_phone_can_be_hung_up_within_a_second(run: Run, joined: bool) -> None:  # noqa: FBT001 - a case
    async def scenario() -> None:
        settings = BridgeSettings(customer_grace_s=0.3)
        async with Call({"customer": b""}, settings=settings, held=not joined) as call, call.phone(AGENT) as phone:
            await call.until_event(Joined if joined else MediaStarted)
            await phone.until_said(30)
            left_ns = time.monotonic_ns()
            await call.customer.leave()
            await call.until_event(Ending)
            grace_s = settings.customer_grace_s if joined else 0
            assert (time.monotonic_ns() - left_ns) / 1e9 < grace_s + 1.0
            await check_over(call, phone, Reason.CUSTOMER_LEFT)
            heard = phone.heard.since(left_ns).pcm
            for frequency_hz in NOTICE_HZ:
                assert loudest_dbfs(heard, frequency_hz) == pytest.approx(NOTICE_DBFS, abs=1)

    run(scenario())
