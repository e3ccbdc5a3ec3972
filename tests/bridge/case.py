"""A bridge on a clock of its own, between a loopback room and a raw carrier."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Dtmf, Ended, MediaStarted, Statistics
from relay.bridge.settings import BridgeSettings
from relay.dev.until import Changes
from relay.providers.base import MediaAdapter
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer, Relay, relay

CUSTOMER = Participant("c-1", "Ada")
NEVER_TICKS = BridgeSettings(tick_s=1000, close_timeout_s=0.2, leave_timeout_s=0.2)
S = 1_000_000_000


@dataclass
class Case:
    """A bridge on a clock of its own, and the carrier's end of its connection."""

    bridge: Bridge
    room: LoopbackRoom
    clock: ManualClock
    events: list[BridgeEvent] = field(default_factory=list)
    statistics: list[Statistics] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    carrier: RawPeer = field(init=False)
    carriers: list[RawPeer] = field(default_factory=list)
    """All that have connected."""
    served: Relay = field(init=False)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    pressed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def note(self, event: BridgeEvent) -> None:
        if isinstance(event, Statistics):
            self.statistics.append(event)
            return
        self.events.append(event)
        if isinstance(event, MediaStarted):
            self.started.set()
        if isinstance(event, Dtmf):
            self.pressed.put_nowait(event.digit)
        self.changes.changed()

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]

    async def read_by_bridge(self) -> None:
        """Wait until the bridge has read all that the carrier sent so far."""
        self.carrier.send(messages.dtmf("0"))
        await self.pressed.get()

    async def talk(self) -> None:
        """Both sides are heard."""
        self.carrier.send(messages.start())
        await self.started.wait()
        self.carrier.send(*(messages.media(chunk) for chunk in range(1, 6)))
        await self.read_by_bridge()
        self.clock.advance(100)

    async def connect(self) -> RawPeer:
        """The carrier connects, for the first time or again."""
        carrier = await RawPeer.connect(self.served)
        self.carriers.append(carrier)
        await self.served.connections.get()
        return carrier

    async def until_detached(self) -> None:
        """Wait until the bridge has noticed that the connection is gone."""
        leg = self.bridge._legs.latest
        assert leg is not None
        await leg.wait_closed()

    async def ended(self) -> Ended:
        return await self.bridge.ended()


def silent(now_ns: int) -> None:
    """A device that has nothing."""


def ignore(event: BridgeEvent) -> None:
    """A test that asks the bridge itself."""


@contextlib.asynccontextmanager
async def bridged(
    make_room: Callable[..., LoopbackRoom] = LoopbackRoom,
    *,
    settings: BridgeSettings = NEVER_TICKS,
    join: bool = True,
    customer_id: str | None = "c-1",
    held: bool = False,
    new_adapter: Callable[[], MediaAdapter] = TwilioAdapter,
) -> AsyncIterator[Case]:
    clock = ManualClock(1_000 * S)
    room = make_room(clock=clock)
    room.enter(CUSTOMER)
    bridge = Bridge(
        room,
        transfer_id="t-1",
        on_event=lambda event: case.note(event),  # noqa: PLW0108 - there is no case yet
        settings=settings,
        customer_id=customer_id,
        held=held,
        clock=clock.now_ns,
    )
    case = Case(bridge, room, clock)
    async with relay(
        serve=lambda connection: bridge.serve(connection, new_adapter()),
        subprotocol=new_adapter().capabilities.subprotocol,
    ) as served:
        if join:
            await bridge.join_room()
        case.served = served
        case.carrier = await case.connect()
        try:
            yield case
        finally:
            bridge.end(Reason.CANCELED_BY_API)
            for carrier in case.carriers:
                await carrier.close()
            await bridge.ended()
