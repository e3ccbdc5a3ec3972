"""What the carrier's streams and the room make of a transfer."""

from __future__ import annotations

import asyncio

import pytest

from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.course import LAST_WORD_S
from relay.transfers.course_settings import CourseSettings
from relay.transfers.phone_leg import REDIAL_S
from relay.transfers.ports import (
    BothHeard,
    BridgeEnded,
    BridgeEvent,
    MediaBack,
    MediaLost,
    MediaStarted,
    PhoneAlive,
    PhoneEnded,
    PhoneRang,
    Placed,
    Refused,
    RoomJoined,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from relay.transfers.states import Event, State
from tests.transfers.coordinated import came_to, coordinated, turn

# The media


async def test_f14_media_that_is_lost_comes_back_over_one_new_stream(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        bridge = case.bridge(transfer_id)
        bridge.emit(MediaLost("reset"))
        await case.until(lambda: case.latest[transfer_id].reconnecting, "reconnecting")
        grant = await case.answer(transfer_id, 1)
        assert await case.answer(transfer_id, 1) == grant, "the webhook, sent again, is answered as before"
        assert [await case.admits(transfer_id, grant) for _ in range(3)] == [True, False, False]
        bridge.emit(MediaStarted(case.call_of(transfer_id)))
        bridge.emit(MediaBack())
        await case.until(lambda: not case.latest[transfer_id].reconnecting, "media")
        assert case.latest[transfer_id].state is State.JOINED
        assert await case.answer(transfer_id, 1) is None
        bridge.emit(BridgeEnded(Reason.MEDIA_LOST, "reset again, for too long"))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.MEDIA_LOST)


async def test_f14_phone_whose_stream_is_lost_is_hung_up_at_once_when_it_is_over(store_url: str) -> None:
    """Nobody would hear the notice, so that the bridge's own end is not waited for."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        bridge = case.bridge(transfer_id)
        bridge.emit(MediaLost("reset"))
        await case.until(lambda: case.latest[transfer_id].reconnecting, "reconnecting")
        bridge.may_release.clear()
        await case.coordinator.cancel(transfer_id)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        bridge.may_release.set()


async def test_f14_carrier_that_ends_the_call_with_the_stream_it_lost_has_lost_the_media(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).emit(MediaLost("reset"))
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.MEDIA_LOST)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (MediaLost("reset"), Reason.MEDIA_LOST),
        (BridgeEnded(Reason.MEDIA_LOST, "reset, and not to come back"), Reason.MEDIA_LOST),
        (BridgeEnded(Reason.AGENT_HUNG_UP, "stop"), Reason.AGENT_HUNG_UP),
        (None, Reason.AGENT_HUNG_UP),
    ],
)
async def test_f14_f16_carriers_word_that_overtakes_the_bridges_waits_for_it(
    store_url: str, word: BridgeEvent | None, reason: Reason
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.carrier.end("CA1")
        for _ in range(2):
            await case.report(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        await case.clock.until_pause(LAST_WORD_S)
        case.clock.advance(LAST_WORD_S - 0.01)
        assert not case.latest[transfer_id].is_terminal
        if word is not None:
            case.bridge(transfer_id).emit(word)
        else:
            case.clock.advance(0.01)
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, reason)


@pytest.mark.parametrize("was_admitted", [True, False])
async def test_f14_call_whose_first_socket_failed_gets_another_stream(store_url: str, was_admitted: bool) -> None:  # noqa: FBT001
    """Nobody came with the first token, or somebody did, and no stream began; the carrier asks for the next one."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        first = await case.answer(transfer_id)
        assert first is not None
        if was_admitted:
            assert await case.admits(transfer_id, first)
        second = await case.answer(transfer_id, 1)
        assert await case.answer(transfer_id, 0) is None, "a late copy of the first webhook"
        assert not await case.admits(transfer_id, first)
        assert await case.admits(transfer_id, second)
        case.bridge(transfer_id).connect(case.call_of(transfer_id))
        await case.until_state(transfer_id, State.JOINED)
        assert case.carrier.hang_ups == []
        await case.coordinator.cancel(transfer_id)


async def test_f15_sockets_that_fail_one_after_the_other_are_waited_for_no_longer_than_one(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.ANSWERED)
        for stream in range(1, 5):
            case.clock.advance(2.4)
            assert await case.admits(transfer_id, await case.answer(transfer_id, stream))
        case.clock.advance(0.4)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_TIMEOUT)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


@pytest.mark.parametrize(
    ("accept", "reason"), [(Accept.NONE, Reason.MEDIA_TIMEOUT), (Accept.PRESS_1, Reason.VOICEMAIL)]
)
async def test_f15_streams_that_begin_one_after_the_other_are_waited_for_no_longer_than_one(
    store_url: str, accept: Accept, reason: Reason
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=accept)
        await case.clock.until_pause(20.0)
        for stream in (1, 2):
            case.clock.advance(9.0)
            assert await case.admits(transfer_id, await case.answer(transfer_id, stream))
            case.bridge(transfer_id).emit(MediaStarted(case.call_of(transfer_id)))
        assert await case.answer(transfer_id, 3) is not None  # by then the stream before has been seen
        assert not case.latest[transfer_id].is_terminal
        case.clock.advance(2.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, reason)


async def test_t1_a_second_stream_is_let_in_once_the_call_is_answered_and_no_later_one(store_url: str) -> None:
    """The URL of each is in the answer that the one before got: nobody can have been given that of a later one."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        assert [await case.answer(transfer_id, stream) for stream in (1, 2, 7)] == [None] * 3
        assert case.latest[transfer_id].state is State.RINGING
        assert await case.admits(transfer_id, await case.answer(transfer_id))
        case.bridge(transfer_id).connect(case.call_of(transfer_id))
        await case.until_state(transfer_id, State.JOINED)
        assert [await case.answer(transfer_id, stream) for stream in (0, 2, 7, 999)] == [None] * 4
        grant = await case.answer(transfer_id, 1)
        assert await case.answer(transfer_id, 1) == grant, "the carrier's webhook came again"
        assert await case.answer(transfer_id, 3) is None
        assert await case.admits(transfer_id, grant)
        assert await case.answer(transfer_id, 1) is None
        assert case.carrier.hang_ups == []
        await case.coordinator.cancel(transfer_id)


async def test_an_answer_sent_again_after_its_stream_has_begun_opens_nothing(store_url: str) -> None:
    """T1: whoever replays a recorded answer webhook gets no token, and does no harm."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.ANSWERED)
        assert await case.answer(transfer_id, 0) is None
        case.bridge(transfer_id).connect(case.call_of(transfer_id))
        await case.until_state(transfer_id, State.JOINED)
        assert await case.answer(transfer_id, 0) is None
        assert case.carrier.hang_ups == []
        await case.coordinator.cancel(transfer_id)


async def test_media_of_another_call_ends_the_transfer(store_url: str) -> None:
    """T1: the stream was opened with this transfer's token, and says it is of a call that is not."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.ANSWERED)
        case.bridge(transfer_id).connect("CA999")
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.PROVIDER_ERROR)
        assert Event.JOINED not in await case.log_of(transfer_id)


async def test_a_second_call_that_is_answered_gets_no_stream_and_is_hung_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        case.carrier.alive["CA9"] = case.carrier.dials[0]
        assert await case.answer(transfer_id, call_id="CA9") is None
        await case.carrier.until(lambda carrier: list(carrier.alive) == ["CA1"])
        assert case.latest[transfer_id].state is State.RINGING
        await case.coordinator.cancel(transfer_id)


async def test_a_caller_that_goes_before_its_answer_is_ready_harms_nothing(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        asking = asyncio.create_task(case.answer(transfer_id))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        await case.until_state(transfer_id, State.ANSWERED)
        assert await case.answer(transfer_id) is not None
        await case.coordinator.cancel(transfer_id)


# The room


@pytest.mark.parametrize("reason", [Reason.ROOM_DENIED, Reason.ROOM_UNREACHABLE])
@pytest.mark.parametrize("state", [State.DIALING, State.RINGING, State.ANSWERED])
async def test_f18_a_room_that_cannot_be_joined_fails_the_transfer(
    store_url: str, state: State, reason: Reason
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        case.bridge(transfer_id).emit(BridgeEnded(reason, "403"))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, reason)
        await case.carrier.until(lambda carrier: carrier.alive == {})


async def test_f19_a_room_that_is_joined_after_the_answer_is_waited_for(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media()
        await case.clock.until_pause(20.0)
        case.clock.advance(15.0)
        case.bridge(transfer_id).emit(RoomJoined())
        case.bridge(transfer_id).emit(BothHeard())
        await case.until_state(transfer_id, State.JOINED)
        case.clock.advance(3600.0)
        assert not case.latest[transfer_id].is_terminal
        await case.coordinator.cancel(transfer_id)


async def test_f20_a_room_that_ends_disconnects_and_the_phone_is_hung_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).emit(BridgeEnded(Reason.ROOM_ENDED, "ejected"))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.ROOM_ENDED)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


@pytest.mark.parametrize("ringback", [True, False])
async def test_the_customer_hears_that_it_rings_once(store_url: str, ringback: bool) -> None:  # noqa: FBT001
    settings = CoordinatorSettings(course=CourseSettings(ringback=ringback))
    async with coordinated(store_url, settings) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.report(transfer_id, PhoneRang(), event_id="again")
        await case.coordinator.cancel(transfer_id)
        assert case.bridge(transfer_id).rings == int(ringback)


@pytest.mark.parametrize("ringback", [True, False])
@pytest.mark.parametrize("answer", [Placed("CA1"), Unclear("504"), Placed("request:1", is_final=False)], ids=str)
async def test_the_customer_hears_ringing_from_a_carrier_that_never_tells_as_soon_as_it_has_the_call(
    store_url: str,
    answer: Placed | Unclear,
    ringback: bool,  # noqa: FBT001
) -> None:
    """By the dial's answer, or by the first word of a call whose dial was not answered for good; it is no state."""
    settings = CoordinatorSettings(course=CourseSettings(ringback=ringback))
    async with coordinated(store_url, settings) as case:
        case.carrier.tells_ringing = False
        case.carrier.script(answer, makes=None if isinstance(answer, Placed) else "CA1")
        transfer_id = await case.begin()
        bridge = case.bridge(transfer_id)
        await turn(40)
        await bridge.until(lambda bridge: bridge.rings == int(ringback and answer == Placed("CA1")))
        case.carrier.alive.setdefault("CA1", case.carrier.dials[0])
        for event_id in ("first", "again"):
            await case.report(
                transfer_id, PhoneAlive(), call_id="CA1", event_id=event_id, placed_id=getattr(answer, "call_id", "")
            )
        await bridge.until(lambda bridge: bridge.rings == int(ringback))
        assert case.latest[transfer_id].state is State.DIALING
        await case.report(transfer_id, PhoneRang(), call_id="CA1")
        await case.until_state(transfer_id, State.RINGING)
        assert bridge.rings == int(ringback)
        case.carrier.alive.pop("request:1", None)
        await case.coordinator.cancel(transfer_id)


async def test_the_customer_hears_no_ringing_before_a_carrier_that_tells_of_it_says_so(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.begin()
        await case.report(transfer_id, PhoneAlive())
        await turn(40)
        assert case.bridge(transfer_id).rings == 0
        await case.coordinator.cancel(transfer_id)


async def test_a_carrier_that_is_busy_or_refuses_lets_nobody_hear_ringing(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.tells_ringing = False
        case.carrier.script(TryLater(None, "429"))
        case.carrier.script(Refused(Reason.REJECTED, "403", "refused"))
        transfer_id = await case.begin()
        await case.clock.pass_pause(REDIAL_S[0])
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.REJECTED)
        assert case.bridge(transfer_id).rings == 0


async def test_what_the_agent_is_told_first_takes_its_time_before_the_stream_is_missed(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.begin(say=200 * "a")
        await case.answer(transfer_id)
        await case.until_state(transfer_id, State.ANSWERED)
        case.clock.advance(10 + 200 / 8 - 0.1)
        assert not case.latest[transfer_id].is_terminal
        case.clock.advance(0.1)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_TIMEOUT)
