"""One bridge of a worker: driven by what the front says over one pair, and over when it or the front is."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from types import ModuleType
from typing import Any, Final, Protocol, cast

import structlog

from relay.bridge import events, messages
from relay.bridge.bridge import Bridge
from relay.bridge.handoff import Channel
from relay.bridge.in_process import InProcessBridge, as_told
from relay.providers.registry import adapter_class
from relay.rooms.base import Room
from relay.transfers.ports import MediaSocket
from relay.transfers.reasons import Reason

SAID_S: Final = 0.5
"""What the front gets to read the last message."""
DETAIL_MAX: Final = 1000
"""Characters of a text that says why."""

log = structlog.get_logger(__name__)


class Process(Protocol):
    """What a bridge shares with the others of its process."""

    def make_ready(self, configuration: messages.Configure) -> None:
        """Log as it is told, and load what bridges need."""

    def seat(self, pair: socket.socket) -> None:
        """Let one more bridge be driven, over this pair."""

    def keep_secret(self, text: str) -> None:
        """No log line may have it from here on."""


class Driver:
    """
    What the front's messages do to one bridge; made on a running loop.

    Args:
        pair: this end of the pair.
        process: the one that it is in.
        incoming: what the front may say.
    """

    def __init__(self, pair: socket.socket, process: Process, *, incoming: messages.Order) -> None:
        self._process = process
        self._bridge: InProcessBridge | None = None
        self._minted: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel = Channel(pair, incoming=incoming, on_message=self._handle, on_closed=self._pair_is_closed)

    async def over(self) -> None:
        """
        Return when there is nothing more to do.

        Raises:
            BaseException: what broke it. The bridge is ended, but not waited for.
        """
        try:
            await self._over
        except BaseException as error:
            if self._bridge is not None:
                self._bridge.end(Reason.INTERNAL_ERROR, repr(error))
            raise
        finally:
            self._channel.close()

    def _handle(self, message: messages.FromFront, descriptor: int | None) -> None:
        match message:
            case messages.Seat() if descriptor is not None:  # always
                self._process.seat(socket.socket(fileno=descriptor))
            case messages.Configure():
                self._process.make_ready(message)
                self._channel.send(messages.Ready(os.getpid()))
            case messages.Assign():
                self._bridge = self._make_bridge(message)
            case _ if self._bridge is not None:  # always: an Assign comes first
                self._drive(self._bridge, message, descriptor)

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
        return InProcessBridge(bridge, lambda carrier: adapter_class(carrier)())

    def _keep_secret(self, token: str | None) -> None:
        if token is not None:
            self._process.keep_secret(token)

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
            case messages.SendDigits(digits):
                bridge.send_digits(digits)
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
        """The bridge is over: so are its connections."""
        if self._bridge is not None:
            await self._bridge.release(ended.reason)
        self._channel.send(messages.Over(_shortened(ended)))
        await asyncio.wait([asyncio.ensure_future(self._channel.flush())], timeout=SAID_S)
        self._finished(None)

    def _pair_is_closed(self, detail: str) -> None:
        """The front is gone, or gives this bridge up; a spare's is, when the service stops."""
        if self._bridge is None:
            self._finished(None)
            log.info("pair_closed", detail=detail, has_bridge=False)
        else:
            self._bridge.end(Reason.NODE_LOST, detail)
            log.warning("pair_closed", detail=detail, has_bridge=True)

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
