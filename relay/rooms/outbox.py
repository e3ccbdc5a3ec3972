"""What waits to be sent on one WebSocket of the local room: a little audio, the newest, and every event."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final

from structlog.typing import FilteringBoundLogger
from websockets.asyncio.connection import Connection

FRAMES_MAX: Final = 5  # 100 ms; what waits longer is better dropped than heard
EVENTS_MAX: Final = 64

# Linux doubles it, for its own book-keeping. To a peer with the smallest receive buffer (4096) 21 frames of 640 bytes
# went before the first waited, against one of 65,536 bytes 81: the peer's buffer is what is left, and not ours to set.
SEND_BUFFER_BYTES: Final = 8192


class Stalled(Exception):
    """The peer has taken nothing for too long."""


class Outbox:
    """
    Sends frames and events in order; ``put`` never waits.

    Of frames only the newest ``FRAMES_MAX`` wait, of events the first ``EVENTS_MAX``; the others are dropped, counted,
    and logged the 1st, 2nd, 4th, 8th... time.

    Args:
        stalled_s: how long one message may take to send.
        log: bound to the room and the participant.
    """

    def __init__(self, connection: Connection, *, stalled_s: float, log: FilteringBoundLogger) -> None:
        self._connection = connection
        self._stalled_s = stalled_s
        self._waiting: deque[bytes | str] = deque()
        self._frames = 0
        self._more = asyncio.Event()
        self._log = log
        self.dropped_frames = 0
        self.dropped_events = 0
        sock: socket.socket = connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def put_frame(self, pcm: bytes) -> None:
        """Queue 20 ms of audio."""
        if self._frames >= FRAMES_MAX:
            self._drop_oldest_frame()
        self._frames += 1
        self._waiting.append(pcm)
        self._more.set()

    def put_event(self, text: str) -> None:
        """Queue an event. A peer that reads none of ``EVENTS_MAX`` is about to be stalled: it gets no more."""
        if len(self._waiting) - self._frames >= EVENTS_MAX:
            self.dropped_events += 1
            self._log_doubled("outbox.event_dropped", self.dropped_events)
            return
        self._waiting.append(text)
        self._more.set()

    def _drop_oldest_frame(self) -> None:
        oldest = next(at for at, message in enumerate(self._waiting) if isinstance(message, bytes))
        del self._waiting[oldest]
        self._frames -= 1
        self.dropped_frames += 1
        self._log_doubled("outbox.frame_dropped", self.dropped_frames)

    def _log_doubled(self, dropped: str, count: int) -> None:
        if count & (count - 1) == 0:  # 50 frames a second must not flood the log
            self._log.warning(dropped, count=count)

    async def run(self) -> None:
        """
        Send until cancelled.

        Raises:
            Stalled: the peer took nothing for ``stalled_s``.
            ConnectionClosed: the connection is closed.
        """
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                message = self._waiting.popleft()
                self._frames -= isinstance(message, bytes)
                await self._send(message)

    async def _send(self, message: bytes | str) -> None:
        try:
            async with asyncio.timeout(self._stalled_s):
                await self._connection.send(message)
        except TimeoutError:
            raise Stalled(f"read nothing for {self._stalled_s:g} s") from None
