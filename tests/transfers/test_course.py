"""What each thing that happens makes of a transfer, and what is done then."""

from __future__ import annotations

import pytest

from relay.transfers.ports import (
    BothHeard,
    KeyPressed,
    MachineDetected,
    PhoneAnswered,
    PhoneEnded,
    PhoneRang,
    Refused,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from relay.transfers.states import Event, State
from tests.transfers.coordinated import came_to, coordinated, turn_until

# The dial


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.NO_ANSWER, Reason.REJECTED])
async def test_f1_a_phone_that_ends_unanswered_fails_with_the_carriers_reason(store_url: str, reason: Reason) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.hang_up_phone(transfer_id, PhoneEnded(reason, "486"))
        transfer = await case.ended(transfer_id)
        assert (came_to(transfer), transfer.provider_code) == ((State.FAILED, reason), "486")
        assert case.carrier.hang_ups == []


@pytest.mark.parametrize("state", [State.DIALING, State.RINGING])
async def test_f2_no_answer_at_our_own_deadline_and_the_phone_is_hung_up(store_url: str, state: State) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        await case.until(lambda: case.latest[transfer_id].provider_call_id == "CA1", "the call's id")
        case.clock.advance(29.9)
        assert not case.latest[transfer_id].is_terminal
        case.clock.advance(0.1)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.NO_ANSWER)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


async def test_f5_a_refused_dial_fails_with_the_carriers_code_and_is_not_repeated(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(Refused(Reason.INVALID_NUMBER, "21211", "no such number"))
        transfer = await case.ended(await case.begin())
        assert (came_to(transfer), transfer.provider_code) == ((State.FAILED, Reason.INVALID_NUMBER), "21211")
        assert len(case.carrier.dials) == 1


async def test_f6_a_busy_carrier_is_dialled_again_within_the_deadline(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(TryLater(None, "429"))
        case.carrier.script(TryLater(None, "429"))
        transfer_id = await case.begin()
        await case.clock.pass_pause(0.5)
        await case.clock.pass_pause(1.0)
        await case.carrier.until(lambda carrier: len(carrier.dials) == 3)
        await case.report(transfer_id, PhoneRang(), call_id="CA3")
        await case.until_state(transfer_id, State.RINGING)
        assert await case.log_of(transfer_id) == [None, Event.DIALED, Event.PLACED, Event.RANG]
        await case.coordinator.cancel(transfer_id)


async def test_f6_a_carrier_that_is_busy_until_the_deadline_fails(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(TryLater(3600.0, "429"))
        transfer_id = await case.begin()
        await case.clock.until_pause(3600.0)
        case.clock.advance(30.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.PROVIDER_BUSY)


async def test_f7_an_unclear_dial_goes_on_with_the_carriers_callback(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(Unclear("time-out"), makes="CA1")
        transfer_id = await case.reach(State.JOINED)
        assert case.latest[transfer_id].provider_call_id == "CA1"
        await case.coordinator.cancel(transfer_id)
        assert len(case.carrier.dials) == 1


@pytest.mark.parametrize("alive", [["CA1"], []])
async def test_f7_an_unclear_dial_without_a_callback_is_unknown_at_the_deadline(
    store_url: str, alive: list[str]
) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(Unclear("time-out"), makes=alive[0] if alive else None)
        transfer_id = await case.begin()
        await case.clock.until_pause(30.0)
        case.clock.advance(30.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.DIAL_UNKNOWN)
        await case.shut_down()
        assert (case.carrier.hang_ups, len(case.carrier.dials)) == (alive, 1)


async def test_f7_nobody_elses_call_is_hung_up_for_an_unclear_dial(store_url: str) -> None:
    """Two transfers call the same number: the call that is found is the other's, or may be."""
    async with coordinated(store_url) as case:
        talking = await case.reach(State.JOINED)
        case.carrier.script(Unclear("time-out"))
        unclear = await case.begin(room_url="https://example.daily.co/other")
        await case.clock.until_pause(30.0)
        case.clock.advance(30.0)
        assert came_to(await case.ended(unclear)) == (State.FAILED, Reason.DIAL_UNKNOWN)
        assert list(case.carrier.alive) == ["CA1"]
        assert (await case.coordinator.cancel(talking)) is not None


async def test_f8_an_answer_before_the_dials_reply_is_answered_normally(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.may_dial.clear()
        transfer_id = await case.reach(State.JOINED)
        case.carrier.may_dial.set()
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        assert (await case.log_of(transfer_id)).count(Event.PLACED) == 1


# The agent


async def test_f3_a_voicemail_that_presses_nothing_never_hears_the_customer(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.PRESS_1)
        await case.clock.until_pause(20.0)
        case.clock.advance(20.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.VOICEMAIL)
        assert not case.bridge(transfer_id).is_admitted


async def test_f3_a_machine_that_the_carrier_detects_never_hears_the_customer(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.DETECTION)
        assert case.carrier.dials[0].detect_machine
        assert case.carrier.dials[0].detection_timeout_s == 10.0
        await case.report(transfer_id, MachineDetected(is_machine=True))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.VOICEMAIL)
        assert not case.bridge(transfer_id).is_admitted


@pytest.mark.parametrize("is_early", [True, False])
async def test_a_person_that_the_carrier_detects_is_let_in(store_url: str, is_early: bool) -> None:  # noqa: FBT001
    async with coordinated(store_url) as case:
        state = State.RINGING if is_early else State.ANSWERED
        transfer_id = await case.reach(state, accept=Accept.DETECTION)
        case.bridge(transfer_id).emit(KeyPressed("1"))
        await case.report(transfer_id, PhoneRang(), event_id="again")
        await turn_until(lambda: case.logged("event_ignored") == 1)
        assert not case.bridge(transfer_id).is_admitted, "a key is no detection"
        await case.report(transfer_id, MachineDetected(is_machine=False))
        await case.bridge(transfer_id).until(lambda bridge: bridge.is_admitted)
        await case.report(transfer_id, MachineDetected(is_machine=True), event_id="too late")
        await case.coordinator.cancel(transfer_id)
        assert came_to(case.latest[transfer_id]) == (State.CANCELED, Reason.CANCELED_BY_API)


@pytest.mark.parametrize(
    ("key", "came"), [("1", None), ("2", Reason.DECLINED), ("3", Reason.VOICEMAIL), (None, Reason.VOICEMAIL)]
)
async def test_f3_whom_the_carrier_cannot_tell_from_a_machine_shows_it_by_a_key(
    store_url: str, key: str | None, came: Reason | None
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.DETECTION)
        bridge = case.bridge(transfer_id)
        await case.clock.until_pause(20.0)
        case.clock.advance(9.0)
        await case.report(transfer_id, MachineDetected(None))
        await turn_until(lambda: case.logged("detection_undecided") == 1)
        assert not bridge.is_admitted, "that it cannot be told is no proof"
        if key is not None:
            bridge.emit(KeyPressed(key))
        if came is Reason.VOICEMAIL:
            case.clock.advance(11.0)  # it has no more time than there was
        if came is None:
            await bridge.until(lambda bridge: bridge.is_admitted)
            await case.coordinator.cancel(transfer_id)
        else:
            assert came_to(await case.ended(transfer_id)) == (State.FAILED, came)
            assert not bridge.is_admitted


@pytest.mark.parametrize("verdict", [True, False], ids=["unknown", "none"])
@pytest.mark.parametrize(
    ("keys", "came"), [("1", None), ("15", None), ("21", None), ("2", Reason.DECLINED), ("12", Reason.DECLINED)]
)
async def test_f3_a_key_that_was_pressed_before_it_decides_is_not_forgotten(
    store_url: str,
    keys: str,
    came: Reason | None,
    verdict: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Who hears beeps presses at once, and the carrier may need seconds for its verdict, or have none."""
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.DETECTION)
        bridge = case.bridge(transfer_id)
        await case.clock.until_pause(20.0)
        for key in keys:
            bridge.emit(KeyPressed(key))
        case.clock.advance(9.9)
        await case.report(transfer_id, PhoneRang(), event_id="again")
        await turn_until(lambda: case.logged("event_ignored") == 1)
        assert not bridge.is_admitted, "a key is no detection"
        if verdict:
            await case.report(transfer_id, MachineDetected(None))
        else:
            case.clock.advance(0.1)
        if came is None:
            await bridge.until(lambda bridge: bridge.is_admitted)
            await case.coordinator.cancel(transfer_id)
        else:
            assert came_to(await case.ended(transfer_id)) == (State.FAILED, came)
            assert not bridge.is_admitted
        assert case.logged("detection_undecided") == 1


@pytest.mark.parametrize(("key", "came"), [("1", None), ("2", Reason.DECLINED), (None, Reason.VOICEMAIL)])
async def test_f3_a_carrier_that_never_says_who_picked_up_leaves_it_to_the_key(
    store_url: str, key: str | None, came: Reason | None
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.DETECTION)
        bridge = case.bridge(transfer_id)
        await case.clock.until_pause(20.0)
        case.clock.advance(10.0)
        await turn_until(lambda: case.logged("detection_undecided") == 1)
        assert not bridge.is_admitted, "that nothing is said is no proof"
        if key is not None:
            bridge.emit(KeyPressed(key))
        else:
            case.clock.advance(10.0)
        if came is None:
            await bridge.until(lambda bridge: bridge.is_admitted)
            await case.coordinator.cancel(transfer_id)
        else:
            assert came_to(await case.ended(transfer_id)) == (State.FAILED, came)


async def test_f3_a_machine_that_is_found_after_all_is_one(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.DETECTION)
        await case.report(transfer_id, MachineDetected(None), event_id="first")
        await case.report(transfer_id, MachineDetected(is_machine=True), event_id="second")
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.VOICEMAIL)
        assert not case.bridge(transfer_id).is_admitted


@pytest.mark.parametrize("accept", [Accept.NONE, Accept.PRESS_1])
async def test_a_detection_that_was_not_asked_for_changes_nothing(store_url: str, accept: Accept) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=accept)
        for is_machine in (None, False, True):
            await case.report(transfer_id, MachineDetected(is_machine=is_machine), event_id=str(is_machine))
        case.bridge(transfer_id).emit(KeyPressed("2"))
        case.bridge(transfer_id).emit(BothHeard())
        expected = State.JOINED if accept is Accept.NONE else State.FAILED
        assert (await case.until_state(transfer_id, expected)).reason is (
            None if accept is Accept.NONE else Reason.DECLINED
        )
        assert case.bridge(transfer_id).is_admitted is (accept is Accept.NONE)
        await case.coordinator.cancel(transfer_id)


async def test_an_agent_who_presses_1_is_let_in(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.PRESS_1)
        bridge = case.bridge(transfer_id)
        bridge.emit(KeyPressed("5"))
        bridge.emit(KeyPressed("1"))
        await bridge.until(lambda bridge: bridge.is_admitted)
        bridge.emit(BothHeard())
        await case.until_state(transfer_id, State.JOINED)
        bridge.emit(KeyPressed("2"))  # now it is only a tone
        await case.coordinator.cancel(transfer_id)
        assert came_to(case.latest[transfer_id]) == (State.DISCONNECTED, Reason.CANCELED_BY_API)


async def test_f4_an_agent_who_presses_2_declines(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media(accept=Accept.PRESS_1)
        case.bridge(transfer_id).emit(KeyPressed("2"))
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.DECLINED)


# Deadlines


async def test_an_answered_call_without_media_fails(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.report(transfer_id, PhoneAnswered())
        await case.clock.pass_pause(10.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_TIMEOUT)


async def test_media_without_both_being_heard_fails(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.with_media()
        await case.clock.pass_pause(20.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.MEDIA_TIMEOUT)


async def test_what_came_in_time_counts_though_its_deadline_passed_before_it_was_looked_at(store_url: str) -> None:
    """The store may take a second to write: what waits behind it is older than the deadline that has passed since."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.report(transfer_id, PhoneAnswered())
        case.clock.advance(30.0)
        await case.until_state(transfer_id, State.ANSWERED)
        assert await case.admits(transfer_id, await case.answer(transfer_id))
        case.bridge(transfer_id).connect(case.call_of(transfer_id))
        case.clock.advance(10.0)
        await case.until_state(transfer_id, State.JOINED)
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_both_heard_before_the_answer_joins_nothing_and_keeps_the_deadline(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        case.bridge(transfer_id).emit(BothHeard())
        await turn_until(lambda: case.logged("event_ignored") == 1)
        case.clock.advance(30.0)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.NO_ANSWER)
