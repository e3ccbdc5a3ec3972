"""A carrier's callbacks come late, again, and in any order: one dial, one end, one entry each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Final

import pytest

from relay.transfers.ports import PhoneAlive, PhoneAnswered, PhoneEnded, PhoneNews, PhoneRang, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import new_transfer_id
from relay.transfers.states import Event, State, next_state
from tests.transfers.coordinated import Case, coordinated

COMPLETED: Final = PhoneEnded(Reason.AGENT_HUNG_UP)
REPORTS: Final[Sequence[PhoneNews]] = (PhoneAlive(), PhoneRang(), PhoneAnswered(), COMPLETED)
"""What a carrier tells of a call that is answered: initiated, ringing, in-progress, completed."""
EVENTS: Final = {PhoneRang: Event.RANG, PhoneAnswered: Event.ANSWERED, PhoneEnded: Event.ENDED}


def names(order: Sequence[PhoneNews]) -> str:
    return "-".join(type(news).__name__.removeprefix("Phone").lower() for news in order)


def expected_log(order: Sequence[PhoneNews]) -> list[Event | None]:
    """What of these reports counts, by the table of the states alone."""
    log: list[Event | None] = [None, Event.DIALED]
    state = State.DIALING
    for news in order:
        event = EVENTS.get(type(news))
        after = next_state(state, event) if event is not None else None
        if after is not None:
            log.append(event)
            state = after
    return log


async def tell(case: Case, transfer_id: str, script: Sequence[PhoneNews]) -> None:
    for news in script:
        if news == COMPLETED and "CA1" in case.carrier.alive:
            case.carrier.end("CA1")
        await case.report(transfer_id, news)


async def check_log(case: Case, transfer_id: str, expected: list[Event | None]) -> None:
    """Whenever the dial's answer came among them."""
    events = await case.log_of(transfer_id)
    assert [event for event in events if event is not Event.PLACED] == expected
    assert events.count(Event.PLACED) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)), ids=names)
async def test_f33_callbacks_in_any_order_come_to_one_sticky_end(store_url: str, order: Sequence[PhoneNews]) -> None:
    """Of a call that is over before anything has said that it was answered, nobody hears that an agent hung up."""
    was_answered = order.index(PhoneAnswered()) < order.index(COMPLETED)
    async with coordinated(store_url) as case:
        transfer_id = await case.begin()
        await tell(case, transfer_id, order)
        transfer = await case.ended(transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert transfer.state is State.FAILED
        assert transfer.reason is (Reason.AGENT_HUNG_UP if was_answered else Reason.NO_ANSWER)
        await check_log(case, transfer_id, expected_log(order))
        assert len(case.carrier.dials) == 1
        late = len(order) - 1 - order.index(COMPLETED)
        assert case.logged("event_ignored") + case.logged("unwanted_call") >= late


@pytest.mark.parametrize("seed", range(12))
async def test_f32_callbacks_that_come_three_times_have_one_effect(store_url: str, seed: int) -> None:
    """T5: a recorded webhook is a true one; whoever sends it again changes nothing."""
    chance = random.Random(seed)
    script = list(REPORTS)
    for news in REPORTS:
        for _ in range(2):
            script.insert(chance.randint(script.index(news) + 1, len(script)), news)
    async with coordinated(store_url) as case:
        transfer_id = await case.begin()
        await tell(case, transfer_id, script)
        transfer = await case.ended(transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert (transfer.state, transfer.reason) == (State.FAILED, Reason.AGENT_HUNG_UP)
        await check_log(case, transfer_id, expected_log(REPORTS))


async def test_t3_a_true_callback_of_a_call_that_comes_to_another_transfers_url_ends_no_call(store_url: str) -> None:
    """A joined call, and a transfer that nobody has heard of: its signature may be of the body alone."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        nobodys = new_transfer_id(1, b"0123456789")
        report = PhoneReport(case.call_of(transfer_id), PhoneAnswered(), "answered")
        await case.coordinator.report(nobodys, "twilio", report)
        assert await case.coordinator.answer(nobodys, "twilio", stream=0, call_id=report.call_id) is None
        assert [*case.carrier.alive] == [report.call_id]
        assert case.logged("callback_of_another_transfer") == 2
        await case.coordinator.cancel(transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert case.carrier.hang_ups == [report.call_id]


async def test_f32_every_callback_again_after_the_end_leaves_the_record_as_it_is(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        await case.hang_up_phone(transfer_id, COMPLETED)
        await case.ended(transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        before = await case.store.get(transfer_id), await case.store.events(transfer_id)
        for _ in range(3):
            await tell(case, transfer_id, REPORTS)
            assert await case.answer(transfer_id) is None
        assert (await case.store.get(transfer_id), await case.store.events(transfer_id)) == before
        assert len(case.carrier.dials) == 1
