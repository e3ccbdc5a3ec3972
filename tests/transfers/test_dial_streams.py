"""Carriers that are told with the dial where the call's one stream goes, and ask for nothing when it is answered."""

from __future__ import annotations

import pytest

from relay.transfers.ports import (
    BothHeard,
    BridgeEnded,
    MediaLost,
    MediaStarted,
    PhoneAnswered,
    PhoneEnded,
    PhoneRang,
    Placed,
    StreamFailed,
    Unclear,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from relay.transfers.states import Event, State
from tests.transfers.coordinated import Case, came_to, coordinated, turn


async def dialled(case: Case, **order: object) -> tuple[str, str]:
    """A transfer that such a carrier has been told to dial, and the token that it has been given."""
    case.carrier.opens_stream_at_dial, case.carrier.reopens_stream = True, False
    transfer_id = await case.begin(**order)
    await case.until_state(transfer_id, State.DIALING)
    token = case.carrier.dials[-1].media_token
    assert token is not None
    assert token not in repr(case.carrier.dials)
    return transfer_id, token


async def joined(case: Case) -> str:
    transfer_id, token = await dialled(case)
    assert await case.coordinator.admits(transfer_id, "twilio", token)
    case.bridge(transfer_id).connect("CA1")
    await case.until_state(transfer_id, State.JOINED)
    return transfer_id


async def test_a_dial_that_opens_no_stream_brings_no_token(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.begin()
        assert case.carrier.dials[0].media_token is None
        await case.coordinator.cancel(transfer_id)


async def test_the_stream_of_the_dial_is_let_in_once_and_answers_the_call(store_url: str) -> None:
    """The carrier's report of the answer may come later, or never."""
    async with coordinated(store_url) as case:
        transfer_id, token = await dialled(case)
        await case.report(transfer_id, PhoneRang())
        await case.until_state(transfer_id, State.RINGING)
        admitted = [await case.coordinator.admits(transfer_id, "twilio", token) for _ in range(3)]
        assert admitted == [True, False, False]
        case.bridge(transfer_id).emit(MediaStarted("CA1"))
        await case.until_state(transfer_id, State.ANSWERED)
        await case.report(transfer_id, PhoneAnswered())
        case.bridge(transfer_id).emit(BothHeard())
        await case.until_state(transfer_id, State.JOINED)
        log = await case.log_of(transfer_id)
        assert [event for event in log if event is not Event.PLACED] == [
            None,
            Event.DIALED,
            Event.RANG,
            Event.ANSWERED,
            Event.JOINED,
        ]
        await case.coordinator.cancel(transfer_id)


async def test_a_call_that_is_reported_answered_and_gets_no_stream_fails(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id, _ = await dialled(case)
        await case.report(transfer_id, PhoneAnswered())
        await case.until_state(transfer_id, State.ANSWERED)
        case.clock.advance(10.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_TIMEOUT)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


@pytest.mark.parametrize("answers", [True, False])
async def test_f14_a_stream_that_cannot_be_opened_ends_the_call_at_once(store_url: str, *, answers: bool) -> None:
    """The agent has picked up, and would hear nothing until the deadline; the carrier may say this first."""
    async with coordinated(store_url) as case:
        transfer_id, _ = await dialled(case)
        if answers:
            await case.report(transfer_id, PhoneAnswered())
            await case.until_state(transfer_id, State.ANSWERED)
        await case.report(transfer_id, StreamFailed("connection_failed"))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_LOST)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert case.clock.now_s == 0
        assert [log["detail"] for log in case.logs if log["event"] == "stream_failed"] == ["connection_failed"]


async def test_f14_a_carriers_word_of_a_stream_that_is_there_ends_nothing(store_url: str) -> None:
    """When it breaks the bridge knows, who hears it."""
    async with coordinated(store_url) as case:
        transfer_id = await joined(case)
        await case.report(transfer_id, StreamFailed("connection_failed"))
        await turn(40)
        assert case.latest[transfer_id].state is State.JOINED
        await case.coordinator.cancel(transfer_id)


async def test_press_1_is_asked_for_over_the_stream_as_ever(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id, token = await dialled(case, accept=Accept.PRESS_1)
        assert await case.coordinator.admits(transfer_id, "twilio", token)
        case.bridge(transfer_id).emit(MediaStarted("CA1"))
        await case.clock.until_pause(20.0)
        case.clock.advance(20.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.VOICEMAIL)


@pytest.mark.parametrize("answer", [Placed("CA1"), Unclear("504")])
async def test_f7_a_stream_that_is_faster_than_the_dials_answer_names_the_call(
    store_url: str, answer: Placed | Unclear
) -> None:
    """Or than what never says so: the token was the carrier's alone."""
    async with coordinated(store_url) as case:
        case.carrier.script(answer, makes="CA1")
        case.carrier.may_dial.clear()
        transfer_id, token = await dialled(case)
        assert await case.coordinator.admits(transfer_id, "twilio", token)
        case.bridge(transfer_id).connect("CA1")
        transfer = await case.until_state(transfer_id, State.JOINED)
        assert transfer.provider_call_id == "CA1"
        case.carrier.may_dial.set()
        await turn(40)
        await case.coordinator.cancel(transfer_id)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert case.carrier.sought == []
        assert case.logged("second_call") == 0


async def test_media_of_another_call_ends_the_transfer_and_not_that_call(store_url: str) -> None:
    """T1: whoever has stolen the token can name a call of somebody else's."""
    async with coordinated(store_url) as case:
        transfer_id, _ = await dialled(case)
        case.carrier.made.append(("CA9", case.carrier.dials[0]))
        await case.report(transfer_id, PhoneRang())
        await case.until_state(transfer_id, State.RINGING)
        case.bridge(transfer_id).emit(MediaStarted("CA9"))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.PROVIDER_ERROR)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        assert case.carrier.hang_ups == ["CA1"]


async def test_f14_a_stream_that_breaks_has_no_next_one_and_ends_the_call_at_once(store_url: str) -> None:
    """Nobody would ask for another: to wait for it would keep the customer in silence."""
    async with coordinated(store_url) as case:
        transfer_id = await joined(case)
        case.bridge(transfer_id).emit(MediaLost("reset"))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.MEDIA_LOST)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert case.clock.now_s == 0


async def test_f14_so_does_one_that_was_asked_for_where_no_other_may_follow(store_url: str) -> None:
    """The carrier asked for it when the phone was answered, and is given no URL to ask for another."""
    async with coordinated(store_url) as case:
        case.carrier.reopens_stream = False
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).emit(MediaLost("reset"))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.MEDIA_LOST)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert case.clock.now_s == 0


async def test_f14_a_stream_that_breaks_before_both_were_heard_ends_the_call_too(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id, token = await dialled(case)
        assert await case.coordinator.admits(transfer_id, "twilio", token)
        case.bridge(transfer_id).emit(MediaStarted("CA1"))
        case.bridge(transfer_id).emit(BridgeEnded(Reason.MEDIA_LOST, "reset"))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_LOST)


async def test_f16_an_agent_who_hangs_up_ends_it_as_with_any_carrier(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await joined(case)
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.parametrize("turns", range(0, 120, 6))
async def test_cancel_while_the_token_is_made_dials_once_at_most_and_leaves_no_phone(
    store_url: str, turns: int
) -> None:
    async with coordinated(store_url) as case:
        case.carrier.opens_stream_at_dial, case.carrier.reopens_stream = True, False
        transfer_id = (await case.request()).transfer.transfer_id
        await turn(turns)
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)
        assert len(case.carrier.dials) <= 1
