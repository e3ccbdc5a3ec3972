"""The Daily room against a stand-in of the SDK: joins that fail, what is asked for, audio both ways, and leaving."""

from __future__ import annotations

import asyncio
import threading

import pytest
import structlog

from relay.errors import RoomDenied, RoomEnded, RoomError, RoomUnreachable
from relay.rooms import daily as daily_module
from relay.rooms import daily_call
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import SUBSCRIPTIONS, UNPROCESSED, Backend
from relay.rooms.loopback import LoopbackRoom
from tests.rooms.daily_play import Manner, Play
from tests.rooms.daily_room import TOKEN, URL, joined, room_of
from tests.rooms.listener import Listener, level, run
from tests.signals import samples_of

BACKENDS = pytest.mark.parametrize("backend", Backend)


@pytest.fixture
def short_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (daily_module, daily_call):
        monkeypatch.setattr(module, "LEAVE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(daily_module, "RELEASE_TIMEOUT_S", 0.05)


def not_joined(play: Play, room: DailyRoom, error: type[RoomError], match: str | None = None) -> None:
    """Joining fails so, no place is kept, and the listener hears nothing."""

    async def scenario() -> None:
        with play.running():
            listener = Listener(ptime_ms=10)
            with pytest.raises(error, match=match) as raised:
                await room.join(listener)
            assert TOKEN not in str(raised.value)
            assert raised.value.__cause__ is None
            await room.leave()
            assert (play.joined(), listener.calls) == ([], 0)
            assert all(client.is_released for client in play.clients)

    run(scenario())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Connection(Api(RoomLookup(RoomInfoFetchFailed(Get(Connect, failed to lookup address)))))", RoomUnreachable),
        ("Permissions(InvalidMeetingToken)", RoomDenied),
        (f"Connection(Get(https://gs.daily.co/rooms/check/relay/support-42?t={TOKEN}): 403)", RoomDenied),
    ],
)
def test_f18_a_join_that_fails_says_whether_it_was_refused(text: str, error: type[RoomError]) -> None:
    play = Play(join_error=text)
    not_joined(play, room_of(play), error)


def test_f18_what_the_sdk_raises_is_an_error_of_the_room() -> None:
    play = Play(join_raises=ValueError(f"invalid input settings beside {TOKEN}"))
    not_joined(play, room_of(play), RoomUnreachable, "invalid input settings")


@BACKENDS
def test_f18_a_device_of_another_rate_is_not_used(backend: Backend) -> None:
    """The SDK makes devices of any rate, even 7 Hz, without complaint."""
    play = Play(rate_hz=7)
    not_joined(play, room_of(play, backend=backend), RoomUnreachable, "expected a device of 16000 Hz")
    assert "join" not in play.asked


def test_f19_a_join_without_an_answer_is_bounded_and_its_place_is_given_back() -> None:
    play = Play(join_answers=0)
    not_joined(play, DailyRoom(URL, token=None, sdk=play.sdk, join_timeout_s=0.05), RoomUnreachable, "within 0.05 s")
    assert play.asked[-3:] == ["join", "leave", "release"]


def test_f19_a_slow_join_succeeds_within_its_bound() -> None:
    async def scenario() -> None:
        play = Play(join_answers=0)
        with play.running():
            room = room_of(play)
            joining = asyncio.create_task(room.join(Listener(ptime_ms=10)))
            await until_asked(play, "join")
            assert not joining.done()
            play.join_answers = 1
            play.on_thread(play.clients[0].complete_join)
            assert list(await joining) == []
            await room.leave()

    run(scenario())


async def until_asked(play: Play, what: str) -> None:
    """Until the SDK has been asked so, on whatever thread."""
    witness, listener = LoopbackRoom(), Listener(ptime_ms=10)
    await witness.join(listener)
    await listener.until(lambda: any(each.startswith(what) for each in play.asked))
    await witness.leave()


def test_leave_while_joining_ends_the_join() -> None:
    async def scenario() -> None:
        play = Play(join_answers=0)
        with play.running():
            room = room_of(play)
            joining = asyncio.create_task(room.join(Listener(ptime_ms=10)))
            await until_asked(play, "join")
            await room.leave()
            with pytest.raises(RoomEnded, match="left while joining"):
                await joining
            assert play.asked[-2:] == ["leave", "release"]
            play.join_answers = 1
            play.clients[0].complete_join()  # as late as this
            assert room.counts["leaked_threads"] == 0

    run(scenario())


@BACKENDS
def test_what_is_asked_for_is_audio_alone(backend: Backend) -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play, backend=backend):
            (client,) = play.clients
            url, token, settings = client.joining or ("", None, None)
            assert (url, token, client.user_name, client.subscriptions) == (URL, TOKEN, "relay", SUBSCRIPTIONS)
            inputs = (settings or {})["inputs"]
            assert inputs["camera"] == {"isEnabled": False}
            assert inputs["microphone"]["isEnabled"] is True
            microphone = inputs["microphone"]["settings"]
            if backend is Backend.VIRTUAL:
                # Nothing of WebRTC's is to work on the voice: it would take a tone for noise.
                assert microphone["customConstraints"] == UNPROCESSED
                assert not any(wanted["exact"] for wanted in UNPROCESSED.values())
            assert ("deviceId" in microphone, "customTrack" in microphone) == (
                backend is Backend.VIRTUAL,
                backend is Backend.TRACKS,
            )
            assert ("select" in play.asked[0]) == (backend is Backend.VIRTUAL)

    run(scenario())


def test_a_token_is_minted_for_one_join_and_one_that_was_given_is_used_as_it_is() -> None:
    async def used(play: Play, given: str | None) -> str | None:
        async def mint() -> str:
            return "minted"

        with play.running():
            room = DailyRoom(URL, token=given, mint_token=mint, sdk=play.sdk)
            await room.join(Listener(ptime_ms=10))
            await room.leave()
        assert play.clients[0].joining is not None
        return play.clients[0].joining[1]

    async def scenario() -> None:
        assert await used(Play(), None) == "minted"
        assert await used(Play(), TOKEN) == TOKEN

    run(scenario())


@pytest.mark.parametrize("error", [RoomDenied("no token"), RoomUnreachable("no answer")])
def test_f18_a_token_that_is_not_made_fails_the_join(error: RoomError) -> None:
    async def mint() -> str:
        raise error

    play = Play()
    not_joined(play, DailyRoom(URL, token=None, mint_token=mint, sdk=play.sdk), type(error))
    assert play.asked == []


def test_f19_a_token_that_does_not_come_is_within_the_bound_of_the_join() -> None:
    async def mint() -> str:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    play = Play()
    not_joined(play, DailyRoom(URL, token=None, mint_token=mint, sdk=play.sdk, join_timeout_s=0.05), RoomUnreachable)


def test_a_token_is_in_no_repr_no_log_and_not_kept() -> None:
    async def scenario() -> None:
        play = Play()
        with structlog.testing.capture_logs() as logged:
            async with joined(play) as (room, _, _other):
                play.tell("on_error", f"GET https://daily.co/?t={TOKEN} failed")
                play.settle()
                held = (
                    repr(room) + repr(vars(room)) + repr([vars(each) for each in vars(room).values() if has_dict(each)])
                )
                assert TOKEN not in held
        assert len(logged) >= 2
        assert TOKEN not in repr(logged)

    run(scenario())


def has_dict(each: object) -> bool:
    return hasattr(each, "__dict__") and not isinstance(each, type)


@BACKENDS
@pytest.mark.long
def test_audio_goes_both_ways_without_a_gap(backend: Backend) -> None:
    async def scenario() -> None:
        play = Play()
        with play.running():
            play.enter("customer")
            room, listener = room_of(play, backend=backend), Listener(1000, ptime_ms=10)
            await room.join(listener)
            await listener.until(lambda: len(listener.heard) >= 50)
            heard = listener.heard[2:]
            assert {pcm for _, pcm in heard[2:]} == {play.said * 320}
            said = [frame for frame in play.heard if any(frame)][:40]
            assert len(said) == 40
            assert level(samples_of(b"".join(said)), 1000) == pytest.approx(8000, rel=0.01)
            assert (room.counts["dropped_frames"], room.counts["bad_messages"]) == (0, 0)
            await room.leave()

    run(scenario())


def test_participants_of_the_tracks_backend_are_mixed() -> None:
    async def scenario() -> None:
        play = Play(said=b"\x00\x10")
        async with joined(play, backend=Backend.TRACKS) as (_, listener, _other):
            play.enter("bot")
            await listener.until(lambda: listener.heard[-1:] != [] and listener.heard[-1][1] == b"\x00\x20" * 320)

    run(scenario())


@pytest.mark.parametrize("manner", [Manner.EMPTY, Manner.RUSHED, Manner.WITHIN, Manner.TWICE, Manner.RAISING])
def test_whatever_the_devices_do_both_run_at_their_ptime(manner: Manner) -> None:
    """The listener is asked and told at real time, and no completion makes another attempt by itself."""

    async def scenario() -> None:
        play = Play()
        async with joined(play) as (room, listener, _other):
            await listener.has_heard(3)
            play.microphone = play.speaker = manner
            begin_ns, asked, heard = listener.asked_ns[-1], len(listener.asked_ns), len(listener.heard)
            await listener.until(lambda: len(listener.asked_ns) >= asked + 30)
            passed_ms = (listener.asked_ns[-1] - begin_ns) / 1e6
            assert passed_ms >= 250
            assert len(listener.heard) - heard <= passed_ms / 20 + 4
            is_taken = manner in {Manner.RUSHED, Manner.WITHIN, Manner.TWICE}
            assert (room.counts["dropped_frames"] <= 2) == is_taken

    run(scenario())


def test_one_call_of_a_process_has_the_virtual_devices_and_any_number_has_tracks() -> None:
    """A second microphone would carry one customer's agent to another."""

    async def scenario() -> None:
        play = Play()
        async with joined(play) as (first, _listener, _other):
            with pytest.raises(RoomUnreachable, match="no other call of this process"):
                await room_of(play).join(Listener(ptime_ms=10))
            tracks = [room_of(play, backend=Backend.TRACKS) for _ in range(2)]
            for room in tracks:
                await room.join(Listener(ptime_ms=10))
            assert len(play.joined()) == 3
            for room in (*tracks, first):
                await room.leave()
            again = room_of(play)
            await again.join(Listener(ptime_ms=10))
            await again.leave()

    run(scenario())


def test_leaving_comes_before_releasing_off_the_loop() -> None:
    async def scenario() -> None:
        play = Play()
        async with joined(play) as (room, _listener, _other):
            await asyncio.gather(room.leave(), room.leave())
            assert play.asked[-2:] == ["leave", "release"]

    run(scenario())


@pytest.mark.usefixtures("short_bounds")
def test_f22_a_release_that_hangs_is_bounded_counted_and_disturbs_nobody() -> None:
    async def scenario() -> None:
        play = Play(release_gate=threading.Event())
        witness, listener = LoopbackRoom(), Listener(ptime_ms=10)
        await witness.join(listener)
        async with joined(play) as (room, _listener, _other):
            leaving = asyncio.create_task(room.leave())
            await until_asked(play, "release")
            await listener.hears(3)
            await leaving
            assert room.counts["leaked_threads"] == 1
            assert witness.counts["missed_ticks"] == 0
            await room.leave()
            assert room.counts["leaked_threads"] == 1
            with pytest.raises(RoomUnreachable, match="no other call of this process"):  # which still has the devices
                await room_of(play).join(Listener(ptime_ms=10))
        await witness.leave()

    run(scenario())


@pytest.mark.usefixtures("short_bounds")
def test_f22_a_client_that_does_not_leave_is_released_all_the_same() -> None:
    async def scenario() -> None:
        play = Play(leave_answers=False)
        async with joined(play) as (room, _listener, _other):
            await room.leave()
            assert play.clients[0].is_released
            assert room.counts["leaked_threads"] == 0

    run(scenario())
