"""Calls whose own id is another than what the dial's answer calls them."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import PhoneAlive, PhoneEnded, PhoneNews, PhoneRang, PhoneReport, Placed, Unclear
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State
from tests.transfers.coordinated import Case, came_to, coordinated, turn_until
from tests.transfers.simulated import SimulatedCarrier
from tests.transfers.test_phone_leg import ORDER
from tests.transfers.test_phone_leg import Case as LegCase

REQUEST, CALL, OTHER = "request:1", "CA1", "CA2"


def said(news: PhoneNews, *, call_id: str = CALL, placed_id: str = REQUEST) -> PhoneReport:
    return PhoneReport(call_id, news, type(news).__name__, placed_id)


def placing(*, is_final: bool = False) -> SimulatedCarrier:
    """A carrier whose dial's answer has the request's id, while the phone has one of its own."""
    carrier = SimulatedCarrier()
    carrier.script(Placed(REQUEST, is_final))
    return carrier


def made(carrier: SimulatedCarrier) -> None:
    """The carrier has made a call of its request."""
    carrier.alive[CALL] = carrier.alive.pop(REQUEST)


@pytest.mark.parametrize("is_final", [False, True])
async def test_a_report_that_names_what_was_placed_gives_the_call_its_own_id(is_final: bool) -> None:  # noqa: FBT001
    """Also if the answer did not say that its id is not the call's."""
    case = LegCase(placing(is_final=is_final))
    await case.dial()
    made(case.carrier)
    with structlog.testing.capture_logs() as logs:
        assert case.phone.see(said(PhoneRang()))
        assert case.phone.see(said(PhoneAlive()))
        assert case.phone.see(said(PhoneAlive(), placed_id=""))
    assert case.phone.call_id == CALL
    assert logs == []
    await case.phone.hang_up()
    assert (case.carrier.hang_ups, case.carrier.alive) == ([CALL], {})


async def test_a_report_that_does_not_say_what_was_placed_names_a_call_that_has_no_name_yet() -> None:
    case = LegCase(placing())
    await case.dial()
    made(case.carrier)
    assert case.phone.see(said(PhoneRang(), placed_id=""))
    await case.phone.hang_up()
    assert (case.carrier.hang_ups, case.carrier.alive) == ([CALL], {})


@pytest.mark.parametrize("placed_id", [REQUEST, ""])
async def test_a_report_that_is_faster_than_the_dials_answer_names_the_call(placed_id: str) -> None:
    case = LegCase(placing())
    await case.dial_in_flight()
    made(case.carrier)
    with structlog.testing.capture_logs() as logs:
        assert case.phone.see(said(PhoneRang(), placed_id=placed_id))
        case.carrier.may_dial.set()
        assert await case.answers.get() == Placed(REQUEST, is_final=False)
    assert (case.phone.call_id, case.phone.is_placing, logs) == (CALL, False, [])
    await case.phone.hang_up()
    assert (case.carrier.hang_ups, case.carrier.alive) == ([CALL], {})


async def test_a_call_of_another_request_is_one_too_many() -> None:
    case = LegCase(placing())
    await case.dial()
    case.carrier.alive[OTHER] = ORDER
    assert not case.phone.see(said(PhoneRang(), call_id=OTHER, placed_id="request:2"))
    made(case.carrier)
    assert case.phone.see(said(PhoneRang()))
    await case.phone.settle()
    assert list(case.carrier.alive) == [CALL]
    await case.phone.hang_up()


async def test_a_second_call_of_one_request_is_hung_up() -> None:
    case = LegCase(placing())
    await case.dial()
    made(case.carrier)
    assert case.phone.see(said(PhoneRang()))
    case.carrier.alive[OTHER] = ORDER
    assert not case.phone.see(said(PhoneRang(), call_id=OTHER))
    await case.phone.settle()
    assert list(case.carrier.alive) == [CALL]
    await case.phone.hang_up()


async def test_a_call_that_gets_its_name_while_it_is_hung_up_is_hung_up_by_that() -> None:
    case = LegCase(placing())
    await case.dial()
    case.carrier.failing_hang_ups = 1
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.clock.until_pause(ASK_AGAIN_S[0])
    made(case.carrier)
    assert case.phone.see(said(PhoneRang()))
    await hanging_up
    assert (case.carrier.hang_ups, case.carrier.alive) == ([REQUEST, CALL], {})
    assert case.phone.is_over


async def test_a_call_that_gets_its_name_after_its_request_was_withdrawn_is_hung_up() -> None:
    """The phone was answered at that moment: to withdraw the request did nothing."""
    case = LegCase(placing())
    await case.dial()
    made(case.carrier)
    await case.phone.hang_up()
    assert case.carrier.alive != {}
    case.phone.see(said(PhoneRang()))
    assert not case.phone.is_over
    await case.phone.settle()
    assert (case.carrier.hang_ups, case.carrier.alive) == ([REQUEST, CALL], {})


async def test_a_call_that_is_over_before_the_dial_is_answered_is_not_hung_up() -> None:
    case = LegCase(placing())
    await case.dial_in_flight()
    case.carrier.end(REQUEST)
    assert case.phone.see(said(PhoneEnded(Reason.BUSY)))
    case.carrier.may_dial.set()
    await case.answers.get()
    await case.phone.hang_up()
    assert case.carrier.hang_ups == []
    assert case.phone.is_over


async def test_f7_a_call_without_a_name_may_be_any_that_the_carrier_lists() -> None:
    """Another transfer's search must not take it for its own."""
    case = LegCase(placing())
    await case.dial()
    assert case.phone.is_placing
    case.phone.know(CALL, REQUEST)
    assert not case.phone.is_placing
    await case.phone.hang_up()


async def test_f7_two_transfers_to_one_number_do_not_end_each_others_call(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(Placed(REQUEST, is_final=False))
        first = await case.begin()
        await case.until(lambda: case.latest[first].provider_call_id == REQUEST, "the answer")
        made(case.carrier)
        case.carrier.script(Unclear("504"))
        second = await case.begin(room_url="https://example.daily.co/sales")
        await case.coordinator.cancel(second)
        await case.carrier.until(lambda carrier: len(carrier.sought) == 1)
        await turn_until(lambda: case.logged("dial_unknown") == 1)
        assert list(case.carrier.alive) == [CALL]
        await case.report(first, PhoneRang(), call_id=CALL, placed_id=REQUEST)
        await case.until_state(first, State.RINGING)
        await case.coordinator.cancel(first)
        await case.carrier.until(lambda carrier: carrier.hang_ups == [CALL])


async def test_f30_the_record_follows_so_that_another_node_can_hang_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await named(case)
        stored = await case.store.get(transfer_id)
        assert stored is not None
        assert stored.provider_call_id == CALL
        assert (await case.log_of(transfer_id)).count(Event.PLACED) == 2
        assert case.logged("second_call") == 0
        await case.coordinator.cancel(transfer_id)


async def test_the_answer_webhook_names_the_call_too(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.script(Placed(REQUEST, is_final=False))
        transfer_id = await case.begin()
        await case.until(lambda: case.latest[transfer_id].provider_call_id == REQUEST, "the answer")
        made(case.carrier)
        assert await case.admits(transfer_id, await case.answer(transfer_id, call_id=CALL, placed_id=REQUEST))
        case.bridge(transfer_id).connect(CALL)
        assert (await case.until_state(transfer_id, State.JOINED)).provider_call_id == CALL
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        assert case.carrier.hang_ups == []


async def named(case: Case) -> str:
    """A transfer whose phone rings, and whose call has its own id."""
    case.carrier.script(Placed(REQUEST, is_final=False))
    transfer_id = await case.begin()
    await case.until(lambda: case.latest[transfer_id].provider_call_id == REQUEST, "the answer")
    made(case.carrier)
    await case.report(transfer_id, PhoneRang(), call_id=CALL, placed_id=REQUEST)
    await case.until_state(transfer_id, State.RINGING)
    return transfer_id
