"""The pool with the workers that it is for: real rooms, real carriers' sockets, and what is left when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop
from websockets.frames import CloseCode, Opcode

from relay.bridge.settings import BridgeSettings
from relay.bridge.worker_bridge import WorkerBridge
from relay.dev.room_server import RoomServer
from relay.rooms.local import LocalRoom
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer
from tests.bridge.pooled import (
    NOTICED_S,
    Pooled,
    children,
    descriptors,
    kill,
    pooled,
    resident_kib,
    state_of,
    until_last,
)
from tests.bridge.process import Told, talk
from tests.rooms.listener import Listener

Run = Callable[[Coroutine[Any, Any, None]], None]

WORKER = [sys.executable, "-m", "relay.app.worker"]
SETTINGS = BridgeSettings(tick_s=0.2, media_timeout_s=60, write_stall_timeout_s=60, half_open_timeout_s=60)
"""The carriers of these tests say little and read less."""
CUSTOMER = "customer"


@dataclass
class Call:
    """One whole call: its bridge, what that told, its carrier, and the customer in its room."""

    bridge: WorkerBridge
    told: Told
    carrier: RawPeer
    customer: LocalRoom

    async def key(self, digit: str) -> None:
        """Audio and a key go from the carrier to the transfer: it works."""
        self.carrier.send(messages.media(99), messages.dtmf(digit))
        await self.told.changes.until(
            lambda: ports.KeyPressed(digit) in self.told.events, f"key {digit}", timeout_s=5.0
        )

    async def closed(self) -> CloseCode:
        """With which code the carrier's connection is closed."""
        while (frame := await self.carrier.receive()).opcode is not Opcode.CLOSE:
            """Audio, and pings."""
        return CloseCode(int.from_bytes(bytes(frame.data)[:2]))


@dataclass
class Node:
    """A pool, a room server, and the port that carriers connect to."""

    here: Pooled
    server: RoomServer
    listener: socket.socket

    async def call(self, name: str, stack: contextlib.AsyncExitStack) -> Call:
        url = self.server.room_url(name)
        customer = LocalRoom(url, name=CUSTOMER)
        await customer.join(Listener(700))
        stack.push_async_callback(customer.leave)
        bridge, told = await self.here.acquire(name, CUSTOMER, room_url=url)
        await bridge.join()
        loop = asyncio.get_running_loop()
        connecting = asyncio.ensure_future(RawPeer.open(self.listener.getsockname()[1]))
        ours, _ = await loop.sock_accept(self.listener)
        request = await loop.sock_recv(ours, 65536)
        bridge.hand_over(ports.MediaSocket(ours.detach(), request, "twilio"))
        carrier = await connecting
        stack.push_async_callback(carrier.close)
        await talk(carrier, told)
        return Call(bridge, told, carrier, customer)

    async def until_left(self, name: str, *, timeout_s: float) -> None:
        """Nobody but the customer is in the room."""
        await self.server.changes.until(
            lambda: self.server.names(name) == [CUSTOMER], f"relay's leaving {name}", timeout_s=timeout_s
        )


@contextlib.asynccontextmanager
async def node(**options: Any) -> AsyncIterator[tuple[Node, contextlib.AsyncExitStack]]:
    async with RoomServer(port=0) as server, pooled(command=WORKER, settings=SETTINGS, **options) as here:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0)
            async with contextlib.AsyncExitStack() as stack:
                yield Node(here, server, listener), stack


@pytest.mark.long
def test_whole_call_in_a_worker_is_told_in_order_and_leaves_nothing(run: Run) -> None:
    async def test() -> None:
        async with node(spares=1) as (here, stack):
            call = await here.call("blue", stack)
            await call.key("5")
            call.carrier.send(messages.stop())
            await call.told.until(ports.BridgeEnded)
            await call.bridge.release(Reason.CANCELED_BY_API)
            assert call.told.events == [
                ports.RoomJoined(),
                ports.MediaStarted(messages.CALL_ID),
                ports.BothHeard(),
                ports.KeyPressed("5"),
                ports.BridgeEnded(Reason.AGENT_HUNG_UP, "the carrier stopped the stream"),
            ]
            ((transfer_id, ended),) = here.here.endings
            assert (transfer_id, ended.reason, ended.was_joined) == ("blue", Reason.AGENT_HUNG_UP, True)
            assert here.here.pool.lost_count == 0
            assert here.server.names("blue") == [CUSTOMER]

    run(test())


@pytest.mark.long
def test_f44_two_workers_of_ten_die_and_eight_calls_go_on(run: Run) -> None:
    """One is killed, one aborts as native code does: each transfer knows within a second, and no other call notices."""

    async def test() -> None:
        async with node() as (here, stack):
            calls = [await here.call(f"room-{n}", stack) for n in range(10)]
            for name, number in (("room-6", signal.SIGABRT), ("room-3", signal.SIGKILL)):
                lost = calls.pop(int(name[-1]))
                kill(lost.bridge.pid, number)
                ended = await until_last(lost.told, ports.BridgeEnded, timeout_s=NOTICED_S)
                assert isinstance(ended, ports.BridgeEnded)
                assert ended.reason is Reason.WORKER_LOST
                assert lost.told.kinds().count(ports.BridgeEnded) == 1
                await lost.bridge.release(Reason.WORKER_LOST)
                assert state_of(lost.bridge.pid) == ""
                await here.until_left(name, timeout_s=NOTICED_S)
                with pytest.raises(ConnectionError):
                    await lost.closed()
            for call in calls:
                await call.key("1")
                assert call.told.kinds()[2:] == [ports.BothHeard, ports.KeyPressed]
            assert (here.here.pool.count, here.here.pool.lost_count) == (8, 2)

    run(test())


@pytest.mark.long
def test_f22_worker_that_stands_still_is_given_back_in_time(run: Run) -> None:
    async def test() -> None:
        async with node() as (here, stack):
            call, other = await here.call("blue", stack), await here.call("red", stack)
            kill(call.bridge.pid, signal.SIGSTOP)
            await call.told.until(ports.BridgeEnded)  # it reports nothing any longer
            async with asyncio.timeout(NOTICED_S):
                await call.bridge.release(Reason.WORKER_LOST)
            await here.until_left("blue", timeout_s=NOTICED_S)
            await other.key("1")

    run(test())


@pytest.mark.long
def test_f29_pool_that_closes_says_goodbye_to_both_sides_of_each_call(run: Run) -> None:
    async def test() -> None:
        async with node() as (here, stack):
            calls = [await here.call(f"room-{n}", stack) for n in range(2)]
            closing = asyncio.ensure_future(here.here.pool.close())
            assert [await call.closed() for call in calls] == [CloseCode.GOING_AWAY] * 2
            for call in calls:
                await call.carrier.close()
            await closing
            assert {ended.reason for _, ended in here.here.endings} == {Reason.NODE_SHUTDOWN}
            assert here.here.pool.lost_count == 0
            assert [here.server.names(f"room-{n}") for n in range(2)] == [[CUSTOMER]] * 2

    run(test())


@pytest.mark.long
def test_sixty_workers_in_a_row_leave_nothing() -> None:
    """As with stand-ins, each with a room that it joined, two at a time: each starts for nearly half a second."""

    async def test() -> None:
        async with RoomServer(port=0) as server, pooled(command=WORKER, settings=SETTINGS) as here:
            resident = []
            before = descriptors(), children(), len(asyncio.all_tasks())

            async def one(n: int) -> None:
                bridge, told = await here.acquire(f"t-{n}", room_url=server.room_url("blue"))
                await bridge.join()
                if n % 3 == 2:
                    kill(bridge.pid)
                await bridge.release(Reason.CANCELED_BY_API)
                assert told.kinds() == [ports.RoomJoined, ports.BridgeEnded]

            for n in range(0, 60, 2):
                async with asyncio.timeout(15):
                    await asyncio.gather(one(n), one(n + 1))
                    while here.pool.process_count:
                        await next(iter(here.pool._workers)).gone.wait()
                    await server.changes.until(lambda: not server.names("blue"), "an empty room", timeout_s=5)
                await asyncio.sleep(0)
                resident.append(resident_kib())
            assert (descriptors(), children(), len(asyncio.all_tasks())) == before
            assert resident[-1] - resident[9] < 1024, "KiB, of which the room server has some"
            assert here.pool.lost_count == 20

    uvloop.run(test())
