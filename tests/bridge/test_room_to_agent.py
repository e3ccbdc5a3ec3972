"""Room to agent: what is sent, what is held, and what is taken out, over a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay._codec import Encoder
from relay.providers.twilio import TwilioAdapter
from tests.bridge import messages
from tests.bridge.sending import MS, SPEECH, frames_of, sending
from tests.signals import pcm, tone

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_frames_go_out_at_once_as_the_codec_makes_them(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.send(*SPEECH[:20])
            heard = await case.heard(20)
            encoder = Encoder("pcmu", 8000, 16000)
            assert [base64.b64decode(each["media"]["payload"]) for each in heard] == [
                encoder.push(frame) for frame in SPEECH[:20]
            ]
            assert {each["streamSid"] for each in heard} == {messages.STREAM_ID}
            assert case.agent.frames_sent == 20

    run(test())


def test_mark_follows_every_half_second(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.send(*SPEECH[:50])
            heard = await case.heard(52)
            assert [number for number, each in enumerate(heard) if each["event"] == "mark"] == [25, 51]
            assert heard[25]["mark"]["name"] != heard[51]["mark"]["name"]

    run(test())


def test_mark_of_somebody_else_is_a_fault(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.agent.mark_reached("who?", 0)
            assert case.faults.counts == {"unknown_mark": 1}

    run(test())


def test_carrier_that_is_behind_is_sent_less_until_it_is_not(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.send(*SPEECH[:50])
            case.now_ns += 300 * MS
            case.send(*SPEECH[50:65], apart_ms=0)  # what the room had kept for us
            behind_ms = case.agent.stats(case.now_ns, whole_call=True).carrier_buffer_ms
            case.send(*SPEECH[65:200])
            stats = case.agent.stats(case.now_ns, whole_call=True)
            assert behind_ms > 150
            assert stats.trimmed_ms == pytest.approx(behind_ms - stats.carrier_buffer_ms, abs=25)
            assert stats.frames == 200 - stats.trimmed_ms // 20 - (1 if stats.trimmed_ms % 20 else 0)

    run(test())


def test_after_a_trim_frames_are_whole_again_soon(run: Run) -> None:
    """While a part of one waits, each frame is put together from two: more work, and delay."""

    async def test() -> None:
        said = frames_of(pcm(tone(263, 16000, 160_000, amplitude=8000)))  # whose periods do not add up to a frame
        async with sending(TwilioAdapter()) as case:
            case.send(*said[:10])
            case.now_ns += 300 * MS
            case.send(*said[10:25], apart_ms=0)
            parts_bytes = []
            for frame in said[25:]:
                case.send(frame)
                parts_bytes.append(len(case.agent._pending))
            assert any(parts_bytes[:50]), "expected the trim to leave a part of a frame"
            assert not any(parts_bytes[100:])
            assert case.agent.frames_sent == len(said) - case.agent.trimmed_ms / 20

    run(test())


def test_carrier_that_is_far_behind_is_cleared(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.send(*SPEECH[:100], apart_ms=5)
            assert case.agent.clears == 1
            assert case.faults.counts["carrier_buffer_cleared"] == 1
            clear = {"event": "clear", "streamSid": messages.STREAM_ID}
            while (await case.heard(1)) != [clear]:
                pass

    run(test())


def test_t17_f25_peer_that_stops_reading_has_200_ms_waiting_at_most(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter(), receive_buffer_bytes=4096, queue_max_ms=200) as case:
            case.carrier.writer.transport.pause_reading()  # type: ignore[attr-defined] # transports that read have it
            for frame in SPEECH:
                case.send(frame)
                assert case.agent.queued_ms() <= 200
                await asyncio.sleep(0)
            assert case.agent.frames_dropped > 400
            assert case.agent.outbox.stalled_since_ns is not None
            assert case.faults.counts["frame_dropped"] == case.agent.frames_dropped

    run(test())


def test_t17_what_was_held_goes_out_when_the_peer_reads_again(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter(), receive_buffer_bytes=4096, queue_max_ms=200) as case:
            case.carrier.writer.transport.pause_reading()  # type: ignore[attr-defined] # as above
            case.send(*SPEECH[:100])
            sent, held = case.agent.frames_sent, case.agent.outbox.held
            case.carrier.writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
            heard = 0
            while heard < sent:
                heard += bytes((await case.carrier.receive()).data).startswith(b'{"event":"media"')
            dropped = case.agent.frames_dropped
            # All but what is held, when the kernel has heard that it was read: it has no event for that.
            while case.agent.queued_ms() > 40:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            case.send(SPEECH[100])
            assert (case.agent.frames_sent, case.agent.frames_dropped) == (sent + held + 1, dropped)
            assert case.agent.outbox.stalled_since_ns is None

    run(test())


def test_path_as_long_as_200_ms_is_no_queue(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter(), receive_buffer_bytes=4096, queue_max_ms=200) as case:
            case.connection.writer.round_trip_min_ms = 250.0
            case.carrier.writer.transport.pause_reading()  # type: ignore[attr-defined] # as above
            case.send(*SPEECH[:20])
            assert case.agent.frames_dropped == 0

    run(test())


def test_clear_drops_what_is_held_and_tells_the_carrier(run: Run) -> None:
    async def test() -> None:
        async with sending(TwilioAdapter()) as case:
            case.send(*SPEECH[:3])
            case.agent.clear()
            assert (await case.heard(4))[3] == {"event": "clear", "streamSid": messages.STREAM_ID}
            assert case.agent.stats(case.now_ns, whole_call=True).carrier_buffer_ms == 0

    run(test())
