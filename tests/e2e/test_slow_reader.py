"""A phone that stops reading: what waits for it stays short, and the other direction does not notice."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge.events import Joined, MediaLost
from relay.bridge.settings import BridgeSettings
from relay.dev.phone import Network
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, check_over, next_said_ns, r2a
from tests.signals import Chirps, chirp_delays, dbfs, gaps, pcm, tone, tone_dbfs

Run = Callable[[Coroutine[Any, Any, None]], None]
SMALL = Network(receive_buffer_bytes=4096)
"""The kernel's least for a phone that does not read; it takes half a second of audio or more by itself."""
AGENT = pcm(tone(440, 8000, 15 * 8000, amplitude=dbfs(-20)))
CUSTOMER = pcm(tone(1000, 16000, 15 * 16000, amplitude=dbfs(-20)))
QUEUE_MAX_MS = 200 + 20
"""What is too much is dropped when the next frame comes."""
NORMAL_MS = 100.0
"""From the customer's microphone to the phone. Measured: 33 ms in a call that was never stalled, 45 ms after it."""


@pytest.mark.long
def test_a_phone_that_stops_reading_for_3_s_hears_in_time_afterwards(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(tick_s=0.05)
        async with Call({"customer": CUSTOMER}, settings=settings) as call, call.phone(AGENT, network=SMALL) as phone:
            await call.until_event(Joined)
            await phone.until_said(50)
            before = len(call.statistics)
            phone.pause_reading()
            paused_ns = next_said_ns(phone)
            await phone.until_said(200)
            unread = call.statistics[before:]
            phone.resume_reading()

            assert max(r2a(stats).queued_ms for stats in unread) <= QUEUE_MAX_MS
            assert r2a(unread[-1]).frames_dropped > 0
            assert unread[-1].faults["frame_dropped"] == r2a(unread[-1]).frames_dropped
            customer = call.watch.quiet_part(call.customer.heard_since(paused_ns))
            assert gaps(*customer) == []
            assert abs(tone_dbfs(customer.pcm, 16000, 440) + 20) < 1

            await phone.until_said(200 + 100)
            chirps = Chirps(count=2)
            call.customer.say(pcm(chirps.wave(16000)))
            await phone.until_said(200 + 100 + 75)
            delays = chirp_delays(*phone.heard, chirps=chirps, said_start_ns=call.customer.said_start_ns)
            assert all(chirp.delay_ms < NORMAL_MS for chirp in delays), delays

    run(scenario())


@pytest.mark.long
def test_a_phone_that_reads_nothing_more_is_lost(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(tick_s=0.1, write_stall_timeout_s=1.0, reconnect_timeout_s=0.3)
        async with Call({"customer": CUSTOMER}, settings=settings) as call, call.phone(AGENT, network=SMALL) as phone:
            await call.until_event(Joined)
            await phone.until_said(50)
            phone.pause_reading()
            lost = await call.until_event(MediaLost)
            assert "the carrier read nothing" in lost.detail
            await call.bridge.ended()
            phone.resume_reading()
            await check_over(call, phone, Reason.MEDIA_LOST)

    run(scenario())
