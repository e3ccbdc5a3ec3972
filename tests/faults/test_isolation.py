"""Ten calls at once, each in a process of its own, or four in one: nobody hears anything of another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.person import Person
from relay.dev.phone import SimulatedPhone
from relay.dev.recording import Recording
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.stage import SHARED, Stage, worker_of
from tests.signals import Floats, dbfs, level_db, pcm, samples_of, tone

CALLS = 10
SPOKEN_DBFS = -20.0
SPOKEN_S = 90
"""From the first call that is up to the end of the last: a worker takes some tenths of a second to start."""
TOGETHER_FRAMES = 150
"""Three seconds in which all talk."""
TONES_HZ = range(310, 310 + 150 * 2 * CALLS, 150)
"""
One for each customer and each agent. All have whole periods in a block, so that none counts for another; and no
multiple of one, which G.711 makes a little of, is another.
"""
AGENTS_HZ, CUSTOMERS_HZ = TONES_HZ[::2], TONES_HZ[1::2]
BLOCK_S = 0.1
UNHEARD_DBFS = -40.0
"""
One frame of another in a block would be 14 dB below its level: -34 dBFS. What a voice is taken for where its frames
are late, or put together anew, was -45 dBFS at most, in the tone next to it, on a busy machine.
"""


def says(hz: int, rate_hz: int) -> bytes:
    return pcm(tone(hz, rate_hz, SPOKEN_S * rate_hz, amplitude=dbfs(SPOKEN_DBFS)))


def number_of(call: int) -> str:
    return f"+1415555{call:04d}"


def loudest_dbfs(heard: Recording) -> dict[int, float]:
    """The level of each tone where it is loudest, in all that was heard."""
    rate_hz = round(heard.rate_hz)  # the true one differs by some ppm: nothing in a block
    length = round(rate_hz * BLOCK_S)
    samples = samples_of(heard.pcm)
    blocks = samples[: len(samples) // length * length].reshape(-1, length)
    at = 2 * np.pi * np.arange(length) / rate_hz
    basis = np.stack([np.exp(-1j * at * hz) for hz in TONES_HZ], axis=1) * (2 / length)
    loudest: Floats = np.abs(blocks @ basis).max(axis=0)
    return {hz: level_db(float(value)) for hz, value in zip(TONES_HZ, loudest, strict=True)}


async def begun(stage: Stage, place: int) -> tuple[str, Person]:
    """A customer in a room of their own, and a transfer for them."""
    room = f"room-{place}"
    customer = await Person.enter(stage.room_url(room), "customer", says(CUSTOMERS_HZ[place], 16000))
    return await stage.ask(room=room, to=number_of(place)), customer


@pytest.mark.parametrize(
    ("settings", "processes"), [({}, CALLS), (SHARED, 3)], ids=["a process each", "processes shared"]
)
@pytest.mark.long
async def test_ten_calls_at_once_hear_nothing_of_each_other(
    set_stage: SetStage, settings: Mapping[str, Any], processes: int
) -> None:
    agents = {number_of(place): Outcome(callee=Answers(says=says(AGENTS_HZ[place], 8000))) for place in range(CALLS)}
    async with set_stage(agents, ringback=False, **settings) as stage, AsyncExitStack() as stack:
        customers: list[Person] = []
        for place in range(CALLS):
            transfer_id, customer = await begun(stage, place)
            stack.push_async_callback(customer.leave)
            customers.append(customer)
            await stage.until(transfer_id, State.JOINED)
        phones: list[SimulatedPhone] = [await call.until_phone() for call in stage.carrier.calls]
        assert [call.order.to for call in stage.carrier.calls] == [number_of(place) for place in range(CALLS)]
        await asyncio.gather(*(customer.until_heard(TOGETHER_FRAMES) for customer in customers))
        heard = {AGENTS_HZ[place]: customers[place].heard for place in range(CALLS)}
        heard |= {CUSTOMERS_HZ[place]: phones[place].heard for place in range(CALLS)}
        assert len(set(stage.service.services.coordinator._live)) == CALLS
        assert len({worker_of(stage, transfer_id) for transfer_id in stage.transfer_ids}) == processes
        for phone in phones:
            phone.stop()
        for transfer_id in stage.transfer_ids:
            await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
    for wanted_hz, recording in heard.items():
        levels = loudest_dbfs(recording)
        assert levels.pop(wanted_hz) == pytest.approx(SPOKEN_DBFS, abs=1)
        others = {hz: round(level) for hz, level in levels.items() if level > UNHEARD_DBFS}
        assert others == {}, f"beside {wanted_hz} Hz in {recording.duration_ms / 1000:.1f} s"
