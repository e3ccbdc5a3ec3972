"""When a bridge is joined, and what it says of itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import Opcode

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Dtmf, Joined, MediaStarted, RoomJoined
from relay.bridge.settings import BridgeSettings
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import S, bridged, ignore, silent

Run = Callable[[Coroutine[Any, Any, None]], None]


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


def test_room_is_joined_before_anybody_is(run: Run) -> None:
    async def test() -> None:
        async with bridged(join=False) as case:
            await case.talk()
            case.bridge.speaker_frame(bytes(640), case.clock.now_ns())  # devices may run before join has returned
            for _ in range(20):
                case.clock.advance(10)
                case.bridge.microphone_due(case.clock.now_ns())
            await case.bridge.join_room()
            assert case.kinds()[-2:] == [RoomJoined, Joined]

    run(test())


def test_nothing_is_joined_that_is_being_taken_down(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.carrier.send(messages.start(), messages.media(1), messages.media(2), messages.media(3))
            await case.read_by_bridge()
            case.bridge.end(Reason.CUSTOMER_LEFT)
            case.clock.advance(200)
            assert case.bridge.microphone_due(case.clock.now_ns()) == bytes(320)
            ended = await case.ended()
            assert Joined not in case.kinds()
            assert not ended.was_joined

    run(test())


def test_losses_of_room_and_playout_are_faults(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            case.carrier.send(messages.start(), *(messages.media(chunk) for chunk in (1, 2, 3, 3, 5, 6)))
            await case.read_by_bridge()
            for _ in range(20):
                case.clock.advance(10)
            case.clock.stall(500)
            asked = case.bridge.stats(case.clock.now_ns())
            case.bridge.check(case.clock.now_ns())
            for faults in (asked.faults, case.statistics[-1].stats.faults):
                assert (faults["audio_lost"], faults["audio_twice"]) == (1, 1)
                assert faults["room_missed_ticks"] > 0

    run(test())


def test_listener_that_raises_keeps_nobody_from_watching(run: Run) -> None:
    def broken(event: BridgeEvent) -> None:
        raise ZeroDivisionError(event)

    async def test() -> None:
        clock = ManualClock()
        settings = BridgeSettings(tick_s=1000, room_timeout_s=5)
        bridge = Bridge(
            LoopbackRoom(clock=clock), transfer_id="t", on_event=broken, settings=settings, clock=clock.now_ns
        )
        await bridge.join_room()
        clock.advance(10)  # its microphone asks, and never again
        bridge.check(4 * S)
        bridge.check(6 * S)
        ended = await bridge.ended()
        assert ended.reason is Reason.ROOM_LOST
        assert ended.stats.faults["listener_error"] == 4  # joined the room, two reports, ending

    run(test())
