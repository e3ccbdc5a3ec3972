"""One worker as its front has it: the process and our end of the pair, until neither is left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import IO, Final, Protocol

import structlog

from relay.bridge.handoff import Channel
from relay.bridge.messages import FROM_WORKER, FromFront, FromWorker
from relay.bridge.worker_process import WorkerProcess, how_it_ended

EXIT_S: Final = 3.0
"""A worker ends by itself within 2 s of its last word, or of the end of the pair; after so long it is killed."""
LAST_WORDS_S: Final = 0.2
"""What a worker said before it ended is read for so long, should somebody else hold its end of the pair open."""

log = structlog.get_logger(__name__)


class WorkerOwner(Protocol):
    """Who follows what a worker says: first whoever keeps it as a spare, then its bridge."""

    def worker_told(self, message: FromWorker) -> None:
        """Take the next message. What this raises ends the pair."""

    def worker_lost(self, detail: str) -> None:
        """Nothing comes from it any more. Told once, unless ``kill`` or ``end`` came first; also if all is in order."""


class PooledWorker:
    """
    A worker that has been started.

    Args:
        command: as ``WorkerProcess``.
        owner: told what it says, from the loop.
        on_gone: told when its process is reaped, and its pair closed.
        log: as ``WorkerProcess``.

    Raises:
        OSError: it could not be started. Nothing is held.
    """

    def __init__(
        self,
        command: Sequence[str],
        owner: WorkerOwner,
        *,
        on_gone: Callable[[PooledWorker], None],
        log: IO[str] | None = None,
    ) -> None:
        self.owner = owner
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False
        self._is_killed = False
        self._status: int | None = None
        self.gone = asyncio.Event()
        """Nothing of it is left here."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = WorkerProcess(command, theirs, on_exit=self._on_exit, log=log)
        except BaseException:
            ours.close()
            raise
        self.pid = self._process.pid
        self._channel = Channel(
            ours,
            incoming=FROM_WORKER,
            on_message=lambda message, _: self.owner.worker_told(message),
            on_closed=self._on_closed,
        )

    @property
    def is_lost(self) -> bool:
        """Nothing that is sent will be read."""
        return self._is_lost or self._process.has_exited

    def send(self, message: FromFront, descriptor: int | None = None) -> None:
        """As ``Channel.send``."""
        self._channel.send(message, descriptor)

    def expect_exit(self) -> None:
        """It has said its last word: it is killed if it does not end by itself soon."""
        if self._timer is None and self._status is None:
            self._timer = self._loop.call_later(EXIT_S, self._kill_late)

    def end(self) -> None:
        """Close the pair, which tells the worker to end by itself, soon."""
        self._is_lost = True
        self._channel.close()
        self.expect_exit()
        self._settle()

    def kill(self) -> None:
        """End it now."""
        self._is_lost = self._is_killed = True
        self._channel.close()
        if self._status is None:
            self._process.kill()
        self._settle()

    def _on_closed(self, detail: str) -> None:
        self.expect_exit()
        self._lose(detail)
        self._settle()

    def _on_exit(self, status: int) -> None:
        self._status = status
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._channel.is_closed:
            # What it said last is still to be read: the end of the pair comes behind it.
            self._timer = self._loop.call_later(LAST_WORDS_S, self._close_late)
        self._settle()

    def _close_late(self) -> None:
        self._channel.close()
        self._lose("the process has ended, and somebody else holds its end of the pair")
        self._settle()

    def _kill_late(self) -> None:
        log.error("worker_killed", pid=self.pid, detail=f"expected it to end within {EXIT_S:g} s")
        self._is_killed = True
        self._process.kill()

    def _lose(self, detail: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.owner.worker_lost(detail)

    def _settle(self) -> None:
        """Say that it is gone, if it is, and its owner knows."""
        if self._status is None or not self._channel.is_closed or not self._is_lost or self.gone.is_set():
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        say = log.info if self._status == 0 or self._is_killed else log.error
        say("worker_gone", pid=self.pid, ended=how_it_ended(self._status))
        self.gone.set()
        self._on_gone(self)
