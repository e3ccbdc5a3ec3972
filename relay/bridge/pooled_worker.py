"""One worker as its front has it: the process and our ends of its pairs, until nothing of either is left."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import IO, Final, Protocol

import structlog

from relay.bridge.handoff import Channel
from relay.bridge.messages import FROM_WORKER, SEAT_FROM_WORKER, FromFront, FromWorker, Order, Seat
from relay.bridge.worker_process import WorkerProcess, how_it_ended

EXIT_S: Final = 3.0
"""A worker ends by itself within 2 s of its last word, or of the end of its pairs; after so long it is killed."""
LAST_WORDS_S: Final = 0.2
"""What a worker said before it ended is read for so long, should somebody else hold its end of a pair open."""

log = structlog.get_logger(__name__)


class WorkerOwner(Protocol):
    """Who follows what is said in a seat: first whoever keeps it as a spare, then its bridge."""

    def worker_told(self, message: FromWorker) -> None:
        """Take the next message. What this raises ends the pair."""

    def worker_lost(self, detail: str) -> None:
        """Nothing comes from it any more. Told once, unless ``kill`` came first; also if all is in order."""


class _Nobody:
    """Follows a seat that is over."""

    def worker_told(self, message: FromWorker) -> None:
        raise ValueError(f"worker: expected no {type(message).__name__} when it has said its last word")

    def worker_lost(self, detail: str) -> None:
        """In order: it has said so before."""


_NOBODY: Final = _Nobody()


class WorkerSeat:
    """
    A place for one bridge in a worker: our end of the pair that it is driven over.

    Args:
        worker: whose it is.
        pair: our end; the seat's own from now on.
        incoming: what the worker may say.
        owner: told what it says, from the loop.
    """

    def __init__(self, worker: PooledWorker, pair: socket.socket, incoming: Order, owner: WorkerOwner) -> None:
        self.owner = owner
        self.is_lost = False
        """Nothing that is sent will be read."""
        self.is_over = False
        """It needs the process no longer."""
        self.gone = asyncio.Event()
        """Nothing of it is left here. What is left in a process that has other bridges, ends with them."""
        self._worker = worker
        self._channel = Channel(
            pair,
            incoming=incoming,
            on_message=lambda message, _: self.owner.worker_told(message),
            on_closed=self.lose,
        )

    @property
    def pid(self) -> int:
        """The process it is in."""
        return self._worker.pid

    @property
    def is_usable(self) -> bool:
        """What is sent may still be read: the process has not ended, also where the loop has not come to that yet."""
        return not self.is_lost and not self.is_closed and not self._worker.has_exited

    @property
    def is_closed(self) -> bool:
        """Nothing comes over the pair any more."""
        return self._channel.is_closed

    def send(self, message: FromFront, descriptor: int | None = None) -> None:
        """As ``Channel.send``."""
        self._channel.send(message, descriptor)

    def expect_exit(self, *, is_sound: bool = True) -> None:
        """
        It has said its last word: the process is killed if that was the last of all, and it does not end soon.

        ``is_sound``: other bridges may still come to it.
        """
        self.is_over = True
        self.owner = _NOBODY  # who has had it is not kept for as long as the process has others
        if not is_sound:
            self._worker.retire("a bridge of its process has left something behind")
        self._worker.settle()

    def kill(self) -> None:
        """End it now. No other bridge comes to its process, which is killed as soon as it has none."""
        self.close()
        self._worker.give_up(self)

    def close(self) -> None:
        """Close the pair, which ends what is driven over it; ``settle`` is to follow."""
        self.is_lost = self.is_over = True
        self._channel.close()

    def lose(self, detail: str) -> None:
        """Nothing comes any more: say so."""
        is_early = not self.is_over
        was_lost = self.is_lost
        self.close()
        if not was_lost:
            self.owner.worker_lost(detail)
        if is_early:
            self._worker.retire(detail)
        self._worker.settle()


class PooledWorker:
    """
    A worker that has been started.

    Args:
        command: as ``WorkerProcess``.
        owner: of each seat, until it is given to somebody else.
        seats: for so many bridges in its life.
        on_gone: told when its process is reaped, and its pairs closed.
        log: as ``WorkerProcess``.

    Raises:
        OSError: it could not be started. Nothing is held.
    """

    def __init__(
        self,
        command: Sequence[str],
        owner: WorkerOwner,
        *,
        seats: int = 1,
        on_gone: Callable[[PooledWorker], None],
        log: IO[str] | None = None,
    ) -> None:
        self._owner = owner
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_killed = False
        self._status: int | None = None
        self.gone = asyncio.Event()
        """Nothing of it is left here."""
        with contextlib.ExitStack() as stack:
            pairs = [_pair(stack) for _ in range(seats)]
            self._process = WorkerProcess(command, pairs[0][1], on_exit=self._on_exit, log=log)
            pairs[0][1].close()
            stack.pop_all()
        self.pid = self._process.pid
        self.seats = [
            WorkerSeat(self, ours, SEAT_FROM_WORKER if number else FROM_WORKER, owner)
            for number, (ours, _) in enumerate(pairs)
        ]
        for _, theirs in pairs[1:]:
            self.seats[0].send(Seat(), theirs.detach())

    @property
    def has_exited(self) -> bool:
        """As ``WorkerProcess.has_exited``."""
        return self._process.has_exited

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._is_killed = True
        for seat in self.seats:
            seat.close()
        self.settle()

    def give_up(self, seat: WorkerSeat) -> None:
        """A seat was killed, perhaps not for the first time."""
        self._is_killed = True
        self.retire("its process is given up")
        self.settle()
        if not all(each.is_over for each in self.seats):
            seat.gone.set()

    def retire(self, detail: str) -> None:
        """Let no other bridge come to it: who has its unused seats loses them."""
        for seat in self.seats:
            if seat.owner is self._owner and not seat.is_over:
                seat.lose(detail)

    def settle(self) -> None:
        """Do what is to be done about the process when its seats are over; say that it is gone, if it is."""
        if not all(seat.is_over for seat in self.seats):
            return
        if self._status is None:
            if self._is_killed:
                self._process.kill()
            elif self._timer is None:
                self._timer = self._loop.call_later(EXIT_S, self._kill_late)
        elif all(seat.is_closed and seat.is_lost for seat in self.seats) and not self.gone.is_set():
            self._stop_waiting()
            say = log.info if self._status == 0 or self._is_killed else log.error
            say("worker_gone", pid=self.pid, ended=how_it_ended(self._status))
            self.gone.set()
            for seat in self.seats:
                seat.gone.set()
            self._on_gone(self)

    def _on_exit(self, status: int) -> None:
        self._status = status
        self._stop_waiting()
        if not all(seat.is_closed for seat in self.seats):
            # What it said last is still to be read: the end of each pair comes behind it.
            self._timer = self._loop.call_later(LAST_WORDS_S, self._close_late)
        self.settle()

    def _close_late(self) -> None:
        for seat in self.seats:
            if not seat.is_closed:
                seat.lose("the process has ended, and somebody else holds its end of the pair")

    def _kill_late(self) -> None:
        log.error("worker_killed", pid=self.pid, detail=f"expected it to end within {EXIT_S:g} s")
        self._is_killed = True
        self._process.kill()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    return stack.enter_context(ours), stack.enter_context(theirs)
