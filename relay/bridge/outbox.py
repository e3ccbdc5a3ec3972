"""Audio on its way into the carrier's socket: how much may wait there, and what is held until it fits."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from relay.bridge.media_connection import MediaConnection
from relay.bridge.settings import QUEUE_MIN_MS
from relay.media.format import PTIME_MS

_FRAME_HEADER_BYTES: Final = 4  # of a WebSocket message of 126 to 65535 bytes to a client
_HELD_MAX_MS: Final = QUEUE_MIN_MS - 2 * PTIME_MS
_UNKNOWN_MS: Final = math.inf  # as in carrier_buffer.py


class Outbox:
    """
    Messages of audio: each is written at once if the socket can take it, else held, the oldest dropped first.

    The sum of what waits here, in the process and in the kernel stays under ``queue_max_ms``, or what one message in
    the socket and one held come to, and a frame for what is beside them, if that is more. A healthy path holds what is
    in flight, one round trip of it, and that is not waiting: it is allowed on top.

    Args:
        connection: an open connection.
        text: whether audio is in text messages.
        message_ms: of audio in each.
        message_bytes: its size, until one is seen.
        queue_max_ms: audio that may wait on our side.
        on_written: told of each message that was written: when its last frame was read, and the time.
    """

    def __init__(
        self,
        connection: MediaConnection,
        *,
        text: bool,
        message_ms: int,
        message_bytes: int,
        queue_max_ms: int,
        on_written: Callable[[int, int], None],
    ) -> None:
        held_max_ms = max(_HELD_MAX_MS, message_ms)
        self._connection = connection
        self._writer = connection.writer
        self._text = text
        self._message_ms = message_ms
        self._message_bytes = message_bytes
        self._held_max = held_max_ms // message_ms
        self._socket_max_ms = max(queue_max_ms, 2 * message_ms + PTIME_MS) - held_max_ms
        self._on_written = on_written
        self._held: deque[tuple[bytes, int]] = deque()
        self._asked_bytes = self._written_then_bytes = 0
        """What the socket held when it was asked last, and what had been written by then."""
        self.stalled_since_ns: int | None = None
        """Since when the socket takes nothing."""
        self.paused_since_ns: int | None = None
        """Since when the carrier wants nothing."""
        self.pauses = 0

    @property
    def held(self) -> int:
        """Messages that are held."""
        return len(self._held)

    def put(self, message: bytes, now_ns: int) -> int:
        """Write a message, or hold it; returns how many were dropped for it."""
        self._message_bytes = len(message) + _FRAME_HEADER_BYTES
        if self.flush(now_ns) >= self._message_ms:
            self._write(message, now_ns, now_ns)
            return 0
        if self.stalled_since_ns is None and self.paused_since_ns is None:
            self.stalled_since_ns = now_ns
        self._held.append((message, now_ns))
        if len(self._held) <= self._held_max:
            return 0
        self._held.popleft()
        return 1

    def flush(self, now_ns: int) -> float:
        """Write what is held and fits; returns how many ms fit beyond it."""
        if self.paused_since_ns is not None:
            return 0.0
        held_most_bytes = self._asked_bytes + self._writer.written_bytes - self._written_then_bytes
        room_ms = self._socket_max_ms - self._audio_ms(held_most_bytes)
        if room_ms < self._message_ms or self._held:  # asking costs as much as all else here
            room_ms = self._socket_max_ms - self._socket_ms()
        while self._held and room_ms >= self._message_ms:
            message, read_ns = self._held.popleft()
            self._write(message, read_ns, now_ns)
            room_ms -= self._message_ms
        return room_ms

    def clear(self) -> None:
        """Drop what is held."""
        self._held.clear()
        self.stalled_since_ns = None

    def pause(self, now_ns: int) -> None:
        """Write nothing more: the carrier's buffer is full."""
        if self.paused_since_ns is None:
            self.paused_since_ns = now_ns
            self.pauses += 1

    def resume(self, now_ns: int) -> None:
        """Write again, and first what was held."""
        self.paused_since_ns = None
        self.flush(now_ns)

    def queued_ms(self) -> float:
        """Audio on our side that the carrier has not acknowledged, and what is held."""
        return self._socket_ms() + len(self._held) * self._message_ms

    def _write(self, message: bytes, read_ns: int, now_ns: int) -> None:
        if self._writer.send(message, self._text):
            self.stalled_since_ns = None
            self._on_written(read_ns, now_ns)

    def _socket_ms(self) -> float:
        """Audio in the socket beyond what a path of this length has in flight."""
        self._written_then_bytes = self._writer.written_bytes
        self._asked_bytes = self._connection.queued_bytes()
        return self._audio_ms(self._asked_bytes)

    def _audio_ms(self, queued_bytes: int) -> float:
        queued_ms = queued_bytes * self._message_ms / self._message_bytes
        shortest_ms = self._writer.round_trip_min_ms
        return max(queued_ms - (shortest_ms if shortest_ms < _UNKNOWN_MS else 0.0), 0.0)
