"""What is written to a carrier's WebSocket, message by message, and how long the way there is."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Final

from websockets.protocol import Protocol, State

from relay._codec import message_frame

ROUND_TRIPS: Final = 3
_OPEN: Final = State.OPEN  # a member of an enum is 0.1 us away


class MediaWriter:
    """
    Writes whole messages past the library, which writes everything else.

    Args:
        protocol: says whether the connection is open.
        transport: takes the bytes at once, however many.
    """

    __slots__ = ("_protocol", "_round_trips_ms", "_write", "round_trip_min_ms", "round_trip_ms", "written_bytes")

    def __init__(self, protocol: Protocol, transport: asyncio.WriteTransport) -> None:
        self._protocol = protocol
        self._write = transport.write
        self._round_trips_ms: deque[float] = deque(maxlen=ROUND_TRIPS)
        self.written_bytes = 0
        """In messages; what the library writes by itself is not in it."""
        self.round_trip_min_ms = math.inf
        """The shortest ever: what the path takes with nothing waiting on it."""
        self.round_trip_ms = 0.0
        """The shortest of the last few: a pong that waited for somebody says nothing of the path."""

    def send(self, message: bytes, text: bool = True) -> bool:  # noqa: FBT001, FBT002 - what has C types has no keyword-only ones
        """Write one message; False if the connection is not open any longer."""
        if self._protocol.state is not _OPEN:
            return False
        frame = message_frame(message, text=text)
        self.written_bytes += len(frame)
        self._write(frame)
        return True

    def note_round_trip(self, took_ms: float) -> None:
        """Take what a ping and its pong took."""
        self._round_trips_ms.append(took_ms)
        self.round_trip_ms = min(self._round_trips_ms)
        self.round_trip_min_ms = min(self.round_trip_min_ms, self.round_trip_ms)
