"""What ends a place in a Daily room, and what does not: ejection, expiry, the network, and what the SDK gets wrong."""

from __future__ import annotations

import asyncio

import pytest

from relay.errors import RoomEnded, RoomLost
from relay.rooms.base import Participant
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_watch import RECONNECT_MAX_MS
from relay.rooms.device_clock import ManualClock
from tests.rooms.daily_play import Manner, Play
from tests.rooms.daily_room import joined, passes, room_of
from tests.rooms.daily_stand_in import fields_of
from tests.rooms.listener import Listener, run


async def told(play: Play) -> None:
    """Until everything that the SDK has called back has arrived."""
    await asyncio.to_thread(play.settle)
    await passes(2)


def at_once() -> Play:
    """Devices that answer at once: on a clock by hand nothing is waited for."""
    return Play(microphone=Manner.RUSHED, speaker=Manner.EMPTY)


@pytest.mark.parametrize("message", ["Ejected by the owner", "Ejecting after room expiration", None])
def test_f20_who_is_put_out_is_told_once_and_last(message: str | None) -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (_room, listener, other):
            play.eject(message)
            await listener.until(lambda: len(listener.closed) == 1)
            assert isinstance(listener.closed[0], RoomEnded)
            assert (message or "the call was left") in str(listener.closed[0])
            calls = listener.calls
            play.depart(other.participant_id)
            play.eject()
            await told(play)
            assert listener.calls == calls

    run(scenario())


def test_f20_our_own_leaving_among_the_participants_is_the_end() -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (_room, listener, _other):
            play.tell("on_participant_left", fields_of("our-own-id", "relay"), "leftCall")
            await listener.until(lambda: len(listener.closed) == 1)
            assert isinstance(listener.closed[0], RoomEnded)

    run(scenario())


@pytest.mark.parametrize("message", ["Failed to update send settings", "ICE candidate removed"])
def test_f20_an_error_that_is_no_end_ends_nothing(message: str) -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (_room, listener, _other):
            play.tell("on_error", message)
            await told(play)
            await listener.hears(3)
            assert listener.closed == []

    run(scenario())


def test_f20_who_is_put_out_as_the_join_is_answered_has_not_joined() -> None:
    async def scenario() -> None:
        play = Play(out_at_once=True)
        with play.running():
            room, listener = room_of(play), Listener(ptime_ms=10)
            with pytest.raises(RoomEnded, match="left"):
                await room.join(listener)
            await room.leave()
            assert (listener.calls, play.asked[-1]) == (0, "release")

    run(scenario())


def test_f21_a_network_that_does_not_come_back_within_20_s_is_lost() -> None:
    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, _other):
            play.network("signaling", "interrupted")
            await told(play)
            clock.advance(RECONNECT_MAX_MS - 10)
            assert listener.closed == []
            await told(play)
            clock.advance(10)
            assert [type(error) for error in listener.closed] == [RoomLost]

    run(scenario())


def test_f21_a_network_that_comes_back_ends_nothing() -> None:
    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, _other):
            for _ in range(3):
                play.network("signaling", "interrupted")
                play.network("sfu-recv", "interrupted")
                await told(play)
                clock.advance(RECONNECT_MAX_MS - 1000)
                play.network("sfu-recv", "connected")
                play.network("signaling", "connected")
                await told(play)
                clock.advance(1000)
                await told(play)
            assert listener.closed == []

    run(scenario())


def test_f21_a_call_that_is_left_while_reconnecting_is_lost() -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (_room, listener, _other):
            play.network("signaling", "interrupted")
            play.eject("no more attempts left for reconnecting")
            await listener.until(lambda: len(listener.closed) == 1)
            assert isinstance(listener.closed[0], RoomLost)

    run(scenario())


def test_f21_while_the_network_is_away_frames_of_silence_keep_the_pace() -> None:
    """Whatever the speaker does then: the agent is to hear a tone, and frames of the room are its clock."""

    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, _other):
            clock.advance(100)
            await told(play)
            assert listener.heard == []
            play.network("signaling", "interrupted")
            await told(play)
            assert listener.interruptions == [], "of signalling nothing is heard"
            play.network("sfu-recv", "interrupted")
            await told(play)
            clock.advance(1000)
            assert listener.interruptions == ["interrupted"]
            assert len(listener.heard) in (50, 51)
            assert not any(any(pcm) for _, pcm in listener.heard)
            frames = len(listener.heard)
            play.network("sfu-send", "connected")
            await told(play)
            clock.advance(1000)
            assert listener.interruptions == ["interrupted", "back"]
            assert len(listener.heard) == frames

    run(scenario())


def test_f21_while_the_network_is_away_frames_that_come_are_not_doubled() -> None:
    async def scenario() -> None:
        play, clock = Play(microphone=Manner.RUSHED, speaker=Manner.RUSHED), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, _other):
            play.network("sfu", "interrupted")
            for _ in range(100):
                await told(play)
                clock.advance(10)
            await told(play)
            assert len(listener.heard) <= 55
            assert sum(not any(pcm) for _, pcm in listener.heard) <= 2

    run(scenario())


@pytest.mark.parametrize("device", ["microphone", "speaker"])
def test_f21_a_device_that_answers_nothing_for_20_s_is_lost(device: str) -> None:
    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, _other):
            clock.advance(50)
            await told(play)
            setattr(play, device, Manner.NEVER)
            for _ in range(19):
                clock.advance(RECONNECT_MAX_MS // 20)
                await told(play)
                assert listener.closed == []
            clock.advance(2000)
            assert [type(error) for error in listener.closed] == [RoomLost]

    run(scenario())


def test_f21_a_microphone_that_takes_nothing_any_longer_is_lost_once_somebody_is_there() -> None:
    """Out of the call, and nobody has said so: the SDK's devices answer at once then, with nothing."""

    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (_room, listener, other):
            clock.advance(50)
            await told(play)
            play.microphone = Manner.EMPTY
            play.depart(other.participant_id)
            await told(play)
            for _ in range(40):
                clock.advance(RECONNECT_MAX_MS // 20)
                await told(play)
            assert listener.closed == [], "alone it may take nothing"
            play.enter("customer")
            await told(play)
            for _ in range(19):
                clock.advance(RECONNECT_MAX_MS // 20)
                await told(play)
            assert listener.closed == []
            clock.advance(2000)
            assert [type(error) for error in listener.closed] == [RoomLost]

    run(scenario())


def test_a_process_that_stood_still_blames_nobody() -> None:
    async def scenario() -> None:
        play, clock = at_once(), ManualClock()
        async with joined(play, clock=clock) as (room, listener, _other):
            play.network("signaling", "interrupted")
            await told(play)
            clock.stall(60_000)
            assert listener.closed == []
            assert room.counts["missed_ticks"] > 1000

    run(scenario())


def test_those_who_were_there_are_returned_and_not_told_again() -> None:
    """The SDK's events of them come before the join has completed."""

    async def scenario() -> None:
        play = Play(joined_early=True)
        with play.running():
            bot = play.enter("bot")
            room, listener = room_of(play), Listener(ptime_ms=10)
            assert tuple(await room.join(listener)) == (bot,)
            play.tell("on_participant_joined", play.participants[bot.participant_id])
            customer = play.enter("customer")
            await listener.until(lambda: listener.joined == [customer])
            await room.leave()

    run(scenario())


def test_a_participant_who_hides_is_gone() -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (_room, listener, other):
            play.depart(other.participant_id, "hidden")
            await listener.until(lambda: listener.left == [(other, "hidden")])

    run(scenario())


BAD_EVENTS: list[tuple[str, tuple[object, ...]]] = [
    ("on_participant_joined", ({},)),
    ("on_participant_joined", (None,)),
    ("on_participant_left", ({"id": 7}, "leftCall")),
    ("on_network_connection_status_updated", ({"connection": "signaling"},)),
    ("on_network_connection_status_updated", ("interrupted",)),
]


@pytest.mark.parametrize(("event", "args"), BAD_EVENTS)
def test_events_that_cannot_be_read_are_counted_and_end_nothing(event: str, args: tuple[object, ...]) -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (room, listener, _other):
            play.tell(event, *args)
            await told(play)
            await listener.hears(2)
            assert (room.counts["bad_messages"], listener.closed) == (1, [])

    run(scenario())


def test_a_join_that_is_answered_twice_is_one_join() -> None:
    async def scenario() -> None:
        play = Play(join_answers=2)
        async with joined(play) as (_room, listener, _other):
            await listener.hears(3)
            assert (listener.joined, listener.closed) == ([], [])

    run(scenario())


def test_callbacks_after_release_and_after_the_loop_reach_nobody() -> None:
    play, listener, room = Play(), Listener(ptime_ms=10), list[DailyRoom]()

    async def scenario() -> None:
        play.enter("customer")
        room.append(room_of(play))
        await room[0].join(listener)
        await listener.hears(2)
        await room[0].leave()
        calls = listener.calls
        everything(play)
        await told(play)
        assert listener.calls == calls

    with play.running():
        run(scenario())
        calls = listener.calls
        everything(play)
        play.settle()
        assert listener.calls == calls


def everything(play: Play) -> None:
    """Whatever the SDK may call, on a client that was released."""
    late: Participant = play.enter("late")
    play.depart(late.participant_id)
    play.network("signaling", "interrupted")
    play.eject()
    play.on_thread(play.clients[0].complete_join)
    for _, completion in play._writes:
        play.on_thread(lambda completion=completion: completion(160))  # type: ignore[misc]
