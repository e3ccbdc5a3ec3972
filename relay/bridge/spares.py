"""Places in workers that nobody uses yet: kept ready, workers started one by one, given out to who waits longest."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from relay.bridge.messages import FromWorker, Ready
from relay.bridge.pooled_worker import PooledWorker, WorkerOwner, WorkerSeat
from relay.errors import Overloaded
from relay.transfers.clock import CallLater, Timer

START_S: Final = 10.0
"""A worker that is not ready after so long will not be: it takes some tenths of a second."""
STARTING_MAX: Final = 2
"""Workers that start at the same time: each takes as much of a core as it can get, and calls need theirs."""
FAILURES_MAX: Final = 3
"""Deaths in a row after which nobody is let wait for a worker any longer."""
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MAX_S: Final = 30.0
STEADY_S: Final = 60.0
"""A spare that dies after it has been ready for so long is no sign that workers cannot be started."""
PACE_OF: Final = 4
"""About so many of the last starts say how long one takes now."""
RETRY_AFTER_S: Final = 5.0
"""When it is worth asking again for a worker."""
_DYING: Final = "workers die as soon as they are started: see the log"
_GONE: Final = "the worker that was to be taken has ended in this very moment"
_CLOSED: Final = "the service is shutting down"

log = structlog.get_logger(__name__)


class Spares:
    """
    Starts workers, and has some seats ready.

    Args:
        start: starts one, for this owner; ``OSError``: it could not.
        seats: that each has.
        wanted: how many seats are to be ready when nobody waits.
        call_later: the clock of starts and of the pauses after failures.
        now_s: the same clock's time.
    """

    def __init__(
        self,
        start: Callable[[WorkerOwner], PooledWorker],
        *,
        seats: int,
        wanted: Callable[[], int],
        call_later: CallLater,
        now_s: Callable[[], float],
    ) -> None:
        self._start = start
        self._seats = seats
        self._wanted = wanted
        self._call_later = call_later
        self._now_s = now_s
        self._starting: dict[_Unused, Timer] = {}
        self._ready: deque[WorkerSeat] = deque()
        self._waiting: deque[asyncio.Future[WorkerSeat]] = deque()
        self._pause: Timer | None = None
        self._failures = 0
        self._start_s = 0.0
        """What a start takes, as the last ones did; 0 before the first."""
        self._is_open = False
        self._changed = asyncio.Event()

    @property
    def ready_count(self) -> int:
        """Seats that can be had at once."""
        return len(self._ready)

    @property
    def is_failing(self) -> bool:
        """There is none, and those that were started have died, one after the other."""
        return not self._ready and self._failures >= FAILURES_MAX

    def open(self) -> None:
        """Begin to start them."""
        self._is_open = True
        self.fill()

    def close(self) -> None:
        """End them all, and let nobody wait any longer."""
        self._is_open = False
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for timer in self._starting.values():
            timer.cancel()
        # They hold nothing, and have nobody to say goodbye to.
        while self._starting:
            self._starting.popitem()[0].worker.kill()
        while self._ready:
            self._ready.popleft().kill()
        self._refuse_all(_CLOSED)
        self._changed.set()

    async def until_full(self) -> None:
        """Wait until as many are ready as are wanted, or more, or there will be none any longer."""
        while self._is_open and len(self._ready) < self._wanted():
            self._changed.clear()
            await self._changed.wait()

    async def take(self, *, within_s: float) -> WorkerSeat:
        """
        Take one for good: a spare at once, or the next that is ready.

        Raises:
            Overloaded: none comes up in time, or none will. At once, if those who wait already need all of that time.
        """
        if not self._is_open:
            raise Overloaded(_CLOSED, retry_after_s=RETRY_AFTER_S)
        while self._ready:
            seat = self._ready.popleft()
            asyncio.get_running_loop().call_soon(self.fill)  # whoever takes it does not wait for the next to be started
            if seat.is_usable:
                self._failures = 0
                return seat
        if self.is_failing:
            raise Overloaded(_DYING, retry_after_s=RETRY_AFTER_S)
        self._refuse_what_comes_too_late(within_s)
        waiting: asyncio.Future[WorkerSeat] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.fill()
        return self._checked(await self._await(waiting, within_s))

    def fill(self) -> None:
        """Start what is missing: for who waits as many as may be at a time, spares one by one."""
        at_most = STARTING_MAX if not self._failures else 1  # what has failed is tried with one
        while self._may_start and len(self._starting) < min(math.ceil(len(self._waiting) / self._seats), at_most):
            self._start_one()
        # After a failure one is tried though none is wanted: nobody waits while they die, so nobody would ask for it.
        wanted = max(self._wanted(), 1 if self._failures else 0)
        if self._may_start and not self._starting and len(self._ready) < wanted:
            self._start_one()
        self._changed.set()

    # What becomes of one that was started

    def ready(self, unused: _Unused) -> None:
        """It can be used: by who waits longest, if somebody does."""
        self._starting.pop(unused).cancel()
        self._start_s += (self._now_s() - unused.since_s - self._start_s) / PACE_OF
        log.debug("worker_ready", pid=unused.worker.pid, after_s=round(self._now_s() - unused.since_s, 3))
        unused.since_s = self._now_s()
        for seat in unused.worker.seats:
            self._offer(seat)
        self.fill()

    def lost(self, unused: _Unused, detail: str) -> None:
        """It died, or has no place for anybody any more; told of each of its seats that is not used."""
        if unused.is_lost or not self._is_open:
            return
        unused.is_lost = True
        timer = self._starting.pop(unused, None)
        if timer is not None:
            timer.cancel()
            self._failed("worker_not_started", detail, unused.worker.pid)
            return
        for seat in unused.worker.seats:
            if seat in self._ready:  # else it is used, or somebody is about to have it
                self._ready.remove(seat)
        if unused.had_bridges:
            self.fill()
            return
        if self._now_s() - unused.since_s >= STEADY_S:
            self._failures = 0
        self._failed("spare_lost", detail, unused.worker.pid)

    # Inside

    @property
    def _may_start(self) -> bool:
        return self._is_open and self._pause is None

    def _offer(self, seat: WorkerSeat) -> None:
        if self._waiting:
            self._failures = 0
            self._waiting.popleft().set_result(seat)
        else:
            self._ready.append(seat)

    def _refuse_what_comes_too_late(self, within_s: float) -> None:
        needed_s = len(self._waiting) * self._start_s / (STARTING_MAX * self._seats)
        if needed_s > within_s:
            waiting = f"{len(self._waiting)} transfers that wait for theirs"
            raise Overloaded(f"expected a worker within {within_s:g} s, got {waiting}", retry_after_s=needed_s)

    async def _await(self, waiting: asyncio.Future[WorkerSeat], within_s: float) -> WorkerSeat:
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(waiting)
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.exception() is None:  # it came in this very moment
                self._give_back(waiting.result())
            if isinstance(error, TimeoutError):
                raise Overloaded(f"no worker was ready within {within_s:g} s", retry_after_s=RETRY_AFTER_S) from None
            raise

    def _checked(self, seat: WorkerSeat) -> WorkerSeat:
        """It, unless it has died since it was given out, or all is over."""
        if self._is_open and seat.is_usable:
            return seat
        seat.kill()
        raise Overloaded(_GONE if self._is_open else _CLOSED, retry_after_s=RETRY_AFTER_S)

    def _give_back(self, seat: WorkerSeat) -> None:
        if not (seat.is_usable and self._is_open):
            seat.kill()
        else:
            self._offer(seat)
            self.fill()

    def _start_one(self) -> None:
        unused = _Unused(self, self._now_s())
        try:
            unused.worker = self._start(unused)
        except OSError as error:
            self._failed("worker_not_started", str(error), None)
            return
        self._starting[unused] = self._call_later(START_S, lambda: self._late(unused))

    def _late(self, unused: _Unused) -> None:
        unused.worker.kill()
        self.lost(unused, f"expected it to be ready within {START_S:g} s")

    def _failed(self, what: str, detail: str, pid: int | None) -> None:
        self._failures += 1
        pause_s = min(BACKOFF_FIRST_S * 2 ** min(self._failures - 1, 10), BACKOFF_MAX_S)
        log.error(what, pid=pid, detail=detail, in_a_row=self._failures, next_in_s=pause_s)
        if self.is_failing:
            self._refuse_all(_DYING)
        if self._pause is None:
            self._pause = self._call_later(pause_s, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self.fill()

    def _refuse_all(self, why: str) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(Overloaded(why, retry_after_s=RETRY_AFTER_S))
        self._waiting.clear()


class _Unused:
    """
    The owner of those seats of a worker that have no bridge yet.

    Args:
        spares: told what becomes of it.
        since_s: when it was started, or became ready.
    """

    worker: PooledWorker

    def __init__(self, spares: Spares, since_s: float) -> None:
        self._spares = spares
        self.since_s = since_s
        self.is_lost = False

    @property
    def had_bridges(self) -> bool:
        """It is no mere spare: what becomes of it does not tell whether workers can be started."""
        return any(seat.owner is not self for seat in self.worker.seats)

    def worker_told(self, message: FromWorker) -> None:
        """As ``WorkerOwner.worker_told``."""
        match message:
            case Ready():
                self._spares.ready(self)
            case _:
                raise ValueError(f"worker: expected no {type(message).__name__} without a transfer")

    def worker_lost(self, detail: str) -> None:
        """As ``WorkerOwner.worker_lost``."""
        self._spares.lost(self, detail)
