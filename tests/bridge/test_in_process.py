"""Bridges in this process, driven as transfers drive them: over a socket that was accepted by somebody else."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from websockets.protocol import State

from relay.bridge.settings import BridgeSettings
from relay.errors import Overloaded, RoomDenied, RoomLost, RoomUnreachable
from relay.rooms.base import Participant, RoomListener
from relay.rooms.loopback import LoopbackRoom
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.made_up import SUBPROTOCOL
from tests.bridge.process import Told, order, process, talk

Run = Callable[[Coroutine[Any, Any, None]], None]


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
            assert (await here.statistics.get())[0] == "t-1"
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
            ((transfer_id, ended),) = here.endings
            assert (transfer_id, ended.reason, ended.was_joined) == ("t-1", Reason.AGENT_HUNG_UP, True)

    run(test())


def test_subprotocol_of_the_carrier_is_selected_if_it_offers_it(run: Run) -> None:
    async def test() -> None:
        async with process() as here:
            for offered, chosen in ((SUBPROTOCOL, SUBPROTOCOL), (None, None), ("another.example", None)):
                bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=Told())
                peer = await here.call(bridge, "made-up", subprotocol=offered)
                assert peer.protocol.subprotocol == chosen
                assert peer.protocol.state is State.OPEN
                await peer.close()
                await bridge.release(Reason.CANCELED_BY_API)

    run(test())


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RoomUnreachable("no such host"), Reason.ROOM_UNREACHABLE), (RoomDenied("expired"), Reason.ROOM_DENIED)],
)
def test_f18_room_that_cannot_be_joined_is_told_and_not_raised(
    run: Run, error: RoomUnreachable | RoomDenied, reason: Reason
) -> None:
    async def test() -> None:
        async with process(functools.partial(LoopbackRoom, join_error=error)) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            assert await told.until(ports.BridgeEnded) == ports.BridgeEnded(reason, str(error))
            await bridge.release(Reason.CANCELED_BY_API)
            assert told.kinds() == [ports.BridgeEnded]

    run(test())


def test_defect_of_a_room_is_told_and_not_raised(run: Run) -> None:
    class Unjoinable(LoopbackRoom):
        async def join(self, listener: RoomListener) -> Sequence[Participant]:
            raise KeyError(str(listener))

    async def test() -> None:
        async with process(Unjoinable) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            ended = await told.until(ports.BridgeEnded)
            assert isinstance(ended, ports.BridgeEnded)
            assert ended.reason is Reason.INTERNAL_ERROR
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_f19_release_while_joining_takes_no_place_in_the_room(run: Run) -> None:
    async def test() -> None:
        async with process(functools.partial(LoopbackRoom, join_delay_ms=5000)) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            joining = asyncio.create_task(bridge.join())
            await asyncio.sleep(0)
            await bridge.release(Reason.CUSTOMER_LEFT)
            await joining
            assert told.events == [ports.BridgeEnded(Reason.CUSTOMER_LEFT, "")]
            assert not here.rooms[0].is_joined

    run(test())


def test_f14_lost_stream_and_its_successor_are_told(run: Run) -> None:
    async def test() -> None:
        async with process() as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            first = await here.call(bridge)
            await talk(first, told)
            await first.close()
            await told.until(ports.MediaLost)
            second = await here.call(bridge)
            await talk(second, told)
            await told.until(ports.MediaBack)
            await second.close()
            await bridge.release(Reason.CANCELED_BY_API)
            assert told.kinds() == [
                *(ports.RoomJoined, ports.MediaStarted, ports.BothHeard, ports.MediaLost),
                *(ports.MediaStarted, ports.MediaBack, ports.BridgeEnded),
            ]

    run(test())


def test_f3_held_until_admitted(run: Run) -> None:
    async def test() -> None:
        async with process() as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=True, on_event=told)
            await bridge.join()
            peer = await here.call(bridge)
            peer.send(messages.start(), *(messages.media(chunk) for chunk in range(1, 6)), messages.dtmf("1"))
            await told.until(ports.KeyPressed)
            assert ports.BothHeard not in told.kinds()
            bridge.admit()
            peer.send(*(messages.media(chunk) for chunk in range(6, 11)))
            await told.until(ports.BothHeard)
            await peer.close()
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_f20_event_of_the_end_is_the_last_and_comes_once(run: Run) -> None:
    async def test() -> None:
        async with process() as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            peer = await here.call(bridge)
            await talk(peer, told)
            here.rooms[0].close(RoomLost("no network"))
            peer.send(*(messages.dtmf("9") for _ in range(5)))
            await told.until(ports.BridgeEnded)
            peer.send(*(messages.dtmf("8") for _ in range(5)))
            await asyncio.gather(*(bridge.release(Reason.CANCELED_BY_API) for _ in range(3)))
            await peer.close()
            assert told.kinds().count(ports.BridgeEnded) == 1
            assert told.events[-1] == ports.BridgeEnded(Reason.ROOM_LOST, "no network")

    run(test())


def test_f22_release_is_bounded_and_the_end_is_told_before_the_room_lets_go(run: Run) -> None:
    class Stuck(LoopbackRoom):
        async def leave(self) -> None:
            await super().leave()
            await asyncio.Event().wait()

    async def test() -> None:
        async with process(Stuck) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            releasing = asyncio.create_task(bridge.release(Reason.CUSTOMER_LEFT))
            await told.until(ports.BridgeEnded)
            assert not releasing.done()
            async with asyncio.timeout(1):
                await releasing
            assert here.endings[0][1].stats.faults == {"leave_timeout": 1}

    run(test())


def test_no_more_bridges_than_there_may_be(run: Run) -> None:
    async def test() -> None:
        async with process(bridges_max=2) as here:
            held = [await here.bridges.acquire(f"t-{n}", order(), held=False, on_event=Told()) for n in range(2)]
            with pytest.raises(Overloaded, match="fewer than 2 bridges") as refused:
                await here.bridges.acquire("t-2", order(), held=False, on_event=Told())
            assert refused.value.retry_after_s > 0
            await held.pop().release(Reason.CANCELED_BY_API)
            held.append(await here.bridges.acquire("t-3", order(), held=False, on_event=Told()))
            for bridge in held:
                await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_rooms_of_which_a_process_takes_one_are_refused_a_second_time(run: Run) -> None:
    async def test() -> None:
        async with process(one_per_process=True, bridges_max=10) as here:
            first = await here.bridges.acquire("t-1", order(), held=False, on_event=Told())
            with pytest.raises(Overloaded, match="no other bridge in a room of this kind"):
                await here.bridges.acquire("t-2", order(), held=False, on_event=Told())
            await first.release(Reason.CANCELED_BY_API)
            second = await here.bridges.acquire("t-3", order(), held=False, on_event=Told())
            await second.release(Reason.CANCELED_BY_API)

    run(test())


def test_bridge_that_is_over_counts_no_longer_though_nobody_released_it(run: Run) -> None:
    async def test() -> None:
        async with process(bridges_max=1) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=told)
            await bridge.join()
            here.rooms[0].depart("c-1")
            await told.until(ports.BridgeEnded)
            await bridge._bridge.ended()
            assert here.bridges.count == 0

    run(test())


def test_orders_longest_duration_is_kept(run: Run) -> None:
    async def test() -> None:
        async with process(settings=BridgeSettings(tick_s=0.05, close_timeout_s=0.2)) as here:
            told = Told()
            bridge = await here.bridges.acquire("t-1", order(max_duration_s=0.3), held=False, on_event=told)
            await bridge.join()
            peer = await here.call(bridge)
            await talk(peer, told)
            ended = await told.until(ports.BridgeEnded)
            assert isinstance(ended, ports.BridgeEnded)
            assert ended.reason is Reason.MAX_DURATION
            await peer.close()
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


@pytest.mark.parametrize("when", ["handshake", "over"])
def test_socket_that_comes_to_nothing_is_closed(run: Run, when: str) -> None:
    async def test() -> None:
        async with process() as here:
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=Told())
            ours, theirs = socket.socketpair()
            with theirs:
                if when == "handshake":
                    bridge.hand_over(ports.MediaSocket(ours.detach(), b"GET /media HTT", "twilio"))
                    await asyncio.sleep(0)
                    async with asyncio.timeout(1):  # the handshake has 3 s
                        await bridge.release(Reason.CANCELED_BY_API)
                else:
                    ours.close()
                    await bridge.release(Reason.CANCELED_BY_API)
                    peer = await here.call(bridge)
                    assert bytes((await peer.receive()).data) == b"\x03\xe8this call is over"
                    await peer.close()
                    await asyncio.wait(bridge._connections)

    run(test())


def test_socket_of_a_carrier_that_is_not_known_is_closed(run: Run) -> None:
    async def test() -> None:
        async with process() as here:
            bridge = await here.bridges.acquire("t-1", order(), held=False, on_event=Told())
            ours, theirs = socket.socketpair()
            descriptor = ours.detach()
            with theirs, pytest.raises(KeyError):
                bridge.hand_over(ports.MediaSocket(descriptor, b"", "nobody"))
            with pytest.raises(OSError, match="descriptor"):
                os.fstat(descriptor)
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())
