"""Room to agent: the room's speaker in, the carrier's messages out, with no queue that grows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

from relay._codec import Encoder, MediaTemplate, retime
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.outbox import Outbox
from relay.bridge.stats import NO_SPREAD, RoomToAgentStats, Spread, Tally, counted_on
from relay.media.carrier_buffer import CLEAR_ABOVE_MS, CarrierBuffer
from relay.media.drain import Drain
from relay.media.format import PTIME_MS, AudioFormat, pcm
from relay.providers.base import MediaAdapter

_SHORT_MS: Final = 2.5
LAST_MARK: Final = "last"
"""Comes back when what was said last has been played."""


class RoomToAgent:
    """
    One direction of one bridge, from the carrier's start on.

    A message holds one frame, or as many as the carrier's frame rule asks for: these are collected. Messages that the
    socket cannot take, or the carrier does not want, are held: see ``Outbox``.

    Args:
        connection: an open connection.
        adapter: has seen the carrier's start.
        audio: the stream's format.
        room_rate_hz: of the PCM that comes.
        queue_max_ms: audio that may wait on our side.
        profile: the codec's filter.
        faults: told of what is dropped.
        clock: monotonic ns.
        tally: goes on from stream to stream of a bridge.

    Raises:
        ValueError: the carrier's frame rule has no place for whole frames.
    """

    def __init__(
        self,
        connection: MediaConnection,
        adapter: MediaAdapter,
        audio: AudioFormat,
        *,
        room_rate_hz: int,
        queue_max_ms: int,
        profile: Literal["balanced", "low_delay", "high_quality"],
        faults: Faults,
        clock: Callable[[], int] = time.monotonic_ns,
        tally: Tally | None = None,
    ) -> None:
        self._writer = connection.writer
        self._adapter = adapter
        self._audio = audio
        self._room_pcm = pcm(room_rate_hz)
        self._encoder = Encoder(audio.encoding, audio.rate_hz, room_rate_hz, profile=profile)
        self._template: MediaTemplate | None = adapter.media_out
        self._text = adapter.capabilities.audio == "text"
        self._faults = faults
        self._clock = clock
        self._message_frames = adapter.frame_rule.frames(audio.size_bytes(PTIME_MS))
        self._message_ms = self._message_frames * PTIME_MS
        self._frame_bytes = self._room_pcm.size_bytes(PTIME_MS)
        self._whole_bytes = self._message_frames * self._frame_bytes
        self._pending = b""  # what is collected for the next message
        self._drain = Drain(room_rate_hz)
        self._buffer = CarrierBuffer(marks=adapter.capabilities.marks, message_ms=self._message_ms)
        self._tally = tally or Tally()
        self._own_time = self._tally.sent.recent
        self.outbox = Outbox(
            connection,
            text=self._text,
            message_ms=self._message_ms,
            message_bytes=audio.size_bytes(self._message_ms),
            queue_max_ms=queue_max_ms,
            on_written=self._written,
        )
        self.frames_sent = 0
        self.frames_dropped = 0
        self.trimmed_ms = 0.0
        self.clears = 0

    def send(self, frame: bytes, read_ns: int) -> None:
        """Send 20 ms of the room's PCM, or what is left of it when the carrier has too much already."""
        collected = len(self._pending) // self._frame_bytes
        part_bytes = len(self._pending) - collected * self._frame_bytes
        excess_ms = self._buffer.excess_ms(read_ns, self._writer.round_trip_ms, collected * PTIME_MS)
        if excess_ms > 0 or part_bytes:
            frame = self._trimmed(frame, excess_ms, part_bytes)
        if not self._pending and len(frame) == self._whole_bytes:
            self._encode(frame, read_ns)
        else:
            self._collect(frame, read_ns)

    def clear(self) -> None:
        """Drop everything that the agent has not heard yet, here and, where it can be done, at the carrier."""
        self.outbox.clear()
        self._pending = b""
        if self._adapter.capabilities.clear:
            self._buffer.clear()
            for message in self._adapter.encode_clear():
                self._writer.send(message)
            self.clears += 1

    def carrier_full(self, now_ns: int) -> None:
        """
        Write nothing more until the carrier is ready again, and drop what fills it, where that can be done.

        All that would be heard seconds too late, and for the rest of the call.
        """
        if self.outbox.paused_since_ns is None:
            self.outbox.pause(now_ns)
            if self._adapter.capabilities.clear:
                self._faults.note("carrier_buffer_cleared", "the carrier says that it is full")
                self.clear()

    def say_last(self, sound: bytes) -> None:
        """Let the agent hear ``sound``, and silence up to a whole message, in place of what has not been heard yet."""
        self.clear()
        for at in range(0, len(sound), self._whole_bytes):
            whole = sound[at : at + self._whole_bytes].ljust(self._whole_bytes, b"\0")
            self._writer.send(self._message(whole), self._text)
        if self._adapter.capabilities.marks:
            self._mark(LAST_MARK)
            # To some carriers a mark is reached when what follows it begins.
            self._writer.send(self._message(bytes(self._whole_bytes)), self._text)

    def mark_reached(self, name: str, now_ns: int) -> None:
        """Take a mark that the carrier returned."""
        if not self._buffer.reached(name, now_ns):
            self._faults.note("unknown_mark", f"expected a mark of this stream, got {name[:40]!r}")

    @property
    def takes_audio(self) -> bool:
        """Whether anything that is sent now would be read, and played."""
        return self.outbox.stalled_since_ns is None and self.outbox.paused_since_ns is None

    @property
    def frames_taken(self) -> int:
        """Frames that were sent, and that are to be."""
        return self.frames_sent + self.outbox.held * self._message_frames + len(self._pending) // self._frame_bytes

    def queued_ms(self) -> float:
        """Audio on our side: what the carrier has not acknowledged, what is held, and what is collected."""
        return self.outbox.queued_ms() + self._room_pcm.duration_ms(len(self._pending))

    def stats(self, now_ns: int, *, whole_call: bool) -> RoomToAgentStats:
        """Where things stand, with our own time since the last call of this, or of the whole call."""
        return self._stats_with(self._tally.sent.take(whole_call=whole_call), now_ns)

    def counts(self, now_ns: int) -> RoomToAgentStats:
        """Where things stand, of all streams so far, without durations."""
        return self._stats_with(NO_SPREAD, now_ns)

    def _stats_with(self, own_time: Spread, now_ns: int) -> RoomToAgentStats:
        counts = RoomToAgentStats(
            frames=self.frames_sent,
            frames_dropped=self.frames_dropped,
            trimmed_ms=round(self.trimmed_ms),
            clears=self.clears,
            pauses=self.outbox.pauses,
            own_time=own_time,
            queued_ms=self.queued_ms(),
            carrier_buffer_ms=self._buffer.depth_ms(now_ns, round_trip_ms=self._writer.round_trip_ms),
        )
        return counted_on(counts, self._tally.room_to_agent)

    def chain(self) -> str:
        """The steps a frame takes."""
        return f"room -> {self._room_pcm} -> {self._audio} -> {self._adapter.name}"

    def _trimmed(self, frame: bytes, excess_ms: float, part_bytes: int) -> bytes:
        if excess_ms > CLEAR_ABOVE_MS and self._adapter.capabilities.clear:
            self._faults.note("carrier_buffer_cleared", f"{excess_ms:.0f} ms too much")
            self.clear()
            return frame
        # What waits here for a whole frame is delay too.
        part_ms = self._room_pcm.duration_ms(part_bytes)
        if excess_ms > 0 or part_ms >= _SHORT_MS:
            kept = self._drain.push(frame, excess_ms + part_ms)
        else:  # by the sample, until frames are whole again: no pitch period is so short
            kept = retime(self._drain.push(frame, 0), -1)
        trimmed_ms = self._room_pcm.duration_ms(len(frame) - len(kept))
        self.trimmed_ms += trimmed_ms
        self._buffer.trimmed(trimmed_ms)
        return kept

    def _collect(self, kept: bytes, read_ns: int) -> None:
        self._pending += kept
        if len(self._pending) >= self._whole_bytes:
            whole, self._pending = self._pending[: self._whole_bytes], self._pending[self._whole_bytes :]
            self._encode(whole, read_ns)
        elif self.outbox.held:  # which need not wait for the next message
            self.outbox.flush(read_ns)

    def _message(self, whole: bytes) -> bytes:
        if self._template is not None:
            return self._encoder.push_message(whole, self._template)
        return self._adapter.encode_audio(self._encoder.push(whole))

    def _encode(self, whole: bytes, now_ns: int) -> None:
        dropped = self.outbox.put(self._message(whole), now_ns) * self._message_frames
        if dropped:
            self.frames_dropped += dropped
            self._faults.note("frame_dropped", "the carrier takes our audio too slowly", dropped)

    def _written(self, read_ns: int, now_ns: int) -> None:
        self.frames_sent += self._message_frames
        mark = self._buffer.sent(self._message_ms, now_ns)
        if mark is not None and not self._mark(mark):
            self._buffer.not_sent(mark)
        self._own_time.record(self._clock() - read_ns)

    def _mark(self, name: str) -> bool:
        message = self._adapter.encode_mark(name)  # empty: the adapter knows that the carrier would drop it
        return bool(message) and self._writer.send(message)
