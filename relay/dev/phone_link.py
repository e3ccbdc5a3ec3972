"""One TCP connection over a network that can be made bad: late, stalled, in crumbs, unread, reset."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from relay.rooms.deadlines import Deadline, shared_deadlines

READ_BYTES = 65536


@dataclass(slots=True)
class _Piece:
    """Bytes on their way, or the end of all (none)."""

    data: memoryview
    due_ns: int
    written: Callable[[int], None] | None


class Link:
    """
    Sends and receives bytes in order; keeps its socket to itself, to have every byte and every read in hand.

    Args:
        connection: connected, not blocking; owned and closed here.
        received: called with what came; with ``b""`` when the peer has ended its side.
        lost: called once, when the socket is closed, with the error if there was one.
        segment_bytes: send at most so many at once, and let the loop run in between.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        received: Callable[[bytes], None],
        lost: Callable[[OSError | None], None],
        segment_bytes: int | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received, self._lost = received, lost
        self._segment_bytes = segment_bytes
        self._queue: deque[_Piece] = deque()
        self._last_due_ns = self._stalled_until_ns = 0
        self._waiting: Deadline | asyncio.Handle | None = None
        self._resuming: Deadline | None = None
        self._blocked = self._paused = False
        self.closed = self.mute = False
        self._set_reading()

    def send(self, data: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        """
        Send after all before it and not before ``delay_ns`` from now; ``b""`` ends our side.

        ``written`` is told when the last byte of it went to the kernel.
        """
        if self.closed or self.mute:
            return
        self._last_due_ns = max(self._last_due_ns, time.monotonic_ns() + delay_ns)
        self._queue.append(_Piece(memoryview(data), self._last_due_ns, written))
        if self._waiting is None and not self._blocked:
            self._pump()

    def stall(self, duration_ns: int) -> None:
        """Let nothing out or in for so long, then all at once."""
        self._stalled_until_ns = max(self._stalled_until_ns, time.monotonic_ns() + duration_ns)
        self._set_reading()

    def pause_reading(self) -> None:
        """Leave what comes in the kernel."""
        self._paused = True
        self._set_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._paused = False
        self._set_reading()

    def end_now(self) -> None:
        """End our side at once (a FIN), whatever was queued."""
        self._queue.clear()
        self._stalled_until_ns = self._last_due_ns = 0
        self.send(b"")
        self._writable()

    def reset(self) -> None:
        """Close with a RST: SO_LINGER of 0 s."""
        if not self.closed:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self, error: OSError | None = None) -> None:
        """Close the socket; nothing is called after ``lost``."""
        if self.closed:
            return
        self.closed = True
        self._queue.clear()
        for handle in (self._waiting, self._resuming):
            if handle is not None:
                handle.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._lost(error)

    def _pump(self) -> None:
        self._waiting = None
        while self._queue and not self.closed:
            piece = self._queue[0]
            due_ns = max(piece.due_ns, self._stalled_until_ns)
            if time.monotonic_ns() < due_ns:
                self._waiting = shared_deadlines().call_at(due_ns, lambda _: self._pump())
                return
            if not self._write(piece):
                return
            if self._segment_bytes and self._queue:
                self._waiting = self._loop.call_soon(self._pump)
                return

    def _write(self, piece: _Piece) -> bool:
        """Write a piece or a segment of it; say whether to go on."""
        try:
            if piece.data:
                piece.data = piece.data[self._socket.send(piece.data[: self._segment_bytes]) :]
            else:
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._blocked = True
            self._loop.add_writer(self._socket, self._writable)
            return False
        except OSError as error:
            self.close(error)
            return False
        if not piece.data and self._queue:
            self._queue.popleft()
            if piece.written is not None:
                piece.written(time.monotonic_ns())
        return True

    def _writable(self) -> None:
        if self.closed:
            return
        self._blocked = False
        self._loop.remove_writer(self._socket)
        if self._waiting is not None:
            self._waiting.cancel()
        self._pump()

    def _set_reading(self) -> None:
        if self.closed:
            return
        stalled = time.monotonic_ns() < self._stalled_until_ns
        if stalled:
            if self._resuming is not None:
                self._resuming.cancel()
            deadlines = shared_deadlines()
            self._resuming = deadlines.call_at(self._stalled_until_ns, lambda _: self._set_reading())
        if not stalled and not self._paused:
            self._loop.add_reader(self._socket, self._read)
        else:
            self._loop.remove_reader(self._socket)

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.close(error)
            return
        if not self.mute:
            self._received(data)
        if not data:
            self.close()
