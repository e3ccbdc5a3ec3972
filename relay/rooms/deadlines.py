"""Calls at moments, never early: one timer of the process for all that wait on a loop."""

from __future__ import annotations

import asyncio
import heapq
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import structlog

from relay.rooms.timerfd import Timerfd

_MS_NS: Final = 1_000_000
_CANCELED_MAX: Final = 64

Due: TypeAlias = Callable[[int], None]
"""Called with ``now_ns``, the time of the wake-up: what it waited for others of the same wake-up is not in it."""

log = structlog.get_logger(__name__)


class Deadline:
    """A call that is to come, until it has come or ``cancel``."""

    __slots__ = ("_on_cancel", "due")

    def __init__(self, due: Due, on_cancel: Callable[[], object]) -> None:
        self.due: Due | None = due
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        """Do not call. May be called again, and after the call."""
        if self.due is not None:
            self.due = None
            self._on_cancel()


class Waker(Protocol):
    """Wakes up whoever made it once, at the moment that was set last or later."""

    def set(self, at_ns: int) -> None:
        """Wake up then, or as soon as can be."""

    def close(self) -> None:
        """Wake nobody any longer."""


class TimerfdWaker:
    """
    A timerfd on the running loop.

    Raises:
        OSError: there is none to be had.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._timerfd = Timerfd()
        try:
            loop.add_reader(self._timerfd.descriptor, wake)
        except BaseException:
            self._timerfd.close()
            raise
        self._loop = weakref.ref(loop)  # what is found by its loop must not keep it
        self._finalizer = weakref.finalize(loop, self._timerfd.close)  # a loop that is closed with devices running
        self.set = self._timerfd.set

    def close(self) -> None:
        """As ``Waker.close``; the loop may be closed."""
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._timerfd.descriptor)
        self._finalizer.detach()
        self._timerfd.close()


class LoopWaker:
    """A timer of the running loop: uvloop's have steps of 1 ms, and may be early by one."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._timer: weakref.ref[asyncio.TimerHandle] | None = None  # it has its loop, which must not be kept

    def set(self, at_ns: int) -> None:
        """As ``Waker.set``, and up to 1 ms earlier."""
        self.close()
        # Not call_at: uvloop takes its cached time from that, and is late by what this iteration has taken so far.
        # Up to the next whole ms: uvloop rounds to the nearest, and would wake up to 1 ms early only to wait again.
        delay_ms = -((time.monotonic_ns() - at_ns) // _MS_NS)
        self._timer = weakref.ref(asyncio.get_running_loop().call_later(max(0, delay_ms) / 1000, self._wake))

    def close(self) -> None:
        """As ``Waker.close``."""
        timer = None if self._timer is None else self._timer()
        if timer is not None:
            timer.cancel()
        self._timer = None


class Deadlines:
    """
    All that wait for moments on one loop, and its thread.

    They have one waker, set to the earliest of their moments: a timerfd, or where none can be had a timer of the loop.
    It is there while somebody waits.

    Args:
        wakers: what to try, in order; the last is always to be had.
        now_ns: monotonic.
    """

    def __init__(
        self,
        *,
        wakers: tuple[Callable[[Callable[[], None]], Waker], ...] = (TimerfdWaker, LoopWaker),
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wakers = wakers
        self.now_ns = now_ns
        """Of which they are told."""
        self._heap: list[tuple[int, int, Deadline]] = []
        self._count = 0
        """Of all deadlines there were: of two at the same moment, the one that was set first comes first."""
        self._waiting = 0
        """Those in the heap that have not been canceled."""
        self._waker: Waker | None = None
        self._set_ns: int | None = None
        self._is_awake = False
        self._has_said = False

    def call_at(self, at_ns: int, due: Due) -> Deadline:
        """Call once, at ``at_ns`` or as soon after it as the loop can: a moment that is past is due at once."""
        deadline = Deadline(due, self._forget)
        self._count += 1
        self._waiting += 1
        heapq.heappush(self._heap, (at_ns, self._count, deadline))
        self._settle()
        return deadline

    def _forget(self) -> None:
        self._waiting -= 1
        self._settle()

    def _settle(self) -> None:
        """Have the waker set to the earliest moment, or closed if nobody waits; at the end of a wake-up, once."""
        if self._is_awake:
            return
        if not self._waiting:
            self._heap.clear()
            self._set_ns = None
            if self._waker is not None:
                self._waker.close()
                self._waker = None
            return
        if len(self._heap) > 2 * self._waiting + _CANCELED_MAX:
            self._heap = [entry for entry in self._heap if entry[2].due is not None]
            heapq.heapify(self._heap)
        while self._heap[0][2].due is None:  # it would be a waking for nothing
            heapq.heappop(self._heap)
        at_ns = self._heap[0][0]
        if self._waker is None:
            self._waker = self._open()
        if self._set_ns is None or at_ns < self._set_ns:
            self._waker.set(at_ns)
            self._set_ns = at_ns

    def _open(self) -> Waker:
        for waker in self._wakers[:-1]:
            try:
                return waker(self._wake)
            except OSError as error:
                if not self._has_said:
                    self._has_said = True
                    log.warning("deadlines.no_timerfd", error=str(error), instead="timers of the loop, of 1 ms")
        return self._wakers[-1](self._wake)

    def _wake(self) -> None:
        now_ns = self.now_ns()
        last = self._count  # what is set from now on waits for the next wake-up, so that the loop can do other things
        self._is_awake = True
        try:
            while self._heap and self._heap[0][0] <= now_ns and self._heap[0][1] <= last:
                self._call(heapq.heappop(self._heap)[2], now_ns)
        finally:
            self._is_awake = False
            self._set_ns = None  # a timerfd is readable until it is set again
            self._settle()

    def _call(self, deadline: Deadline, now_ns: int) -> None:
        due, deadline.due = deadline.due, None
        if due is None:
            return
        self._waiting -= 1
        try:
            due(now_ns)
        except Exception as error:  # noqa: BLE001 - as a loop does with its timers: others share this wake-up
            context = {"message": "a deadline's callback raised", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


_deadlines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Deadlines] = weakref.WeakKeyDictionary()


def shared_deadlines() -> Deadlines:
    """The one ``Deadlines`` of the running loop."""
    return _deadlines.setdefault(asyncio.get_running_loop(), Deadlines())
