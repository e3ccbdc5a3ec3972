"""What ends a bridge, and what is left behind: nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from websockets.frames import CloseCode, Opcode

from relay.bridge.bridge import Bridge
from relay.bridge.events import Ended, MediaLost
from relay.bridge.settings import BridgeSettings
from relay.errors import RoomDenied, RoomEnded, RoomError, RoomLost, RoomUnreachable
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant, RoomListener
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import NEVER_TICKS, S, bridged, ignore
from tests.bridge.peers import RawPeer, relay

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RoomUnreachable("no such host"), Reason.ROOM_UNREACHABLE), (RoomDenied("expired"), Reason.ROOM_DENIED)],
)
def test_f18_room_that_cannot_be_joined_ends_the_bridge(
    run: Run, error: RoomUnreachable | RoomDenied, reason: Reason
) -> None:
    async def test() -> None:
        async with bridged(functools.partial(LoopbackRoom, join_error=error), join=False) as case:
            with pytest.raises(type(error)):
                await case.bridge.join_room()
            ended = await case.ended()
            assert (ended.reason, ended.detail, ended.was_joined) == (reason, str(error), False)
            frame = await case.carrier.receive()
            assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, b"\x03\xe8" + reason.value.encode())

    run(test())


@pytest.mark.parametrize(
    ("error", "reason"), [(RoomEnded("ejected"), Reason.ROOM_ENDED), (RoomLost("no network"), Reason.ROOM_LOST)]
)
def test_f20_f21_room_that_goes_ends_the_bridge(run: Run, error: RoomEnded | RoomLost, reason: Reason) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.room.close(error)
            ended = await case.ended()
            assert (ended.reason, ended.was_joined) == (reason, True)

    run(test())


def test_f16_stop_ends_once_and_nothing_after_it_counts(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.carrier.send(messages.stop(), messages.media(6), messages.stop(), messages.dtmf("9"), messages.start())
            ended = await case.ended()
            assert ended.reason is Reason.AGENT_HUNG_UP
            assert case.kinds().count(Ended) == 1
            assert case.pressed.empty()
            assert not case.room.is_joined

    run(test())


def test_first_reason_counts(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.bridge.end(Reason.CUSTOMER_LEFT)
            case.bridge.end(Reason.INTERNAL_ERROR)
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


def test_t2_newest_connection_wins_and_faults_are_kept(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        bridge = Bridge(LoopbackRoom(clock=clock), transfer_id="t", on_event=ignore, settings=NEVER_TICKS)
        async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
            await bridge.join_room()
            first, second = await RawPeer.connect(served), await RawPeer.connect(served)
            frame = await first.receive()
            assert frame.opcode is Opcode.CLOSE
            assert int.from_bytes(bytes(frame.data)[:2], "big") == CloseCode.TRY_AGAIN_LATER
            second.send(messages.start())
            assert (await second.receive()).opcode is Opcode.PING
            assert bridge.stats(0).faults == {"second_connection": 1}
            bridge.end(Reason.CANCELED_BY_API)
            await second.close()
            await first.close()
            await bridge.ended()

    run(test())


def test_defect_ends_its_own_call_only(run: Run) -> None:
    class Defective(TwilioAdapter):
        def parse(self, message: bytes | str) -> list[Any]:
            raise ZeroDivisionError(len(message))

    async def test() -> None:
        bridge = Bridge(LoopbackRoom(clock=ManualClock()), transfer_id="t", on_event=ignore)
        async with relay(serve=lambda connection: bridge.serve(connection, Defective())) as served:
            peer = await RawPeer.connect(served)
            peer.send(messages.start())
            frame = await peer.receive()
            assert int.from_bytes(bytes(frame.data)[:2], "big") == CloseCode.INTERNAL_ERROR
            await peer.close()
            ended = await bridge.ended()
            assert (ended.reason, ended.stats.faults) == (Reason.INTERNAL_ERROR, {"internal_error": 1})

    run(test())


class Stuck(LoopbackRoom):
    """A room that never lets go."""

    async def leave(self) -> None:
        await asyncio.Event().wait()


def test_f22_room_that_cannot_be_left_holds_nobody_up(run: Run) -> None:
    async def test() -> None:
        async with bridged(Stuck) as case:
            case.bridge.end(Reason.MAX_DURATION)
            assert (await case.carrier.receive()).opcode is Opcode.CLOSE
            await case.carrier.close()
            ended = await case.ended()
            assert ended.reason is Reason.MAX_DURATION
            assert ended.stats.faults == {"leave_timeout": 1}

    run(test())


def test_carrier_that_does_not_answer_the_close_is_dropped(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.bridge.end(Reason.CUSTOMER_LEFT)
            ended = await case.ended()
            assert ended.stats.faults == {"close_timeout": 1}
            assert (await case.carrier.receive()).opcode is Opcode.CLOSE
            with pytest.raises((ConnectionError, ValueError)):
                await case.carrier.receive()

    run(test())


class Unjoinable(LoopbackRoom):
    """A room with a defect."""

    async def join(self, listener: RoomListener) -> Sequence[Participant]:
        raise KeyError(str(listener))


def test_defect_of_a_room_ends_the_bridge(run: Run) -> None:
    async def test() -> None:
        bridge = Bridge(Unjoinable(), transfer_id="t", on_event=ignore)
        with pytest.raises(KeyError):
            await bridge.join_room()
        assert (await bridge.ended()).reason is Reason.INTERNAL_ERROR

    run(test())


def test_end_while_joining_leaves_nobody_in_the_room(run: Run) -> None:
    async def test() -> None:
        room = LoopbackRoom(clock=(clock := ManualClock()), join_delay_ms=5_000)
        bridge = Bridge(room, transfer_id="t", on_event=ignore, clock=clock.now_ns)
        joining = asyncio.create_task(bridge.join_room())
        await asyncio.sleep(0)
        bridge.end(Reason.CANCELED_BY_API)
        assert (await bridge.ended()).reason is Reason.CANCELED_BY_API
        with pytest.raises(RoomError):
            await joining
        assert not room.is_joined

    run(test())


def test_f15_watchdogs_look_at_every_tick_but_a_late_one(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=BridgeSettings(tick_s=1000, room_timeout_s=10_000, media_timeout_s=10)) as case:
            await case.talk()
            now_ns = case.clock.now_ns()
            case.bridge.check(now_ns + 9 * S)
            case.bridge.check(now_ns + 9 * S + 2001 * S)  # this process stood still for so long
            assert case.bridge.stats(now_ns).faults == {"late_tick": 1}
            assert Ended not in case.kinds()
            case.bridge.check(now_ns + 9 * S + 2002 * S)
            assert case.kinds()[-1] is MediaLost

    run(test())


def test_f13_customer_who_does_not_come_back_ends_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=replace(NEVER_TICKS, customer_grace_s=0.1)) as case:
            await case.talk()
            case.room.enter(Participant("b-1", "bot"))
            case.room.depart("c-1")
            case.clock.advance(99)
            assert case.bridge._teardown is None
            case.clock.advance(1)
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


def test_f13_without_a_grace_the_customers_leaving_ends_it_at_once(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=replace(NEVER_TICKS, customer_grace_s=0)) as case:
            await case.talk()
            case.room.depart("c-1")
            assert case.bridge._teardown is not None
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


@pytest.mark.parametrize("answered", [False, True])
def test_f9_f10_customer_who_leaves_before_both_are_heard_ends_it_at_once(run: Run, answered: bool) -> None:  # noqa: FBT001 - a case
    async def test() -> None:
        async with bridged() as case:
            if answered:
                case.carrier.send(messages.start())
                await case.started.wait()
            case.room.depart("c-1")
            assert case.bridge._teardown is not None
            ended = await case.ended()
            assert (ended.reason, ended.was_joined) == (Reason.CUSTOMER_LEFT, False)

    run(test())


@pytest.mark.long
def test_server_that_stops_ends_its_bridges(run: Run) -> None:
    async def test() -> None:
        bridge = Bridge(LoopbackRoom(clock=ManualClock()), transfer_id="t", on_event=ignore)
        async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
            peer = await RawPeer.connect(served)
            connection = await served.connections.get()
            connection.server.close()
            await peer.receive()
            peer.flush()
            assert (await bridge.ended()).reason is Reason.NODE_SHUTDOWN
            await peer.close()

    run(test())


def test_joining_that_is_given_up_ends_the_bridge(run: Run) -> None:
    async def test() -> None:
        room = LoopbackRoom(clock=(clock := ManualClock()), join_delay_ms=5_000)
        bridge = Bridge(room, transfer_id="t", on_event=ignore, clock=clock.now_ns)
        joining = asyncio.create_task(bridge.join_room())
        await asyncio.sleep(0)
        joining.cancel()
        assert (await bridge.ended()).reason is Reason.ROOM_UNREACHABLE
        with pytest.raises(RoomEnded):
            await bridge.join_room()

    run(test())


def test_clear_after_the_stop_changes_nothing(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.carrier.send(messages.stop())
            await case.ended()
            case.bridge.clear()

    run(test())


def test_connection_to_a_bridge_that_is_over_is_closed(run: Run) -> None:
    async def test() -> None:
        bridge = Bridge(LoopbackRoom(clock=ManualClock()), transfer_id="t", on_event=ignore)
        bridge.end(Reason.CANCELED_BY_API)
        await bridge.ended()
        async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
            peer = await RawPeer.connect(served)
            frame = await peer.receive()
            assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, b"\x03\xe8this call is over")
            await peer.close()

    run(test())
