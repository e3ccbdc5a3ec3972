"""Bridges in this process, driven as transfers drive them: over a socket that was accepted by somebody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

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
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder
from tests.bridge import messages
from tests.bridge.peers import RawPeer, open_sockets

Run = Callable[[Coroutine[Any, Any, None]], None]

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


def twilio(provider: str) -> MediaAdapter:
    return {"twilio": TwilioAdapter}[provider]()


@dataclass
class Told:
    """What one bridge told."""

    events: list[ports.BridgeEvent] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)

    def __call__(self, event: ports.BridgeEvent) -> None:
        self.events.append(event)
        self.changes.changed()

    async def until(self, kind: type[ports.BridgeEvent]) -> ports.BridgeEvent:
        await self.changes.until(lambda: type(self.events[-1:][0]) is kind, kind.__name__, timeout_s=TIMEOUT_S)
        return self.events[-1]

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


@dataclass
class Process:
    """The bridges of a process, their rooms, and a port that carriers connect to."""

    bridges: InProcessBridges
    rooms: list[LoopbackRoom]
    listener: socket.socket
    statistics: list[tuple[str, BridgeStats]]
    endings: list[tuple[str, Ended]]

    async def call(self, bridge: InProcessBridge) -> RawPeer:
        """A carrier connects; the bytes of its request are read here, and the socket is handed over."""
        loop = asyncio.get_running_loop()
        connecting = asyncio.ensure_future(RawPeer.open(self.listener.getsockname()[1]))
        ours, _ = await loop.sock_accept(self.listener)
        request = await loop.sock_recv(ours, 65536)
        bridge.hand_over(ports.MediaSocket(ours.detach(), request, "twilio"))
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
    statistics: list[tuple[str, BridgeStats]] = []
    endings: list[tuple[str, Ended]] = []

    def place(_: TransferOrder) -> RoomPlace:
        rooms.append(make_room())
        rooms[-1].enter(CUSTOMER)
        return RoomPlace(rooms[-1], one_per_process=one_per_process)

    bridges = InProcessBridges(
        place,
        adapters=twilio,
        settings=settings,
        bridges_max=bridges_max,
        on_statistics=lambda *told: statistics.append(told),
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


def test_whole_call_is_told_in_order_and_leaves_nothing(run: Run) -> None:
    async def test() -> None:
        async with process(settings=BridgeSettings(tick_s=0.05)) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            bridge.ring()
            peer = await here.call(bridge)
            await talk(peer, told)
            peer.send(messages.dtmf("5"))
            await told.until(ports.KeyPressed)
            await told.changes.until(lambda: len(here.statistics) > 0, "statistics", timeout_s=TIMEOUT_S)
            peer.send(messages.stop())
            assert (await told.until(ports.BridgeEnded)) == ports.BridgeEnded(
                Reason.AGENT_HUNG_UP, "the carrier stopped the stream"
            )
            await peer.close()
            await bridge.release(Reason.CANCELED_BY_API)
            assert told.kinds() == [
                *(ports.RoomJoined, ports.MediaStarted, ports.BothHeard, ports.KeyPressed, ports.BridgeEnded)
            ]
            assert told.events[1] == ports.MediaStarted(messages.CALL_ID)
            assert {transfer_id for transfer_id, _ in here.statistics} == {"t-1"}
            ((transfer_id, ended),) = here.endings
            assert (transfer_id, ended.reason, ended.was_joined) == ("t-1", Reason.AGENT_HUNG_UP, True)

    run(test())
