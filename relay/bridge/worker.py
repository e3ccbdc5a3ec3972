"""
A worker process: the bridges that the front drives, mostly one, and gone when they are or the front is.

Nothing ends it but that: signals are for the front, which decides what becomes of calls. That the front is gone is seen
by its ends of all pairs being closed, whatever it died of.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import structlog
import uvloop

from relay.bridge.driver import Driver, room_module
from relay.bridge.messages import FROM_FRONT, SEAT_FROM_FRONT, Configure, Order
from relay.providers.registry import adapter_class

GONE_S: Final = 1.5
"""A worker whose pairs are closed has exited after so long, whatever it still does."""
STALLED_S: Final = 30.0
"""So does one whose loop stands still for so long, even if that is in native code that lets no other thread run."""

OOM_SCORE: Final = Path("/proc/self/oom_score_adj")

Configuring: TypeAlias = Callable[[Configure], Callable[[str], None]]
"""Lets the process log as it is told, and returns what keeps one more text out of its log."""

log = structlog.get_logger(__name__)


def run(descriptor: int, configure: Configuring, *, gone_s: float = GONE_S, stalled_s: float = STALLED_S) -> int:
    """
    Be a worker until there is nothing more to do; then end the process with ``os._exit``.

    Ending it as others do would wait for threads, and native code has threads that never end.

    Args:
        descriptor: of this end of the first pair, inherited. It is made close-on-exec.
        configure: called once.
        gone_s: as ``GONE_S``.
        stalled_s: as ``STALLED_S``.

    Returns:
        The exit code: 0 if the bridges or the front ended, 1 if something else did.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _prepare_for_the_worst()
    pair = socket.socket(fileno=descriptor)
    pair.set_inheritable(False)
    watched = [os.dup(descriptor)]
    threading.Thread(target=_exit_behind, args=(watched, gone_s), daemon=True).start()
    loop = uvloop.new_event_loop()
    is_broken = loop.run_until_complete(_work(pair, configure, watched, stalled_s))
    return int(is_broken)  # the loop is not closed: that waits for threads, too


def _prepare_for_the_worst() -> None:
    """What kills a process should kill this one, a call or few, say where it was, and keep no token on a disk."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # Linux's alone; to offer oneself needs no right
        OOM_SCORE.write_text("500")


async def _work(pair: socket.socket, configure: Configuring, watched: list[int], stalled_s: float) -> bool:
    beating = asyncio.create_task(_beat(stalled_s))
    worker = Worker(pair, configure, watched)
    await worker.over()
    beating.cancel()
    return worker.is_broken


async def _beat(stalled_s: float) -> None:
    """
    Put off, as long as the loop runs, the moment at which the process is ended from a thread without Python.

    Who was stopped for so long is ended as they go on, nearly always: that thread is awake as soon as the loop.
    """
    while True:
        faulthandler.dump_traceback_later(stalled_s, exit=True)
        await asyncio.sleep(stalled_s / 4)


def _exit_behind(watched: Sequence[int], gone_s: float) -> None:
    """A thread of its own: the loop may be what does not end."""
    for descriptor in watched:  # one after the other, for all must be; there come more before the first is closed
        closing = select.poll()
        closing.register(descriptor, 0)  # nothing but that the pair is closed, at either end
        closing.poll()
    time.sleep(gone_s)
    os._exit(1)


class Worker:
    """
    The process of some bridges, each driven over a pair of its own; made on a running loop.

    Args:
        pair: this end of the first.
        configure: as in ``run``.
        watched: where a descriptor of each further pair is put, too. It is open for as long as the process is: the
            number of one that is closed soon belongs to something else.
    """

    _keep_out: Callable[[str], None]

    def __init__(self, pair: socket.socket, configure: Configuring, watched: list[int]) -> None:
        self._configure = configure
        self._watched = watched
        self._driving: set[asyncio.Task[None]] = set()
        self.is_broken = False
        """A bridge was ended by something else than itself or the front."""
        self._drive(pair, FROM_FRONT)

    async def over(self) -> None:
        """Return when there is nothing more to do."""
        while self._driving:
            await asyncio.wait(self._driving)

    def make_ready(self, configuration: Configure) -> None:
        """As ``driver.Process.make_ready``."""
        self._keep_out = self._configure(configuration)
        for kind in configuration.rooms:
            room_module(kind)
        for carrier in configuration.carriers:
            adapter_class(carrier)
        gc.collect()
        gc.freeze()  # a collection during a call need not look at all that was loaded before

    def seat(self, pair: socket.socket) -> None:
        """As ``driver.Process.seat``."""
        self._watched.append(os.dup(pair.fileno()))
        self._drive(pair, SEAT_FROM_FRONT)

    def keep_secret(self, text: str) -> None:
        """As ``driver.Process.keep_secret``; of a call that is over, too."""
        self._keep_out(text)

    def _drive(self, pair: socket.socket, incoming: Order) -> None:
        task = asyncio.get_running_loop().create_task(self._until_over(Driver(pair, self, incoming=incoming)))
        self._driving.add(task)
        task.add_done_callback(self._driving.discard)

    async def _until_over(self, driver: Driver) -> None:
        try:
            await driver.over()
        except BaseException as error:  # one bridge's matter; a panic of native code is no Exception
            log.exception("worker_broke", error=repr(error))
            self.is_broken = True
