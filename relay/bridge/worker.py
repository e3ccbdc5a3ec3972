"""
A worker process: one bridge, driven by the front's messages, and gone when the bridge or the front is.

Nothing ends it but that: signals are for the front, which decides what becomes of calls. That the front is gone is seen
by its end of the pair being closed, whatever it died of.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import importlib
import os
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias, cast

import structlog
import uvloop

from relay.bridge import events, messages
from relay.bridge.bridge import Bridge
from relay.bridge.handoff import Channel
from relay.bridge.in_process import InProcessBridge, as_told
from relay.providers.base import MediaAdapter
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Room
from relay.transfers.ports import MediaSocket
from relay.transfers.reasons import Reason

GONE_S: Final = 1.5
"""A worker whose pair is closed has exited after so long, whatever it still does."""
STALLED_S: Final = 30.0
"""So does one whose loop stands still for so long, even if that is in native code that lets no other thread run."""
SAID_S: Final = 0.5
"""What the front gets to read the last message."""
DETAIL_MAX: Final = 1000
"""Characters of a text that says why."""

OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
ADAPTERS: Final[Mapping[str, Callable[[], MediaAdapter]]] = {"twilio": TwilioAdapter}

Configuring: TypeAlias = Callable[[messages.Configure, Sequence[str]], None]
"""Lets the process log as it is told, without any of the texts that follow."""

log = structlog.get_logger(__name__)


def run(descriptor: int, configure: Configuring, *, gone_s: float = GONE_S, stalled_s: float = STALLED_S) -> int:
    """
    Be a worker until there is nothing more to do; then end the process with ``os._exit``.

    Ending it as others do would wait for threads, and native code has threads that never end.

    Args:
        descriptor: of this end of the pair, inherited. It is made close-on-exec.
        configure: called once with each ``Configure``, and again with more secrets.
        gone_s: as ``GONE_S``.
        stalled_s: as ``STALLED_S``.

    Returns:
        The exit code: 0 if the bridge or the front ended, 1 if something else did.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _prepare_for_the_worst()
    pair = socket.socket(fileno=descriptor)
    pair.set_inheritable(False)
    threading.Thread(target=_exit_behind, args=(descriptor, gone_s), daemon=True).start()
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(_work(pair, configure, stalled_s))
    except Exception as error:
        log.exception("worker_broke", error=repr(error))
        return 1
    return 0  # the loop is not closed: that waits for threads, too


def _prepare_for_the_worst() -> None:
    """What kills a process should kill this one, which is one call, say where it was, and keep no token on a disk."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # Linux's alone; to offer oneself needs no right
        OOM_SCORE.write_text("500")


async def _work(pair: socket.socket, configure: Configuring, stalled_s: float) -> None:
    beating = asyncio.create_task(_beat(stalled_s))
    await Worker(pair, configure).over()
    beating.cancel()


async def _beat(stalled_s: float) -> None:
    """
    Put off, as long as the loop runs, the moment at which the process is ended from a thread without Python.

    Who was stopped for so long is ended as they go on, nearly always: that thread is awake as soon as the loop.
    """
    while True:
        faulthandler.dump_traceback_later(stalled_s, exit=True)
        await asyncio.sleep(stalled_s / 4)


def _exit_behind(descriptor: int, gone_s: float) -> None:
    """A thread of its own: the loop may be what does not end."""
    closing = select.poll()
    closing.register(descriptor, 0)  # nothing but that the pair is closed, at either end
    closing.poll()
    time.sleep(gone_s)
    os._exit(1)


class Worker:
    """
    What the front's messages do; made on a running loop.

    Args:
        pair: this end of the pair.
        configure: as in ``run``.
    """

    def __init__(self, pair: socket.socket, configure: Configuring) -> None:
        self._configure = configure
        self._configuration = messages.Configure()
        self._bridge: InProcessBridge | None = None
        self._minted: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = Channel(
            pair, incoming=messages.FROM_FRONT, on_message=self._handle, on_closed=self._front_is_gone
        )

    async def over(self) -> None:
        """
        Return when there is nothing more to do.

        Raises:
            Exception: what broke it.
        """
        try:
            await self._over
        finally:
            self._channel.close()

    def _handle(self, message: messages.FromFront, descriptor: int | None) -> None:
        match message:
            case messages.Configure():
                self._make_ready(message)
            case messages.Assign():
                self._bridge = self._make_bridge(message)
            case _ if self._bridge is not None:  # always: an Assign comes first
                self._drive(self._bridge, message, descriptor)

    def _make_ready(self, configuration: messages.Configure) -> None:
        self._configuration = configuration
        self._configure(configuration, configuration.secrets)
        for kind in configuration.rooms:
            room_module(kind)
        gc.collect()
        gc.freeze()  # a collection during a call need not look at all that was loaded before
        self._channel.send(messages.Ready(os.getpid()))

    def _make_bridge(self, order: messages.Assign) -> InProcessBridge:
        self._keep_secret(order.room.token)
        bridge = Bridge(
            room_of(order.room, mint_token=self._take_minted),
            transfer_id=order.transfer_id,
            on_event=self._tell,
            settings=order.settings,
            customer_id=order.customer_id,
            bot_id=order.bot_id,
            held=order.held,
        )
        return InProcessBridge(bridge, lambda provider: ADAPTERS[provider]())

    def _keep_secret(self, token: str | None) -> None:
        """No log line may have it from here on."""
        if token is not None:
            self._configure(self._configuration, (*self._configuration.secrets, token))

    async def _take_minted(self) -> str | None:
        token, self._minted = self._minted, None
        return token

    def _drive(self, bridge: InProcessBridge, message: messages.FromFront, descriptor: int | None) -> None:
        match message:
            case messages.Join(token):
                self._keep_secret(token)
                self._minted = token
                self._start(bridge.join())
            case messages.HandOver(request, provider) if descriptor is not None:  # always
                bridge.hand_over(MediaSocket(descriptor, request, provider))
            case messages.Ring():
                bridge.ring()
            case messages.Admit():
                bridge.admit()
            case messages.End(reason, detail):
                bridge.end(reason, detail)

    def _tell(self, event: events.BridgeEvent) -> None:
        told = as_told(event)
        if told is not None:
            self._channel.send(messages.Told(_shortened(told)))
        elif isinstance(event, events.Statistics):
            self._channel.send(messages.Statistics(event.stats))
        elif isinstance(event, events.Ended):
            self._start(self._finish(event))

    async def _finish(self, ended: events.Ended) -> None:
        """The bridge is over: so are its connections, and this process."""
        if self._bridge is not None:
            await self._bridge.release(ended.reason)
        self._channel.send(messages.Over(_shortened(ended)))
        await asyncio.wait([asyncio.ensure_future(self._channel.flush())], timeout=SAID_S)
        self._finished(None)

    def _front_is_gone(self, detail: str) -> None:
        if self._bridge is None:
            self._finished(None)
            log.info("front_gone", detail=detail)  # as a spare's is, when the service stops
        else:
            self._bridge.end(Reason.NODE_LOST, detail)
            log.warning("front_lost", detail=detail)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._finished(error)

    def _finished(self, error: BaseException | None) -> None:
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)


def room_module(kind: messages.RoomKind) -> ModuleType:
    """The code of a kind of rooms. It is loaded when it is needed: Daily's SDK is most of a process's memory."""
    return importlib.import_module(f"relay.rooms.{kind}")


def room_of(spec: messages.RoomSpec, *, mint_token: Callable[[], Awaitable[str | None]]) -> Room:
    """A place in a room, not joined yet; ``mint_token``: asked for a token when it is joined, if ``spec`` has none."""
    module = room_module(spec.kind)
    if spec.kind == "daily":
        backend = module.Backend(spec.backend)
        room = module.DailyRoom(spec.url, token=spec.token, name=spec.name, backend=backend, mint_token=mint_token)
    else:
        room = module.LocalRoom(spec.url, name=spec.name)
    return cast("Room", room)


def _shortened(event: Any) -> Any:
    """The event, its text of a length and a kind that can be sent."""
    if not hasattr(event, "detail"):
        return event
    detail: str = event.detail[:DETAIL_MAX]
    return replace(event, detail=detail.encode("utf-8", "backslashreplace").decode())
