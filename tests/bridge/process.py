"""The bridges of a process, and carriers whose sockets are handed over to them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from relay.bridge.events import Ended
from relay.bridge.in_process import InProcessBridge, InProcessBridges, RoomPlace
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.dev.until import Changes
from relay.providers.base import MediaAdapter
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.loopback import LoopbackRoom
from relay.transfers import ports
from relay.transfers.record import TransferOrder
from tests.bridge import messages
from tests.bridge.made_up import BinaryAdapter
from tests.bridge.peers import RawPeer, open_sockets

CUSTOMER = Participant("c-1", "Ada")
QUICK = BridgeSettings(close_timeout_s=0.2, leave_timeout_s=0.2, customer_grace_s=0.2)
TIMEOUT_S = 5.0


def order(room_url: str = "http://127.0.0.1/rooms/blue", *, max_duration_s: float = 3600) -> TransferOrder:
    return TransferOrder(
        room_url=room_url,
        provider="twilio",
        to="+12025550123",
        to_masked="+*********23",
        from_number="+12025550100",
        customer_id="c-1",
        max_duration_s=max_duration_s,
    )


def new_adapter(provider: str) -> MediaAdapter:
    adapters: Mapping[str, Callable[[], MediaAdapter]] = {"twilio": TwilioAdapter, "made-up": BinaryAdapter}
    return adapters[provider]()


@dataclass
class Told:
    """What one bridge told."""

    events: list[ports.BridgeEvent] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)

    def __call__(self, event: ports.BridgeEvent) -> None:
        self.events.append(event)
        self.changes.changed()

    async def until(self, kind: type[ports.BridgeEvent]) -> ports.BridgeEvent:
        """Return the latest event when it is of this kind."""
        await self.changes.until(lambda: self.kinds()[-1:] == [kind], kind.__name__, timeout_s=TIMEOUT_S)
        return self.events[-1]

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


@dataclass
class Process:
    """The bridges of a process, their rooms, and a port that carriers connect to."""

    bridges: InProcessBridges
    rooms: list[LoopbackRoom]
    listener: socket.socket
    statistics: asyncio.Queue[tuple[str, BridgeStats]]
    endings: list[tuple[str, Ended]]

    async def call(
        self, bridge: InProcessBridge, provider: str = "twilio", *, subprotocol: str | None = None
    ) -> RawPeer:
        """A carrier connects; the bytes of its request are read here, and the socket is handed over."""
        loop = asyncio.get_running_loop()
        connecting = asyncio.ensure_future(RawPeer.open(self.listener.getsockname()[1], subprotocol=subprotocol))
        ours, _ = await loop.sock_accept(self.listener)
        request = await loop.sock_recv(ours, 65536)
        bridge.hand_over(ports.MediaSocket(ours.detach(), request, provider))
        return await connecting


@contextlib.asynccontextmanager
async def process(
    make_room: Callable[[], LoopbackRoom] = LoopbackRoom,
    *,
    one_per_process: bool = False,
    settings: BridgeSettings = QUICK,
    bridges_max: int = 2,
) -> AsyncIterator[Process]:
    """Tasks and sockets are those of before, afterwards."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    rooms: list[LoopbackRoom] = []
    statistics: asyncio.Queue[tuple[str, BridgeStats]] = asyncio.Queue()
    endings: list[tuple[str, Ended]] = []

    def place(_: TransferOrder) -> RoomPlace:
        rooms.append(make_room())
        rooms[-1].enter(CUSTOMER)
        return RoomPlace(rooms[-1], one_per_process=one_per_process)

    bridges = InProcessBridges(
        place,
        adapters=new_adapter,
        settings=settings,
        bridges_max=bridges_max,
        on_statistics=lambda *told: statistics.put_nowait(told),
        on_ended=lambda *told: endings.append(told),
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield Process(bridges, rooms, listener, statistics, endings)
    assert bridges.count == 0
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert open_sockets() == sockets


async def talk(peer: RawPeer, told: Told) -> None:
    """Both are heard."""
    peer.send(messages.start(), *(messages.media(chunk) for chunk in range(1, 6)))
    await told.changes.until(lambda: ports.BothHeard in told.kinds(), "both heard", timeout_s=TIMEOUT_S)
