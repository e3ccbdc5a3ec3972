"""When a bridge is joined, and what it says of itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import Opcode

from relay.bridge.bridge import Bridge
from relay.bridge.events import Dtmf, Joined, MediaStarted, RoomJoined
from relay.rooms.loopback import LoopbackRoom
from tests.bridge import messages
from tests.bridge.case import bridged, ignore, silent

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
