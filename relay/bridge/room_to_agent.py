"""Room to agent: the room's speaker in, the carrier's messages out, with no queue that grows."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from relay._codec import Encoder, MediaTemplate
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.settings import QUEUE_MIN_MS
from relay.bridge.stats import NO_SPREAD, RoomToAgentStats, Tally, counted_on
from relay.media.carrier_buffer import CLEAR_ABOVE_MS, CarrierBuffer
from relay.media.drain import Drain
from relay.media.format import PTIME_MS, AudioFormat, pcm
from relay.providers.base import MediaAdapter

_FRAME_HEADER_BYTES: Final = 4  # of a WebSocket message of 126 to 65535 bytes to a client
_HELD_MAX_MS: Final = QUEUE_MIN_MS - 2 * PTIME_MS
LAST_MARK: Final = "last"
"""Comes back when what was said last has been played."""


class RoomToAgent:
    """
    One direction of one bridge, from the carrier's start on.

    Frames that the socket cannot take are held, two at most, the oldest dropped first: the sum of what waits here, in
    the process and in the kernel stays under ``queue_max_ms``. A healthy path holds what is in flight, one round trip
    of it, and that is not waiting: it is allowed on top.

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
        self._connection = connection
        self._adapter = adapter
        self._audio = audio
        self._room_rate_hz = room_rate_hz
        self._encoder = Encoder(audio.encoding, audio.rate_hz, room_rate_hz, profile=profile)
        self._template: MediaTemplate | None = adapter.media_out
        self._text = adapter.capabilities.messages == "text"
        self._socket_max_ms = queue_max_ms - _HELD_MAX_MS
        self._faults = faults
        self._clock = clock
        self._frame_bytes = pcm(room_rate_hz).size_bytes(PTIME_MS)
        self._held: deque[tuple[bytes, int]] = deque()
        self._pending = b""
        self._drain = Drain(room_rate_hz)
        self._buffer = CarrierBuffer(marks=adapter.capabilities.marks)
        self._tally = tally or Tally()
        self._own_time = self._tally.sent
        self._message_bytes = audio.size_bytes(PTIME_MS)
        self.stalled_since_ns: int | None = None
        self.frames_sent = 0
        self.frames_dropped = 0
        self.trimmed_ms = 0.0
        self.clears = 0

    def send(self, frame: bytes, read_ns: int) -> None:
        """Send 20 ms of the room's PCM, or what is left of it when the carrier has too much already."""
        excess_ms = self._buffer.excess_ms(read_ns, round_trip_ms=self._connection.round_trip_ms)
        if excess_ms > 0 or self._pending:
            self._send_trimmed(frame, excess_ms, read_ns)
        else:
            self._encode(frame, read_ns)

    def flush(self, now_ns: int) -> float:
        """Write what is held and fits; returns how many ms fit beyond it."""
        room_ms = self._socket_max_ms - self._socket_ms()
        while self._held and room_ms >= PTIME_MS:
            self._write(*self._held.popleft(), now_ns)
            room_ms -= PTIME_MS
        return room_ms

    def clear(self) -> None:
        """Drop everything that the agent has not heard yet, here and, where it can be done, at the carrier."""
        self._held.clear()
        self._pending = b""
        self.stalled_since_ns = None
        if self._adapter.capabilities.clear:
            self._buffer.clear()
            self._connection.send_message(self._adapter.encode_clear(), text=self._text)
            self.clears += 1

    def say_last(self, sound: bytes) -> None:
        """Let the agent hear ``sound``, whole frames, in place of what has not been heard yet. Nothing comes after."""
        self.clear()
        for at in range(0, len(sound), self._frame_bytes):
            self._connection.send_message(self._message(sound[at : at + self._frame_bytes]), text=self._text)
        if self._adapter.capabilities.marks:
            self._connection.send_message(self._adapter.encode_mark(LAST_MARK), text=self._text)

    def mark_reached(self, name: str, now_ns: int) -> None:
        """Take a mark that the carrier returned."""
        if not self._buffer.reached(name, now_ns):
            self._faults.note("unknown_mark", f"expected a mark of this stream, got {name[:40]!r}")

    @property
    def frames_taken(self) -> int:
        """Frames that were sent, and that are to be."""
        return self.frames_sent + len(self._held)

    def queued_ms(self) -> float:
        """Audio on our side that the carrier has not acknowledged, and what is held."""
        return self._socket_ms() + len(self._held) * PTIME_MS

    def stats(self, now_ns: int, *, whole_call: bool) -> RoomToAgentStats:
        """Where things stand, with our own time since the last call of this, or of the whole call."""
        return replace(self.counts(now_ns), own_time=self._own_time.take(whole_call=whole_call))

    def counts(self, now_ns: int) -> RoomToAgentStats:
        """Where things stand, of all streams so far, without durations."""
        counts = RoomToAgentStats(
            frames=self.frames_sent,
            frames_dropped=self.frames_dropped,
            trimmed_ms=round(self.trimmed_ms),
            clears=self.clears,
            own_time=NO_SPREAD,
            queued_ms=self.queued_ms(),
            carrier_buffer_ms=self._buffer.depth_ms(now_ns, round_trip_ms=self._connection.round_trip_ms),
        )
        return counted_on(counts, self._tally.room_to_agent)

    def chain(self) -> str:
        """The steps a frame takes."""
        return f"room -> {pcm(self._room_rate_hz)} -> {self._audio} -> {self._adapter.name}"

    def _send_trimmed(self, frame: bytes, excess_ms: float, read_ns: int) -> None:
        if excess_ms > CLEAR_ABOVE_MS and self._adapter.capabilities.clear:
            self._faults.note("carrier_buffer_cleared", f"{excess_ms:.0f} ms too much")
            self.clear()
            self._encode(frame, read_ns)
            return
        # What waits here for a whole frame is delay too.
        excess_ms += pcm(self._room_rate_hz).duration_ms(len(self._pending))
        kept = self._drain.push(frame, excess_ms)
        trimmed_ms = pcm(self._room_rate_hz).duration_ms(len(frame) - len(kept))
        self.trimmed_ms += trimmed_ms
        self._buffer.trimmed(trimmed_ms)
        self._pending += kept
        while len(self._pending) >= self._frame_bytes:
            whole, self._pending = self._pending[: self._frame_bytes], self._pending[self._frame_bytes :]
            self._encode(whole, read_ns)

    def _message(self, frame: bytes) -> bytes:
        if self._template is not None:
            return self._encoder.push_message(frame, self._template)
        return self._adapter.encode_audio(self._encoder.push(frame))

    def _encode(self, frame: bytes, now_ns: int) -> None:
        message = self._message(frame)
        self._message_bytes = len(message) + _FRAME_HEADER_BYTES
        if self.flush(now_ns) >= PTIME_MS:
            self._write(message, now_ns, now_ns)
        else:
            self._hold(message, now_ns)

    def _hold(self, message: bytes, now_ns: int) -> None:
        if self.stalled_since_ns is None:
            self.stalled_since_ns = now_ns
        self._held.append((message, now_ns))
        while len(self._held) * PTIME_MS > _HELD_MAX_MS:
            self._held.popleft()
            self.frames_dropped += 1
            self._faults.note("frame_dropped", "the carrier takes our audio too slowly")

    def _write(self, message: bytes, read_ns: int, now_ns: int) -> None:
        if not self._connection.send_message(message, text=self._text):
            return
        self.stalled_since_ns = None
        self.frames_sent += 1
        mark = self._buffer.sent(PTIME_MS, now_ns)
        if mark is not None:
            self._connection.send_message(self._adapter.encode_mark(mark), text=self._text)
        self._own_time.recent.record(self._clock() - read_ns)

    def _socket_ms(self) -> float:
        """Audio in the socket beyond what a path of this length has in flight."""
        return max(self._connection.queued_bytes() * PTIME_MS / self._message_bytes - self._in_flight_ms(), 0.0)

    def _in_flight_ms(self) -> float:
        shortest_ms = self._connection.round_trip_min_ms
        return shortest_ms if math.isfinite(shortest_ms) else 0.0
