"""
Owns the load: so many calls at a true 20 ms pace, spread evenly over the 20 ms, from one thread with one epoll.

Deadlines are absolute, and kept by a timerfd: epoll's own time-out has steps of a millisecond. How late each frame
was written is part of the result.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from benchmarks.bridge.stream import Heard, Stream
from relay.media.format import PTIME_MS
from relay.rooms.timerfd import Timerfd

PTIME_NS: Final = PTIME_MS * 1_000_000
_BEGIN_IN_NS: Final = 5_000_000


class Load:
    """
    Calls to one server; use as ``with``.

    Args:
        port: of the server, on this machine.
        calls: how many.
        prefixes: the frames that each call says, see ``wire.media_prefixes``.
        keep: whether to keep what is heard, for all calls.
    """

    def __init__(self, port: int, calls: int, prefixes: Sequence[bytes], *, keep: bool = False) -> None:
        self.streams = [Stream(index, port, heard=Heard() if keep else None) for index in range(calls)]
        self.sent_ns: list[int] = []
        self._prefixes = prefixes
        self._by_descriptor = {stream.socket.fileno(): stream for stream in self.streams}
        self._deadline = Timerfd()
        self._epoll = select.epoll()
        for descriptor in (*self._by_descriptor, self._deadline.descriptor):
            self._epoll.register(descriptor, select.EPOLLIN)
        self._start_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self.streams:
            stream.socket.close()
        self._epoll.close()
        self._deadline.close()

    def run(self, frames: int) -> None:
        """
        Say so many more frames on each call, and take what comes meanwhile.

        Raises:
            BlockingIOError, ConnectionError: the server does not keep up, or ended a call.
        """
        if not self._start_ns:
            self._start_ns = time.monotonic_ns() + _BEGIN_IN_NS
        last = len(self.sent_ns) + frames * len(self.streams)
        while len(self.sent_ns) < last:
            self._send_due(last)
            self._deadline.set(self._due_ns(len(self.sent_ns)))
            for descriptor, _ in self._epoll.poll():
                stream = self._by_descriptor.get(descriptor)
                if stream is not None:
                    stream.readable()

    @property
    def received(self) -> int:
        """Media messages that have come, on all calls."""
        return sum(stream.received for stream in self.streams)

    def late_ns(self, first: int) -> list[int]:
        """How much after its deadline each frame was written, from the ``first`` one of all calls on."""
        return [at_ns - self._due_ns(first + number) for number, at_ns in enumerate(self.sent_ns[first:])]

    def sent_by(self, call: int) -> list[int]:
        """When each frame of one call was written."""
        return self.sent_ns[call :: len(self.streams)]

    def _due_ns(self, number: int) -> int:
        return self._start_ns + number * PTIME_NS // len(self.streams)

    def _send_due(self, last: int) -> None:
        calls = len(self.streams)
        number = len(self.sent_ns)
        while number < last and (now_ns := time.monotonic_ns()) >= self._due_ns(number):
            self.sent_ns.append(now_ns)
            self.streams[number % calls].send_media(self._prefixes[number // calls])
            number += 1
