"""Room to agent: what is sent, what is held, and what is taken out, over a real socket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import structlog
from websockets.frames import Opcode

from relay._codec import Encoder
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.room_to_agent import RoomToAgent
from relay.media.format import AudioFormat
from relay.providers.base import MediaAdapter
from relay.providers.twilio import TwilioAdapter
from tests.bridge import messages
from tests.bridge.made_up import CLEAR, START, BinaryAdapter
from tests.bridge.peers import RawPeer, relay
from tests.signals import pcm, tone

Run = Callable[[Coroutine[Any, Any, None]], None]
MS = 1_000_000


def frames_of(said: bytes) -> list[bytes]:
    return [said[at : at + 640] for at in range(0, len(said) - 639, 640)]


SPEECH = frames_of(pcm(tone(220, 16000, 160_000, amplitude=8000)))


@dataclass
class Sending:
    """A direction, the carrier that hears it, and time."""

    agent: RoomToAgent
    carrier: RawPeer
    connection: MediaConnection
    faults: Faults
    now_ns: int = 0

    def send(self, *frames: bytes, apart_ms: int = 20) -> None:
        for frame in frames:
            self.now_ns += apart_ms * MS
            self.agent.send(frame, self.now_ns)

    async def frames(self, count: int) -> list[tuple[Opcode, bytes]]:
        """The next ``count`` messages as they came."""
        read = [await self.carrier.receive() for _ in range(count)]
        return [(each.opcode, bytes(each.data)) for each in read]

    async def heard(self, count: int) -> list[dict[str, Any]]:
        return [orjson.loads(bytes((await self.carrier.receive()).data)) for _ in range(count)]


@contextlib.asynccontextmanager
async def sending(
    adapter: MediaAdapter,
    *,
    receive_buffer_bytes: int | None = None,
    queue_max_ms: int = 60_000,
    room_rate_hz: int = 16000,
) -> AsyncIterator[Sending]:
    (started,) = adapter.parse(START if isinstance(adapter, BinaryAdapter) else messages.start())
    async with relay() as served:
        carrier = await RawPeer.connect(served, receive_buffer_bytes=receive_buffer_bytes)
        connection = await served.connection()
        faults = Faults(structlog.get_logger())
        try:
            agent = RoomToAgent(
                connection,
                adapter,
                started.format,  # type: ignore[union-attr] # it is a StreamStarted
                room_rate_hz=room_rate_hz,
                queue_max_ms=queue_max_ms,  # frames follow each other here faster than kernels acknowledge
                profile="balanced",
                faults=faults,
                clock=lambda: 0,
            )
            yield Sending(agent, carrier, connection, faults)
        finally:
            connection.abort()
            await carrier.close()


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
            case.connection.round_trip_min_ms = 250.0
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


def test_binary_carrier_without_marks_or_clear_gets_its_audio(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(message_ms=20, marks=False, clear=False)) as case:
            case.send(*SPEECH[:60])
            case.agent.clear()
            assert await case.frames(60) == [(Opcode.BINARY, frame) for frame in SPEECH[:60]]
            assert case.agent.chain() == f"room -> L16/16000 -> {AudioFormat('l16le', 16000)} -> made-up"
            assert case.agent.clears == 0

    run(test())


def test_frames_are_collected_until_they_make_a_message_and_what_is_not_audio_is_text(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:29])
            heard = await case.frames(6)
            whole = [b"".join(SPEECH[at : at + 5]) for at in range(0, 25, 5)]
            assert heard[:5] == [(Opcode.BINARY, each) for each in whole]
            assert heard[5] == (Opcode.TEXT, b'{"event":"mark","name":"0.1"}')
            assert (case.agent.frames_sent, case.agent.frames_taken) == (25, 29)

    run(test())


def test_what_is_collected_is_delay_and_is_dropped_by_a_clear(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:4])
            assert case.agent.stats(case.now_ns, whole_call=True).queued_ms == 80
            case.agent.clear()
            assert case.agent.stats(case.now_ns, whole_call=True).queued_ms == 0
            case.send(*SPEECH[10:15])
            assert await case.frames(3) == [
                *((Opcode.TEXT, each) for each in CLEAR),
                (Opcode.BINARY, b"".join(SPEECH[10:15])),
            ]
            assert case.agent.clears == 1

    run(test())


def test_message_that_was_held_does_not_wait_for_the_next_to_be_whole(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            outbox = case.agent.outbox
            outbox._socket_max_ms, usual_ms = 0, outbox._socket_max_ms
            case.send(*SPEECH[:5])
            assert (outbox.held, case.agent.frames_sent, case.agent.frames_taken) == (1, 0, 5)
            outbox._socket_max_ms = usual_ms
            case.send(SPEECH[5])
            assert (outbox.held, case.agent.frames_sent, case.agent.frames_taken) == (0, 5, 6)
            assert await case.frames(1) == [(Opcode.BINARY, b"".join(SPEECH[:5]))]

    run(test())


def test_last_message_is_padded_with_silence_to_a_whole_one(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:2])
            case.agent.say_last(b"".join(SPEECH[20:27]))
            assert await case.frames(6) == [
                *((Opcode.TEXT, each) for each in CLEAR),
                (Opcode.BINARY, b"".join(SPEECH[20:25])),
                (Opcode.BINARY, b"".join(SPEECH[25:27]) + bytes(3 * 640)),
                (Opcode.TEXT, b'{"event":"mark","name":"last"}'),
                (Opcode.BINARY, bytes(5 * 640)),
            ]

    run(test())


def test_mark_that_the_adapter_does_not_make_is_not_sent(run: Run) -> None:
    class Full(BinaryAdapter):
        def encode_mark(self, name: str) -> bytes:
            assert name
            return b""

    async def test() -> None:
        async with sending(Full(message_ms=500)) as case:
            case.send(*SPEECH[:50])
            assert [opcode for opcode, _ in await case.frames(2)] == [Opcode.BINARY] * 2
            assert case.agent._buffer.marks_out == 0

    run(test())


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
@pytest.mark.parametrize("room_rate_hz", [16000, 24000, 48000])
def test_messages_hold_what_the_rule_says_at_every_rate(run: Run, rate_hz: int, room_rate_hz: int) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(rate_hz), room_rate_hz=room_rate_hz) as case:
            case.send(*[bytes(room_rate_hz // 25)] * 25)
            for _ in range(5):
                assert len((await case.carrier.receive()).data) == rate_hz // 5

    run(test())


def test_frame_rule_that_no_frames_fit_is_refused(run: Run) -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="frame rule: expected one for frames of 640 bytes"):
            async with sending(BinaryAdapter(message_ms=2000)):
                pass

    run(test())


@pytest.mark.parametrize("message_ms", [100, 200])
def test_carrier_that_takes_much_at_a_time_and_keeps_up_is_not_trimmed(run: Run, message_ms: int) -> None:
    """Marks come back 30 ms after their message has been played, which begins when it comes."""

    async def test() -> None:
        async with sending(BinaryAdapter(message_ms=message_ms)) as case:
            due: list[tuple[int, str]] = []
            for frame in SPEECH[:500]:
                case.send(frame)
                while due and due[0][0] <= case.now_ns:
                    case.agent.mark_reached(due.pop(0)[1], case.now_ns)
                due += [
                    (case.now_ns + (message_ms + 30) * MS, name)
                    for name, mark in case.agent._buffer._out.items()
                    if mark.sent_ns == case.now_ns
                ]
            stats = case.agent.stats(case.now_ns, whole_call=True)
            assert (stats.frames, stats.trimmed_ms, stats.clears) == (500, 0, 0)
            assert case.agent._buffer.marks_out <= 1
            assert message_ms <= stats.carrier_buffer_ms <= message_ms + 50

    run(test())


def test_carrier_that_is_behind_gets_whole_messages_of_less(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(marks=False)) as case:
            case.send(*SPEECH[:50])
            case.now_ns += 300 * MS
            case.send(*SPEECH[50:75], apart_ms=0)  # what the room had kept for us
            case.send(*SPEECH[75:300])
            stats = case.agent.stats(case.now_ns, whole_call=True)
            assert stats.trimmed_ms > 150
            assert stats.carrier_buffer_ms < 100 + 40
            assert stats.frames * 20 + stats.trimmed_ms == pytest.approx(6000, abs=100)
            assert {len(data) for _, data in await case.frames(stats.frames // 5)} == {3200}

    run(test())
