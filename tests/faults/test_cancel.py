"""A bot that cancels, whatever the transfer is doing: no phone rings on, and no late answer opens anything."""

from __future__ import annotations

import asyncio

import pytest

from relay.dev.carrier_outcomes import Accepts, Answers, Delivery, Outcome, Rings
from relay.dev.carrier_webhooks import Kind
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch
from tests.faults.stage import AGENT_SAYS, Stage, black_hole

HUNG_UP_MS = 1000
UNHEARD = Delivery(copies=0)
WAYS = {
    State.DIALING: Outcome(callee=Rings(), delivery=UNHEARD),
    State.RINGING: Outcome(callee=Rings()),
    State.ANSWERED: Outcome(callee=Answers(says=AGENT_SAYS)),
    State.JOINED: Outcome(callee=Answers(says=AGENT_SAYS)),
}
ENTRIES = 6
"""Of the log of a transfer that is joined: requested, dialed, placed, rang, answered, joined."""


async def check_canceled(stage: Stage, transfer_id: str, state: State) -> None:
    canceling = Stopwatch()
    view = await stage.relay.cancel(transfer_id)
    assert (view.state, view.reason) == (state, Reason.CANCELED_BY_API)
    await stage.carrier.until(lambda carrier: carrier.live_calls == [], "hung up", timeout_s=2)
    if stage.carrier.calls:
        late_ms = canceling.hung_up_ms(stage.carrier.calls[0])
        print(f"cancel: phone hung up after {late_ms:.0f} ms")
        assert late_ms < HUNG_UP_MS


async def test_cancel_at_once_leaves_no_phone(set_stage: SetStage) -> None:
    async with set_stage() as stage:
        await check_canceled(stage, await stage.ask(), State.CANCELED)
        assert len(stage.carrier.dial_requests) <= 1


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.long
async def test_cancel_ends_a_transfer_in_every_state(set_stage: SetStage, state: State) -> None:
    async with set_stage(WAYS[state]) as stage:
        if state is State.ANSWERED:
            stage.expected.add("media: expected a WebSocket")  # the cancel came between the document and its stream
        transfer_id = await stage.ask(accept="press_1" if state is State.ANSWERED else "none")
        await stage.until(transfer_id, state)
        await check_canceled(stage, transfer_id, State.DISCONNECTED if state is State.JOINED else State.CANCELED)


async def test_cancel_ends_a_transfer_that_waits_for_its_next_stream(set_stage: SetStage, soon: None) -> None:
    async with set_stage(WAYS[State.JOINED]) as stage:
        on = await stage.on_call()
        await black_hole(stage, on)
        await check_canceled(stage, on.transfer_id, State.DISCONNECTED)


@pytest.mark.long
async def test_cancel_at_every_event_of_a_transfer_leaves_no_phone(set_stage: SetStage) -> None:
    numbers = [f"+1415555{number:04}" for number in range(3000, 3000 + ENTRIES)]
    async with set_stage(Outcome(callee=Answers(after_s=0.1, says=AGENT_SAYS))) as stage:

        async def cancel_after(entries: int, number: str) -> None:
            transfer_id = await stage.ask(room=number[1:], to=number)
            async for event in stage.relay.events(transfer_id):
                if event.version == entries:
                    break
            view = await stage.relay.cancel(transfer_id)
            assert view.reason is Reason.CANCELED_BY_API
            assert view.is_terminal

        stage.expected.add("media: expected a WebSocket")  # the cancel came between the document and its stream
        await asyncio.gather(*(cancel_after(entries, number) for entries, number in enumerate(numbers, start=1)))
        assert len(stage.carrier.dial_requests) <= ENTRIES


async def test_answer_after_a_cancel_gets_a_document_that_hangs_up(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Rings())) as stage:
        transfer_id = await stage.ask()
        await stage.until(transfer_id, State.RINGING)
        call = stage.carrier.calls[0]
        await check_canceled(stage, transfer_id, State.CANCELED)
        answer = stage.carrier._sending.signed(Kind.ANSWER, call.order.answer_url, call.form("in-progress"))
        for _ in range(2):  # also when nothing is left of the transfer but its record
            reply = await stage.carrier.replay(answer)
            assert reply.is_accepted
            assert "<Hangup" in reply.reply_body
            assert "<Stream" not in reply.reply_body
            await stage.carrier.until_idle()


@pytest.mark.long
async def test_dial_that_is_answered_after_a_cancel_is_hung_up(set_stage: SetStage) -> None:
    late = Outcome(reply=Accepts(late_s=0.5), callee=Rings(), delivery=UNHEARD)
    async with set_stage(late) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        view = await stage.relay.cancel(transfer_id)
        assert view.state is State.CANCELED
        assert call.is_live
        again = await stage.ask()  # the room is free at once, though the old phone is not known yet
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        await stage.relay.cancel(again)
