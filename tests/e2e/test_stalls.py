"""After a stall of the network, or of the whole process, the delay is soon what it was before."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge.events import Ended
from relay.bridge.settings import BridgeSettings
from relay.dev.phone import SimulatedPhone
from relay.dev.recording import Recording
from relay.media.carrier_buffer import TOLERANCE_MS
from relay.media.format import PTIME_MS
from tests.e2e.call import Call, a2r, next_said_ns
from tests.signals import Chirps, chirp_delays, pcm, speech

Run = Callable[[Coroutine[Any, Any, None]], None]
SETTINGS = BridgeSettings(tick_s=0.1)
CHIRPS = Chirps(count=3)
AGENT, CUSTOMER = (pcm(speech(rate_hz, 15, level_dbfs=-12)) for rate_hz in (8000, 16000))
FRAMES_PER_S = 50
TARGET_MS = 20.0
"""What is back is back within so much of the jitter buffer's target."""
SLACK_MS = (40.0, TOLERANCE_MS + 2 * PTIME_MS)
"""
Agent to room, and room to agent. Two frames: the target has moved, and ticks may come to meet a frame later.

The carrier's buffer may keep what it is not trimmed for. Measured after both stalls: the same delay within 6 ms to the
customer, and 41 ms more to the agent, 40 of them in the carrier's buffer.
"""


def frames(seconds: float) -> int:
    return round(seconds * FRAMES_PER_S)


def worst_ms(heard: Recording, said_start_ns: int) -> float:
    delays = chirp_delays(*heard, chirps=CHIRPS, said_start_ns=said_start_ns)
    assert all(chirp.heard for chirp in delays), delays
    return max(chirp.delay_ms for chirp in delays)


async def delays_ms(call: Call, phone: SimulatedPhone) -> tuple[float, float]:
    """Agent to customer and back, now: both say chirps."""
    since_ns, agent_said_ns = time.monotonic_ns(), next_said_ns(phone)
    phone.say(pcm(CHIRPS.wave(8000)))
    call.customer.say(pcm(CHIRPS.wave(16000)))
    await phone.until_said(len(phone.sent_ns) + frames(1.8))
    to_customer_ms = worst_ms(call.customer.heard_since(since_ns), agent_said_ns)
    return to_customer_ms, worst_ms(phone.heard.since(since_ns), call.customer.said_start_ns)


def say_speech(call: Call, phone: SimulatedPhone) -> None:
    phone.say(AGENT)
    call.customer.say(CUSTOMER)


async def check_back_in_time(
    call: Call, phone: SimulatedPhone, before_ms: tuple[float, float], within_s: float
) -> None:
    """So long from now the delays are what they were, by the bridge's figures and by chirps."""
    await phone.until_said(len(phone.sent_ns) + frames(within_s))
    after = a2r(call.statistics[-1]).playout
    assert abs(after.delay_ms - after.target_ms) <= TARGET_MS
    now_ms = await delays_ms(call, phone)
    for before, now, slack in zip(before_ms, now_ms, SLACK_MS, strict=True):
        assert now <= before + slack, (before_ms, now_ms)
    assert call.of(Ended) == []


@pytest.mark.long
def test_after_a_network_stall_of_a_second_the_delay_is_back_in_3_s(run: Run) -> None:
    async def scenario() -> None:
        async with Call(settings=SETTINGS) as call, call.phone() as phone:
            await phone.until_said(frames(1))
            before_ms, depth_ms = await delays_ms(call, phone), max(phone.depths_ms[-frames(1) :])
            concealed_ms = a2r(call.statistics[-1]).playout.concealed_ms

            say_speech(call, phone)
            phone.stall(1.0)
            await phone.until_said(len(phone.sent_ns) + 1)  # written when the stall is over
            await check_back_in_time(call, phone, before_ms, 3.0)
            assert a2r(call.statistics[-1]).playout.concealed_ms > concealed_ms
            # The second that waited for the phone was dropped: it would have been heard late for ever.
            assert len(phone.clears_ns) == call.statistics[-1].faults["carrier_buffer_cleared"] >= 1
            assert max(phone.depths_ms[-frames(1) :]) <= depth_ms + 60

    run(scenario())


@pytest.mark.long
def test_after_a_stall_of_the_process_of_200_ms_the_delay_is_back_in_2_s(run: Run) -> None:
    """Of the whole process: the phone and the room stand still too, and the phone says all it has missed at once."""

    async def scenario() -> None:
        async with Call(settings=SETTINGS) as call, call.phone() as phone:
            await phone.until_said(frames(1))
            before_ms = await delays_ms(call, phone)
            say_speech(call, phone)
            await phone.until_said(len(phone.sent_ns) + frames(0.5))
            time.sleep(0.2)  # noqa: ASYNC251 - this is the stall, not a way to wait
            await check_back_in_time(call, phone, before_ms, 2.0)
            assert call.statistics[-1].faults.get("late_tick", 0) <= 1

    run(scenario())
