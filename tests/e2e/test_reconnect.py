"""A carrier's stream that breaks in the middle of a call, and the one that the carrier opens in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from relay.bridge.events import Joined, MediaBack, MediaLost, MediaStarted
from relay.bridge.settings import BridgeSettings
from relay.dev.phone import HangUp, SimulatedPhone
from relay.media.tones import NOISE_DBFS
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, a2r, check_over
from tests.e2e.test_life import LatePhone
from tests.signals import dbfs, level_db, pcm, rms, samples_of, tone, tone_dbfs

Run = Callable[[Coroutine[Any, Any, None]], None]

QUICK = BridgeSettings(media_timeout_s=0.5, reconnect_timeout_s=3.0, tick_s=0.05)
FIRST_HZ, SECOND_HZ, CUSTOMER_HZ = 440, 620, 1010
FIRST, SECOND = (pcm(tone(hz, 8000, 10 * 8000, amplitude=dbfs(-20))) for hz in (FIRST_HZ, SECOND_HZ))
CUSTOMER = pcm(tone(CUSTOMER_HZ, 16000, 10 * 16000, amplitude=dbfs(-20)))
SINE_RMS = dbfs(0.0) / np.sqrt(2)
LOUD_DBFS = -40.0
GAP_MAX_MS = 200.0
"""From the last of the first stream to the first of the next, which connects at once. Measured: 40 ms."""


def quiet_frames(call: Call, since_ns: int) -> list[int]:
    """When each frame came to the customer in which no agent is heard."""
    frames = [(at_ns, pcm) for at_ns, pcm in call.customer.frames if at_ns >= since_ns]
    return [at_ns for at_ns, pcm in frames if level_db(rms(samples_of(pcm)), SINE_RMS) < LOUD_DBFS]


async def call_again(call: Call, second: SimulatedPhone) -> None:
    """The second stream is heard, for half a second."""
    await call.until_event(MediaBack)
    await second.until_heard(25)
    await call.customer.until_heard(25)


@pytest.mark.parametrize("how", [HangUp.RESET, HangUp.FIN, HangUp.SILENCE])
@pytest.mark.long
def test_f14_f15_call_goes_on_over_the_next_stream(run: Run, how: HangUp) -> None:
    async def scenario() -> None:
        async with Call({"customer": CUSTOMER}, settings=QUICK) as call, call.phone(FIRST) as first:
            await call.until_event(Joined)
            await first.until_said(40)
            broken_ns = time.monotonic_ns()
            first.hang_up(how)
            await call.until_event(MediaLost)
            async with call.phone(SECOND) as second:
                back_ns = time.monotonic_ns()
                await call_again(call, second)
                heard = call.customer.heard_since(back_ns + 400_000_000)
                assert abs(tone_dbfs(heard.pcm, 16000, SECOND_HZ) + 20) < 1
                assert abs(tone_dbfs(second.heard.pcm, 8000, CUSTOMER_HZ) + 20) < 1
                quiet = quiet_frames(call, broken_ns)
                gap_ms = (quiet[-1] - quiet[0]) / 1e6 + 20
                assert gap_ms < GAP_MAX_MS + (1000 * QUICK.media_timeout_s if how is HangUp.SILENCE else 0)
                assert len(call.of(MediaStarted)) == 2
                stats = call.bridge.stats(0)
                assert a2r(stats).frames > len(second.sent_ns)
                second.stop()
                await check_over(call, second, Reason.AGENT_HUNG_UP)
                assert len(call.of(MediaLost)) == len(call.of(MediaBack)) == 1

    run(scenario())


@pytest.mark.long
def test_f14_customer_hears_comfort_noise_until_nobody_is_waited_for_any_longer(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(reconnect_timeout_s=1.0, tick_s=0.05)
        async with Call(settings=settings) as call, call.phone(FIRST) as phone:
            await call.until_event(Joined)
            await phone.until_said(25)
            phone.hang_up(HangUp.RESET)
            await call.until_event(MediaLost)
            lost_ns = time.monotonic_ns()
            await check_over(call, phone, Reason.MEDIA_LOST)
            ended_ns = time.monotonic_ns()
            assert 0.9 < (ended_ns - lost_ns) / 1e9 < 1.6
            noise = call.customer.heard_since(lost_ns + 200_000_000).pcm[: 2 * 16000 * 6 // 10]
            assert level_db(rms(samples_of(noise)), SINE_RMS) == pytest.approx(NOISE_DBFS, abs=3)

    run(scenario())


def test_f15_stream_that_is_silent_from_the_start_is_no_call(run: Run) -> None:
    async def scenario() -> None:
        async with Call(settings=QUICK) as call, LatePhone(call.media_url) as phone:
            phone.start()
            phone.end_media()
            ended = await check_over(call, phone, Reason.MEDIA_TIMEOUT)
            assert not ended.was_joined

    run(scenario())


def test_f15_next_stream_that_is_silent_from_the_start_is_not_waited_for_any_longer(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(media_timeout_s=10.0, reconnect_timeout_s=0.6, tick_s=0.05)
        async with Call(settings=settings) as call, call.phone(FIRST) as first:
            await call.until_event(Joined)
            first.hang_up(HangUp.RESET)
            await call.until_event(MediaLost)
            async with LatePhone(call.media_url) as second:
                second.start()
                second.end_media()
                await check_over(call, second, Reason.MEDIA_LOST)
                assert call.of(MediaBack) == []

    run(scenario())
