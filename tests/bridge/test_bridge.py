"""One bridge's life: when it is joined, what ends it, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.frames import CloseCode, Opcode

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Dtmf, Ended, Joined, MediaStarted, RoomJoined, Statistics
from relay.bridge.settings import BridgeSettings
from relay.errors import RoomDenied, RoomEnded, RoomError, RoomLost, RoomUnreachable
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant, RoomListener
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer, relay

Run = Callable[[Coroutine[Any, Any, None]], None]
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
    carrier: RawPeer = field(init=False)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    pressed: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def note(self, event: BridgeEvent) -> None:
        if isinstance(event, Statistics):
            return
        self.events.append(event)
        if isinstance(event, MediaStarted):
            self.started.set()
        if isinstance(event, Dtmf):
            self.pressed.put_nowait(event.digit)

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
        clock=clock.now_ns,
    )
    case = Case(bridge, room, clock)
    async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
        if join:
            await bridge.join_room()
        case.carrier = await RawPeer.connect(served)
        await served.connections.get()
        try:
            yield case
        finally:
            bridge.end(Reason.CANCELED_BY_API)
            await case.carrier.close()
            await bridge.ended()


def test_joined_comes_once_when_both_are_heard(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.clock.advance(200)
            assert case.kinds() == [RoomJoined, MediaStarted, Dtmf, Joined]
            assert case.events[1] == MediaStarted(messages.STREAM_ID, messages.CALL_ID, {"leg": "agent"})

    run(test())


def test_joined_waits_for_the_room(run: Run) -> None:
    async def test() -> None:
        async with bridged(join=False) as case:
            await case.talk()
            assert Joined not in case.kinds()
            await case.bridge.join_room()
            case.clock.advance(100)
            assert case.kinds()[-1] is Joined

    run(test())


def test_joined_waits_for_the_agents_first_frame(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            case.clock.advance(500)
            assert (await case.carrier.receive()).opcode is Opcode.PING
            assert b'"media"' in bytes((await case.carrier.receive()).data)
            assert Joined not in case.kinds()

    run(test())


def test_joined_waits_for_that_frame_to_be_in_the_room(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.carrier.send(messages.start(), messages.media(1))
            await case.read_by_bridge()
            case.clock.advance(20)  # a frame for the agent, and none yet from the jitter buffer
            assert Joined not in case.kinds()
            case.clock.advance(60)
            assert case.kinds()[-1] is Joined

    run(test())


def test_joined_waits_for_the_rooms_first_frame(run: Run) -> None:
    async def test() -> None:
        async with bridged(functools.partial(LoopbackRoom, speaker=silent)) as case:
            await case.talk()
            assert Joined not in case.kinds()

    run(test())


def test_carrier_that_says_nothing_of_a_start_gets_no_audio(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.clock.advance(200)
            case.carrier.send(messages.start())
            await case.started.wait()
            assert (await case.carrier.receive()).opcode is Opcode.PING

    run(test())


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


def test_t2_second_connection_is_closed_and_the_first_goes_on(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        bridge = Bridge(LoopbackRoom(clock=clock), transfer_id="t", on_event=ignore, settings=NEVER_TICKS)
        async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
            await bridge.join_room()
            first, second = await RawPeer.connect(served), await RawPeer.connect(served)
            frame = await second.receive()
            assert frame.opcode is Opcode.CLOSE
            assert int.from_bytes(bytes(frame.data)[:2], "big") == CloseCode.POLICY_VIOLATION
            first.send(messages.start())
            assert (await first.receive()).opcode is Opcode.PING
            assert bridge.stats(0).faults == {"second_connection": 1}
            bridge.end(Reason.CANCELED_BY_API)
            await second.close()
            await first.close()
            await bridge.ended()

    run(test())


def test_few_bad_messages_are_counted_and_many_end_it(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.carrier.send(*[b"no JSON"] * 20)
            await case.read_by_bridge()
            assert case.bridge.stats(0).faults == {"bad_message": 20}
            assert Ended not in case.kinds()
            case.carrier.send(b"no JSON")
            ended = await case.ended()
            assert ended.reason is Reason.PROVIDER_ERROR
            assert "twilio message: expected" in ended.detail

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
            ended = await case.ended()
            assert (ended.reason, ended.was_joined) == (Reason.MEDIA_TIMEOUT, True)

    run(test())


def test_f13_customer_who_does_not_come_back_ends_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=BridgeSettings(tick_s=1000)) as case:
            await case.talk()
            case.room.depart("c-1")
            case.room.enter(Participant("b-1", "bot"))
            left_ns = case.clock.now_ns()
            case.clock.advance(5000)
            case.bridge.check(left_ns + 5 * S)
            assert Ended not in case.kinds()
            case.bridge.check(left_ns + 5 * S + 1)
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


@pytest.mark.parametrize("answers", [True, False])
def test_half_open_is_a_carrier_that_answered_pings_and_stopped(run: Run, answers: bool) -> None:  # noqa: FBT001 - a case
    async def test() -> None:
        patient = BridgeSettings(tick_s=1000, media_timeout_s=10_000, room_timeout_s=10_000, customer_grace_s=10_000)
        async with bridged(settings=patient) as case:
            case.carrier.send(messages.start())
            ping = await case.carrier.receive()
            assert ping.opcode is Opcode.PING
            if answers:
                case.carrier.flush()  # the library has its pong ready
            await case.read_by_bridge()
            for second in range(40):
                case.bridge.check(case.clock.now_ns() + second * S)
                if case.kinds()[-1] is Ended:
                    break
            if answers:
                ended = await case.ended()
                assert ended.reason is Reason.MEDIA_LOST
                assert "pong" in ended.detail
            else:
                assert Ended not in case.kinds()

    run(test())


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


def test_room_with_another_frame_is_refused(run: Run) -> None:
    class Slow(LoopbackRoom):
        speaker_ptime_ms = 40

    async def test() -> None:
        with pytest.raises(ValueError, match="expected a room whose speaker gives 20 ms, got 40"):
            Bridge(Slow(), transfer_id="t", on_event=ignore)

    run(test())


def test_first_log_line_of_the_audio_is_its_chain(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()

    run(test())
    chain = next(line for line in capsys.readouterr().out.splitlines() if "bridge_chain" in line)
    assert "PCMU/8000 -> jitter -> L16/16000 -> room" in chain
    assert "room -> L16/16000 -> PCMU/8000 -> twilio" in chain
    assert "t-1" in chain
