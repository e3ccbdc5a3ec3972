"""What comes twice, in another order, or at the same time: rows F32 to F34."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

import pytest

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_outcomes import Answers, Delivery, Outcome, Rings
from relay.dev.carrier_webhooks import Kind, Webhook
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State, next_state
from tests.faults.conftest import SetStage
from tests.faults.stage import AGENT_SAYS, BILLING, Stage

COPIES = 3
NUMBERS = [f"+1415555{number:04}" for number in range(2000, 3000)]
UNHEARD = Outcome(callee=Rings(), delivery=Delivery(copies=0))
STATUSES = {
    "initiated": None,
    "ringing": Event.RANG,
    "in-progress": Event.ANSWERED,
    "completed": Event.ENDED,
}
"""What each status callback means once the call's id is known."""
MANY: dict[str, Any] = {"transfers_per_minute": 100_000, "transfers_per_day": 100_000}
TRIGGERS = 8
RACES_AT_ONCE = 4


class Replays:
    """Sends webhooks of a call again, in any order."""

    def __init__(self, stage: Stage, call: SimulatedCall) -> None:
        self._stage = stage
        self._call = call
        self._random = Random(32)
        self.answers: list[Webhook] = []

    async def all_so_far(self) -> None:
        webhooks = list(self._call.webhooks)
        self._random.shuffle(webhooks)
        for webhook in webhooks:
            self.answers.append(await self._stage.carrier.replay(webhook))


async def test_f32_webhooks_that_come_again_change_nothing(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Answers(after_s=0.2, says=AGENT_SAYS))) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        replays = Replays(stage, call)
        await stage.until(transfer_id, State.RINGING)
        await replays.all_so_far()
        await stage.until(transfer_id, State.JOINED)
        await replays.all_so_far()
        await stage.customer.until_heard(10)
        call.hang_up()
        await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        await stage.carrier.until_idle()
        for _ in range(COPIES):
            await replays.all_so_far()

        entries = [entry.event for entry in await stage.store.events(transfer_id)]
        assert entries == [None, Event.DIALED, Event.PLACED, Event.RANG, Event.ANSWERED, Event.JOINED, Event.ENDED]
        assert {webhook.reply_status for webhook in replays.answers} == {200, 204}
        documents = [webhook.reply_body for webhook in replays.answers if webhook.kind is Kind.ANSWER]
        assert len(documents) > COPIES
        assert [document for document in documents if "<Stream" in document or "<Hangup" not in document] == []
        assert len(call.phones) == 1


@pytest.mark.long
@pytest.mark.usefixtures("in_process")
async def test_f33_real_calls_end_alike_in_whatever_order_their_callbacks_come(set_stage: SetStage) -> None:
    orders = dict(zip(NUMBERS, itertools.permutations(range(4)), strict=False))
    script = {number: Outcome(delivery=Delivery(order=order)) for number, order in orders.items()}
    assert len(script) == 24
    async with set_stage(script, **MANY) as stage:
        turn = asyncio.Semaphore(8)

        async def whole_call(number: str) -> None:
            async with turn:
                transfer_id = await stage.ask(room=number[1:], to=number)
                await stage.until(transfer_id, State.JOINED)
                [call] = [call for call in stage.carrier.calls if call.to == number]
                call.hang_up()
                await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)

        await asyncio.gather(*map(whole_call, script))
        assert sorted(call.to for call in stage.carrier.calls) == sorted(script)


@pytest.mark.long
@pytest.mark.usefixtures("in_process")
async def test_f33_callbacks_in_any_order_lead_where_the_table_of_states_says(set_stage: SetStage) -> None:
    async with set_stage(UNHEARD, **MANY) as stage:
        for order, number in zip(itertools.permutations(STATUSES), NUMBERS, strict=False):
            transfer_id = await stage.ask(room=number[1:], to=number)
            await stage.store.wait(transfer_id, lambda transfer: transfer.provider_call_id is not None, timeout_s=5)
            call = stage.carrier.calls[-1]
            call.hang_up(EndedBy.AGENT)  # all of it is over before a word of it comes
            for status in order:
                assert (await send_status(stage, call, status)).reply_status == 204
            was_answered = order.index("in-progress") < order.index("completed")
            reason = Reason.AGENT_HUNG_UP if was_answered else Reason.NO_ANSWER
            await stage.ended(transfer_id, State.FAILED, reason)
            entries = [entry.event for entry in await stage.store.events(transfer_id)]
            assert entries == [None, Event.DIALED, Event.PLACED, *expected(order)]


async def send_status(stage: Stage, call: SimulatedCall, status: str) -> Webhook:
    form = call.form(status) | {"SequenceNumber": str(list(STATUSES).index(status))}
    return await stage.carrier.replay(stage.carrier._sending.signed(Kind.STATUS, call.order.status_url, form))


def expected(order: tuple[str, ...]) -> list[Event]:
    """The events that count of callbacks in this order."""
    state, events = State.DIALING, []
    for event in map(STATUSES.__getitem__, order):
        after = next_state(state, event) if event is not None else None
        if event is not None and after is not None:
            state = after
            events.append(event)
    return events


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    json: Any


@pytest.mark.parametrize("races", [30, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.usefixtures("in_process")
async def test_f34_eight_triggers_at_once_dial_once(set_stage: SetStage, races: int) -> None:
    """Over HTTP; a thousand races are those of the coordinator's test, which is where they are decided."""
    async with set_stage(Outcome(callee=Rings()), **MANY) as stage:
        turn = asyncio.Semaphore(RACES_AT_ONCE)
        await asyncio.gather(*(race(stage, turn, number) for number in NUMBERS[:races]))
        assert sorted(stage.carrier.dial_requests) == NUMBERS[:races]


async def race(stage: Stage, turn: asyncio.Semaphore, number: str) -> None:
    async with turn:
        body = {"room_url": stage.room_url(number[1:]), "to": number}
        answers = await asyncio.gather(*(post(stage, body, number) for _ in range(TRIGGERS)))
        [transfer_id] = {answer.json["id"] for answer in answers}
        stage.transfer_ids.append(transfer_id)
        assert [answer.status for answer in answers] == [201] * TRIGGERS
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count("true") == TRIGGERS - 1

        conflict, mismatch = await asyncio.gather(
            post(stage, body, f"{number} again"), post(stage, body | {"to": BILLING[:-1] + "9"}, number)
        )
        assert (conflict.status, conflict.json["transfer_id"]) == (409, transfer_id)
        assert (mismatch.status, mismatch.json["type"]) == (422, "urn:relay:problem:idempotency-mismatch")
        await stage.relay.cancel(transfer_id)
        assert (await post(stage, body, number)).json["id"] == transfer_id


async def post(stage: Stage, body: Mapping[str, str], key: str) -> Answer:
    url = f"{stage.service.base_url}/v1/transfers"
    async with stage.http.post(url, json=body, headers={"Idempotency-Key": key}) as response:
        return Answer(response.status, response.headers.copy(), await response.json(content_type=None))
