"""One whole call over real sockets: a room with people in it, the bridge, and the media server a phone can call."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from websockets.asyncio.server import Server

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Ended, Statistics
from relay.bridge.media_connection import MediaConnection, serve_media
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import AgentToRoomStats, BridgeStats, RoomToAgentStats
from relay.dev.person import FRAME_NS, Person
from relay.dev.phone import Network, SimulatedPhone
from relay.dev.phone_playout import FRAME_BYTES
from relay.dev.phone_source import Source
from relay.dev.room_server import RoomServer
from relay.dev.until import Changes
from relay.providers.twilio import TwilioAdapter
from relay.rooms.local import LocalRoom
from relay.transfers.reasons import Reason
from tests.e2e.machine import LoopWatch

HOST = "127.0.0.1"
RELAY = "relay"
TIMEOUT_S = 12.0

T = TypeVar("T", bound=BridgeEvent)


class Call:
    """
    ``async with Call() as call, call.phone(pcm) as phone``: the customer is in the room, and so is the bridge.

    Args:
        people: names of those in the room, and what they say.
        settings: the bridge's.
        server: a room server to share; without it, one of its own.
        room: the room's name.
        held: the agent is not heard, and hears nobody, until admitted.
    """

    def __init__(
        self,
        people: dict[str, bytes] | None = None,
        *,
        settings: BridgeSettings | None = None,
        server: RoomServer | None = None,
        room: str = "call",
        held: bool = False,
    ) -> None:
        self.people: dict[str, Person] = {}
        self.events: list[BridgeEvent] = []
        """All but statistics."""
        self.statistics: list[BridgeStats] = []
        self.changes = Changes()
        self.watch = LoopWatch()
        self._says = people if people is not None else {"customer": b""}
        self._settings = settings
        self._shared_server = server
        self._room = room
        self._held = held

    async def __aenter__(self) -> Self:
        self.server = self._shared_server or await RoomServer(HOST, 0).__aenter__()
        for name, said in self._says.items():
            await self.enter(name, said)
        self._relay_room = LocalRoom(self.room_url, name=RELAY)
        self.bridge = Bridge(
            self._relay_room,
            transfer_id="t-1",
            on_event=self._on_event,
            settings=self._settings,
            customer_id="customer",
            held=self._held,
        )
        self._media: Server = await serve_media(self._serve, host=HOST, port=0)
        await self.bridge.join_room()
        self.watch.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch.stop()
        self.bridge.end(Reason.CANCELED_BY_API)
        await self.bridge.ended()
        for person in self.people.values():
            await person.leave()
        self._media.close()
        await self._media.wait_closed()
        if self._shared_server is None:
            await self.close_server()

    async def close_server(self) -> None:
        """The room server goes down; may be called again."""
        await self.server.__aexit__(None, None, None)

    @property
    def room_url(self) -> str:
        return self.server.room_url(self._room)

    @property
    def media_url(self) -> str:
        return f"ws://{HOST}:{next(iter(self._media.sockets)).getsockname()[1]}/media"

    @property
    def relay_id(self) -> str:
        """The bridge's ``participant_id``."""
        return self._relay_room.participant_id

    @property
    def customer(self) -> Person:
        return self.people["customer"]

    async def enter(self, name: str, said: bytes = b"") -> Person:
        """Somebody comes into the room."""
        self.people[name] = await Person.enter(self.room_url, name, said)
        return self.people[name]

    def phone(self, source: Source | None = None, *, network: Network | None = None) -> SimulatedPhone:
        """The agent's phone, not connected yet."""
        return SimulatedPhone(self.media_url, source, network=network)

    def of(self, kind: type[T]) -> list[T]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until_event(self, kind: type[T], count: int = 1) -> T:
        """Return the latest event of a kind, when so many have come."""
        await self.changes.until(lambda: len(self.of(kind)) >= count, f"{count} {kind.__name__}", timeout_s=TIMEOUT_S)
        return self.of(kind)[-1]

    async def until_stats(self, met: Callable[[BridgeStats], bool], what: str) -> BridgeStats:
        """Return the first statistics from now on for which ``met``."""
        first = len(self.statistics)
        await self.changes.until(lambda: any(map(met, self.statistics[first:])), what, timeout_s=TIMEOUT_S)
        return next(filter(met, self.statistics[first:]))

    async def _serve(self, connection: MediaConnection) -> None:
        await self.bridge.serve(connection, TwilioAdapter())

    def _on_event(self, event: BridgeEvent) -> None:
        if isinstance(event, Statistics):
            self.statistics.append(event.stats)
        else:
            self.events.append(event)
        self.changes.changed()


def a2r(stats: BridgeStats) -> AgentToRoomStats:
    """The direction's statistics, which there are once the phone has connected."""
    assert stats.agent_to_room is not None
    return stats.agent_to_room


def r2a(stats: BridgeStats) -> RoomToAgentStats:
    """The direction's statistics, which there are once the carrier has opened its stream."""
    assert stats.room_to_agent is not None
    return stats.room_to_agent


async def cushion(phone: SimulatedPhone) -> None:
    """
    Give the phone 80 ms of what it hears to play from, as the jitter buffer of a real carrier does.

    It reads nothing for its first frames, and plays late what came meanwhile. Without that one late wake-up of the
    machine is a gap at the phone.
    """
    await phone.until_said(3)
    phone.pause_reading()
    await phone.until_said(7)
    phone.resume_reading()


def next_said_ns(phone: SimulatedPhone) -> int:
    """When the phone says its next frame's first sample."""
    said = phone.said
    return said.start_ns + len(said.pcm) // FRAME_BYTES * FRAME_NS


async def check_over(call: Call, phone: SimulatedPhone, reason: Reason) -> Ended:
    """The bridge ended so, once and as its last event, and holds neither the phone's socket nor a place in the room."""
    ended = await call.bridge.ended()
    assert (ended.reason, call.of(Ended), call.events[-1]) == (reason, [ended], ended), ended
    await phone.until_closed()
    if call.customer.is_in:
        await call.customer.until_gone(RELAY)
    return ended
