"""What every room promises its listener, over each kind of room."""

import numpy as np
import pytest

from relay.errors import RoomEnded
from relay.rooms.loopback import LoopbackRoom
from tests.rooms.conftest import OpenStage
from tests.rooms.listener import Listener, run


async def devices_run_on(*, frames: int) -> None:
    """Until another room on the same clock has heard so much."""
    other, witness = LoopbackRoom(), Listener(ptime_ms=10)
    await other.join(witness)
    await witness.hears(frames)
    await other.leave()


def test_join_returns_the_others(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            assert tuple(await stage.room.join(Listener(ptime_ms=stage.room.microphone_ptime_ms))) == (stage.other,)

    run(scenario())


def test_a_room_is_joined_once(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            await stage.room.join(Listener(ptime_ms=stage.room.microphone_ptime_ms))
            with pytest.raises(RuntimeError, match="joined once"):
                await stage.room.join(Listener())

    run(scenario())


def test_both_devices_run_at_their_ptime(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            room = stage.room
            listener = Listener(ptime_ms=room.microphone_ptime_ms)
            await room.join(listener)
            await listener.hears(25)
            asked = np.diff(listener.asked_ns) / 1e6
            assert {len(pcm) for _, pcm in listener.heard} == {room.rate_hz * room.speaker_ptime_ms // 1000 * 2}
            assert np.mean(asked) == pytest.approx(room.microphone_ptime_ms, abs=2)
            ratio = room.speaker_ptime_ms / room.microphone_ptime_ms
            assert len(listener.asked_ns) / len(listener.heard) == pytest.approx(ratio, rel=0.2)

    run(scenario())


def test_comings_and_goings_are_told_with_the_reason(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            listener = Listener(ptime_ms=stage.room.microphone_ptime_ms)
            await stage.room.join(listener)
            newcomer = await stage.arrive()
            await listener.until(lambda: listener.joined == [newcomer])
            await stage.depart(stage.other)
            await listener.until(lambda: listener.left == [(stage.other, "left")])

    run(scenario())


def test_nothing_comes_after_leave_which_may_be_called_again(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            listener = Listener(ptime_ms=stage.room.microphone_ptime_ms)
            await stage.room.join(listener)
            await listener.hears(2)
            assert stage.is_present()
            await stage.room.leave()
            calls = listener.calls
            await stage.room.leave()
            await stage.depart(stage.other)
            await devices_run_on(frames=3)
            assert (listener.calls, listener.closed) == (calls, [])

    run(scenario())


def test_leave_before_join_is_allowed(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            await stage.room.leave()

    run(scenario())


def test_join_after_leave_takes_no_place(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            listener = Listener(ptime_ms=stage.room.microphone_ptime_ms)
            await stage.room.leave()
            with pytest.raises(RoomEnded, match="left"):
                await stage.room.join(listener)
            assert not stage.is_present()
            await devices_run_on(frames=3)
            assert listener.calls == 0

    run(scenario())


def test_an_ejected_listener_is_told_once_and_last(open_stage: OpenStage) -> None:
    """F20: ejected, or the room has ended."""

    async def scenario() -> None:
        async with open_stage() as stage:
            listener = Listener(ptime_ms=stage.room.microphone_ptime_ms)
            await stage.room.join(listener)
            await stage.end()
            await listener.until(lambda: len(listener.closed) == 1)
            assert isinstance(listener.closed[0], RoomEnded)
            calls = listener.calls
            await stage.depart(stage.other)
            await stage.room.leave()
            assert listener.calls == calls

    run(scenario())


KINDS = {"listener_errors", "missed_ticks", "dropped_frames", "bad_messages", "leaked_threads"}


def test_what_a_room_counts_is_a_closed_set_from_before_join_until_after_leave(open_stage: OpenStage) -> None:
    async def scenario() -> None:
        async with open_stage() as stage:
            kinds = set(stage.room.counts)
            assert kinds <= KINDS
            assert sum(stage.room.counts.values()) == 0
            await stage.room.join(Listener(ptime_ms=stage.room.microphone_ptime_ms))
            await stage.room.leave()
            assert set(stage.room.counts) == kinds

    run(scenario())


def test_a_listener_that_raises_does_not_end_the_room(open_stage: OpenStage) -> None:
    class Broken(Listener):
        def microphone_due(self, now_ns: int) -> bytes:
            super().microphone_due(now_ns)
            if len(self.asked_ns) % 2:
                raise ZeroDivisionError
            return b"short"

    async def scenario() -> None:
        async with open_stage() as stage:
            listener = Broken()
            await stage.room.join(listener)
            await listener.hears(5)
            assert len(listener.asked_ns) >= 4
            assert stage.room.counts["listener_errors"] >= 4

    run(scenario())
