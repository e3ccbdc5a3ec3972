"""The loopback room by hand-moved time: devices, drift, joins that fail or are slow, ends."""

import asyncio

import pytest

from relay._codec import RATES_HZ
from relay.errors import RoomDenied, RoomEnded, RoomLost, RoomUnreachable
from relay.rooms.base import Participant
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom, Recording
from tests.rooms.listener import Listener, run

MS_NS = 1_000_000


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("ptime_ms", [10, 20])
def test_frames_are_exact_at_every_rate_and_ptime(rate_hz: int, ptime_ms: int) -> None:
    async def scenario() -> None:
        clock, recording = ManualClock(), Recording()
        room = LoopbackRoom(rate_hz=rate_hz, microphone_ptime_ms=ptime_ms, clock=clock, microphone=recording)
        listener = Listener()
        listener._step = rate_hz * ptime_ms // 1000
        await room.join(listener)
        clock.advance(100)
        assert [now_ns // MS_NS for now_ns, _ in recording.frames] == list(range(ptime_ms, 101, ptime_ms))
        assert [(now_ns // MS_NS, len(pcm)) for now_ns, pcm in listener.heard] == [
            (at_ms, rate_hz // 50 * 2) for at_ms in (20, 40, 60, 80, 100)
        ]
        assert (len(recording.pcm), room.counts["listener_errors"]) == (rate_hz // 10 * 2, 0)
        await room.leave()

    run(scenario())


def test_what_the_room_says_is_heard_once_in_order_filled_with_silence() -> None:
    async def scenario() -> None:
        clock = ManualClock()
        room, listener = LoopbackRoom(clock=clock, microphone_ptime_ms=20), Listener()
        await room.join(listener)
        room.say(b"\1\2" * 330)
        clock.advance(60)
        assert [pcm for _, pcm in listener.heard] == [b"\1\2" * 320, (b"\1\2" * 10).ljust(640, b"\0"), bytes(640)]

    run(scenario())


def test_a_speaker_that_has_nothing_gives_no_frame() -> None:
    """As daily's, with nobody else in the room."""

    async def scenario() -> None:
        clock = ManualClock()
        room = LoopbackRoom(clock=clock, microphone_ptime_ms=20, speaker=lambda _now_ns: None)
        listener = Listener()
        await room.join(listener)
        clock.advance(100)
        assert (len(listener.asked_ns), listener.heard) == (5, [])

    run(scenario())


@pytest.mark.parametrize(("drift_ppm", "frames"), [(1000, 501), (-1000, 499), (0, 500)])
def test_both_devices_drift_together(drift_ppm: int, frames: int) -> None:
    async def scenario() -> None:
        clock, listener = ManualClock(), Listener()
        await LoopbackRoom(clock=clock, drift_ppm=drift_ppm, microphone_ptime_ms=20).join(listener)
        clock.advance(10_010)
        assert (len(listener.asked_ns), len(listener.heard)) == (frames, frames)

    run(scenario())


@pytest.mark.parametrize("error", [RoomUnreachable("no network"), RoomDenied("token")])
def test_join_fails_as_told(error: RoomUnreachable | RoomDenied) -> None:
    """F18."""

    async def scenario() -> None:
        room, listener, clock = LoopbackRoom(join_error=error, clock=(c := ManualClock())), Listener(), c
        with pytest.raises(type(error)):
            await room.join(listener)
        clock.advance(100)
        assert (listener.calls, room.is_joined) == (0, False)

    run(scenario())


async def slow_join(delay_ms: int) -> tuple[LoopbackRoom, ManualClock, "asyncio.Task[object]"]:
    clock = ManualClock()
    room = LoopbackRoom(clock=clock, join_delay_ms=delay_ms)
    joining: asyncio.Task[object] = asyncio.create_task(room.join(Listener(ptime_ms=10)))
    await asyncio.sleep(0)
    return room, clock, joining


def test_a_slow_join_takes_its_time_on_the_rooms_clock() -> None:
    """F19."""

    async def scenario() -> None:
        room, clock, joining = await slow_join(3000)
        clock.advance(2990)
        await asyncio.sleep(0)
        assert not joining.done()
        clock.advance(10)
        await joining
        assert room.is_joined

    run(scenario())


def test_a_join_without_an_answer_is_unreachable_in_ten_seconds() -> None:
    async def scenario() -> None:
        _, clock, joining = await slow_join(15_000)
        clock.advance(10_000)
        with pytest.raises(RoomUnreachable, match="10000 ms"):
            await joining

    run(scenario())


def test_leave_while_joining_ends_the_join() -> None:
    async def scenario() -> None:
        room, clock, joining = await slow_join(3000)
        await room.leave()
        with pytest.raises(RoomEnded):
            await joining
        assert (room.is_joined, clock._devices) == (False, {})

    run(scenario())


@pytest.mark.parametrize("error", [RoomEnded("ejected"), RoomLost("network")])
def test_a_closed_room_says_why_and_nothing_more(error: RoomEnded | RoomLost) -> None:
    """F20, F21."""

    async def scenario() -> None:
        clock, listener = ManualClock(), Listener(ptime_ms=10)
        room = LoopbackRoom(clock=clock)
        await room.join(listener)
        clock.advance(20)
        room.close(error)
        room.close(error)
        calls = listener.calls
        clock.advance(100)
        room.enter(Participant("1"))
        room.depart("1")
        assert (listener.closed, listener.calls) == ([error], calls)

    run(scenario())


def test_a_stall_is_counted_and_leaves_silence() -> None:
    async def scenario() -> None:
        clock, recording = ManualClock(), Recording()
        room = LoopbackRoom(clock=clock, microphone=recording)
        await room.join(Listener(ptime_ms=10))
        clock.stall(200)
        assert (len(recording.frames), room.counts["missed_ticks"]) == (4, 16)
        await room.leave()
        assert room.counts["missed_ticks"] == 16

    run(scenario())


def test_other_ptimes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a microphone_ptime_ms of 10 or 20, got 30"):
        LoopbackRoom(microphone_ptime_ms=30)
