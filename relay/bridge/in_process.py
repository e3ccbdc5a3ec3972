"""Bridges that run in this process, behind the interface that transfers drive them by."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from relay.bridge import events
from relay.bridge.adopt import adopt
from relay.bridge.bridge import Bridge
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.errors import Overloaded
from relay.providers.base import MediaAdapter
from relay.rooms.base import Room
from relay.transfers import ports
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder

RETRY_AFTER_S: Final = 5.0
"""When it is worth asking again for a bridge: calls end at any time."""


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """
    A place in a room, not joined yet.

    ``one_per_process``: of this kind of room a process can be in one at a time.
    """

    room: Room
    one_per_process: bool = False


class InProcessBridges:
    """
    All bridges of this process.

    Args:
        rooms: the place in a room for an order; must not connect yet.
        adapters: a new adapter of the carrier of that name.
        settings: the bounds of each; the longest duration is the order's.
        bridges_max: so many at a time.
        on_statistics: told once a second, of each bridge by its transfer's id.
        on_ended: told what a bridge has come to, when it holds nothing any longer.
    """

    def __init__(
        self,
        rooms: Callable[[TransferOrder], RoomPlace],
        *,
        adapters: Callable[[str], MediaAdapter],
        settings: BridgeSettings | None = None,
        bridges_max: int,
        on_statistics: Callable[[str, BridgeStats], None] | None = None,
        on_ended: Callable[[str, events.Ended], None] | None = None,
    ) -> None:
        self._rooms = rooms
        self._adapters = adapters
        self._settings = settings or BridgeSettings()
        self._bridges_max = bridges_max
        self._on_statistics = on_statistics
        self._on_ended = on_ended
        self._held: dict[InProcessBridge, RoomPlace] = {}

    @property
    def count(self) -> int:
        """Bridges that are not over yet."""
        return len(self._held)

    async def acquire(
        self, transfer_id: str, order: TransferOrder, *, held: bool, on_event: Callable[[ports.BridgeEvent], None]
    ) -> InProcessBridge:
        """As ``ports.Bridges.acquire``. Whether it is released or not, it counts until it is over."""
        if len(self._held) >= self._bridges_max:
            raise Overloaded(f"expected fewer than {self._bridges_max} bridges", retry_after_s=RETRY_AFTER_S)
        place = self._rooms(order)
        if place.one_per_process and any(other.one_per_process for other in self._held.values()):
            raise Overloaded("expected no other bridge in a room of this kind", retry_after_s=RETRY_AFTER_S)

        def tell(event: events.BridgeEvent) -> None:
            self._watch(transfer_id, event)
            told = as_told(event)
            if told is not None:
                on_event(told)
            if isinstance(event, events.Ended):
                self._held.pop(bridge, None)

        bridge = InProcessBridge(
            Bridge(
                place.room,
                transfer_id=transfer_id,
                on_event=tell,
                settings=replace(self._settings, max_duration_s=order.max_duration_s),
                customer_id=order.customer_id,
                bot_id=order.bot_id,
                held=held,
            ),
            self._adapters,
        )
        self._held[bridge] = place
        return bridge

    def _watch(self, transfer_id: str, event: events.BridgeEvent) -> None:
        if isinstance(event, events.Statistics) and self._on_statistics is not None:
            self._on_statistics(transfer_id, event.stats)
        elif isinstance(event, events.Ended) and self._on_ended is not None:
            self._on_ended(transfer_id, event)


class InProcessBridge:
    """
    A ``ports.Bridge``.

    Args:
        bridge: new.
        adapters: a new adapter of the carrier of that name.
    """

    def __init__(self, bridge: Bridge, adapters: Callable[[str], MediaAdapter]) -> None:
        self._bridge = bridge
        self._adapters = adapters
        self._connections: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """As ``ports.Bridge.join``."""
        with contextlib.suppress(Exception):  # whatever it is has ended the bridge, which tells so
            await self._bridge.join_room()

    def hand_over(self, socket: ports.MediaSocket) -> None:
        """As ``ports.Bridge.hand_over``. A bridge that is over answers the upgrade and closes."""
        try:
            adapter = self._adapters(socket.provider)
        except BaseException:
            os.close(socket.descriptor)
            raise
        connection = adopt(
            socket,
            lambda connection: self._bridge.serve(connection, adapter),
            subprotocol=adapter.capabilities.subprotocol,
        )
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    def ring(self) -> None:
        """As ``ports.Bridge.ring``."""
        self._bridge.ring()

    def admit(self) -> None:
        """As ``ports.Bridge.admit``."""
        self._bridge.admit()

    def send_digits(self, digits: str) -> bool:
        """As ``ports.Bridge.send_digits``."""
        return self._bridge.send_digits(digits)

    def end(self, reason: Reason, detail: str = "") -> None:
        """Take it down; ``release`` waits for what that comes to."""
        self._bridge.end(reason, detail)

    async def release(self, reason: Reason) -> None:
        """As ``ports.Bridge.release``; bounded by the settings' time-outs for notice, closing and leaving."""
        self._bridge.end(reason)
        await self._bridge.ended()
        # Each is over by now, or has never come as far as the bridge.
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)


def as_told(event: events.BridgeEvent) -> ports.BridgeEvent | None:
    """What transfers are told of an event; None: nothing."""
    told: ports.BridgeEvent | None = None
    match event:
        case events.RoomJoined():
            told = ports.RoomJoined()
        case events.MediaStarted(_, call_id, _):
            told = ports.MediaStarted(call_id)
        case events.Joined():
            told = ports.BothHeard()
        case events.Dtmf(digit):
            told = ports.KeyPressed(digit)
        case events.MediaLost(detail):
            told = ports.MediaLost(detail)
        case events.MediaBack():
            told = ports.MediaBack()
        case events.Ending(reason, detail, _):  # and not Ended: the phone costs money until it is hung up
            told = ports.BridgeEnded(reason, detail)
    return told
