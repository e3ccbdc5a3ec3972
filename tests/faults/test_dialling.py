"""What a carrier, a phone and the network between can do to a dial: rows F1, F2 and F5 to F8."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from relay.dev.carrier_call import EndedBy
from relay.dev.carrier_order import order_of
from relay.dev.carrier_outcomes import (
    BUSY,
    NO_ANSWER,
    SILENT,
    Accepts,
    Answers,
    Delivery,
    LosesReply,
    Loss,
    Outcome,
    Refuses,
    Rings,
)
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import UNHEARD_DBFS, Stopwatch, loudest_dbfs
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, BILLING, FROM, Stage

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
UNHEARD = Delivery(copies=0)
"""No status callback ever comes."""
LOSSES = {f"+141555500{number:02}": how for number, how in enumerate(Loss)}
"""A number for each way not to learn what became of its dial."""
RUNS_AT_ONCE = 8
"""With 20 calls, their phones and their rooms in one process, two busy cores are too slow for what the store waits."""


async def test_f1_busy_agent_leaves_the_customer_with_the_bot(set_stage: SetStage) -> None:
    async with set_stage(BUSY) as stage:
        view = await stage.ended(await stage.ask(), State.FAILED, Reason.BUSY)
        assert view.retryable
        await stage.customer.until_heard(10)
        assert (stage.customer.is_in, stage.bot.is_in) == (True, True)
        assert stage.carrier.calls[0].hung_up_by is EndedBy.CARRIER
        assert loudest_dbfs(stage.customer.heard_since(), AGENT_HZ) < UNHEARD_DBFS


@pytest.mark.long
async def test_f2_phone_that_rings_for_too_long_is_hung_up_though_the_carrier_says_nothing(
    set_stage: SetStage,
) -> None:
    async with set_stage(SILENT, ring_timeout_s=2.5) as stage:  # the carrier would let it ring for 3 s
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        dialled = Stopwatch()
        await stage.ended(transfer_id, State.FAILED, Reason.NO_ANSWER)
        took_ms, late_ms = dialled.elapsed_ms, Stopwatch()
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        print(f"F2: over {took_ms:.0f} ms after the dial, hung up {late_ms.hung_up_ms(call):.0f} ms after that")
        assert 2400 < took_ms < 3000
        assert call.hung_up_by is EndedBy.RELAY


@pytest.mark.long
async def test_f2_answer_at_the_very_deadline_is_a_call_or_none(set_stage: SetStage) -> None:
    script = {f"+141555501{number:02}": Outcome(callee=Answers(after_s=0.6 + number / 30)) for number in range(12)}
    async with set_stage(script, ring_timeout_s=1.0, worker_spares=len(script)) as stage:
        await stage.service.until_workers_ready()
        stage.expected.add("media: expected a WebSocket")  # the end came between the document and its stream
        ids = await asyncio.gather(*(stage.ask(room=number[1:], to=number) for number in script))
        views = [await stage.relay.wait(transfer_id) for transfer_id in ids]
        joined = [view for view in views if view.state is State.JOINED]
        missed = [view for view in views if (view.state, view.reason) == (State.FAILED, Reason.NO_ANSWER)]
        print(f"F2: of {len(ids)} that are answered about the deadline {len(joined)} are joined")
        assert len(joined) + len(missed) == len(ids), views
        await stage.carrier.until(lambda carrier: len(carrier.live_calls) == len(joined), "hung up", timeout_s=1)
        for view in joined:
            await stage.relay.cancel(view.transfer_id)


@pytest.mark.long
async def test_f2_carrier_says_that_nobody_answered_before_we_give_up(set_stage: SetStage) -> None:
    async with set_stage(NO_ANSWER, ring_timeout_s=7.0) as stage:
        await stage.ended(await stage.ask(), State.FAILED, Reason.NO_ANSWER, within_s=6.5)
        assert stage.carrier.calls[0].hung_up_by is EndedBy.CARRIER


@pytest.mark.parametrize(("code", "reason"), [(21211, Reason.INVALID_NUMBER), (21215, Reason.REJECTED)])
async def test_f5_number_that_the_carrier_refuses_is_not_dialled_again(
    set_stage: SetStage, code: int, reason: Reason
) -> None:
    async with set_stage(Outcome(reply=Refuses(code=code))) as stage:
        view = await stage.ended(await stage.ask(), State.FAILED, reason)
        assert view.provider_code == str(code)
        assert stage.carrier.dial_requests == [BILLING]
        assert stage.carrier.calls == []


@pytest.mark.long
async def test_f6_dial_waits_for_a_carrier_that_is_busy(set_stage: SetStage) -> None:
    async with set_stage(Outcome(reply=Refuses(status=429, code=20429, times=2))) as stage:
        transfer_id = await stage.ask()
        await stage.carrier.until(lambda carrier: len(carrier.dial_requests) == 2, "a second request")
        assert (await stage.relay.get(transfer_id)).state is State.DIALING
        await stage.until(transfer_id, State.JOINED)
        assert (len(stage.carrier.dial_requests), stage.carrier.dials) == (3, 1)
        await stage.relay.cancel(transfer_id)


@pytest.mark.long
async def test_f6_carrier_that_stays_busy_is_given_up_in_time(set_stage: SetStage) -> None:
    async with set_stage(Outcome(reply=Refuses(status=429, code=20429)), ring_timeout_s=1.0) as stage:
        transfer_id = await stage.ask()
        asked = Stopwatch()
        view = await stage.ended(transfer_id, State.FAILED, Reason.PROVIDER_BUSY)
        assert asked.elapsed_ms < 1500
        assert view.retryable
        assert (len(stage.carrier.dial_requests), stage.carrier.dials) == (2, 0)


@pytest.mark.long
async def test_f7_call_goes_on_whose_dial_was_never_answered(set_stage: SetStage) -> None:
    script = {number: Outcome(reply=LosesReply(how=how)) for number, how in LOSSES.items()}
    async with set_stage(script, dial_timeout_s=1.0) as stage:
        ids = await asyncio.gather(*(stage.ask(room=number[1:], to=number) for number in LOSSES))
        views = [await stage.until(transfer_id, State.JOINED) for transfer_id in ids]
        assert {view.provider_call_id for view in views} == {call.sid for call in stage.carrier.calls}
        assert sorted(stage.carrier.dial_requests) == sorted(LOSSES)
        for call in stage.carrier.calls:
            assert call.phone is not None
            call.phone.stop()
        for transfer_id in ids:
            await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f7_phone_that_nobody_told_us_of_is_found_and_hung_up(set_stage: SetStage) -> None:
    script = {
        number: Outcome(reply=LosesReply(how=how), callee=Rings(), delivery=UNHEARD) for number, how in LOSSES.items()
    }
    async with set_stage(script, ring_timeout_s=0.6, dial_timeout_s=0.4) as stage:
        ids = await asyncio.gather(*(stage.ask(room=number[1:], to=number) for number in LOSSES))
        for transfer_id in ids:
            await stage.ended(transfer_id, State.FAILED, Reason.DIAL_UNKNOWN)
        ended = Stopwatch()
        await stage.carrier.until(lambda carrier: carrier.live_calls == [], "hung up", timeout_s=1)
        late_ms = max(ended.hung_up_ms(call) for call in stage.carrier.calls)
        print(f"F7: found and hung up {late_ms:.0f} ms after the end")
        assert {call.hung_up_by for call in stage.carrier.calls} == {EndedBy.RELAY}
        assert sorted(stage.carrier.dial_requests) == sorted(LOSSES)


@pytest.mark.long
async def test_f7_looking_for_a_phone_leaves_that_of_another_transfer_alone(set_stage: SetStage) -> None:
    lost = Outcome(reply=LosesReply(), callee=Rings(), delivery=UNHEARD)
    async with set_stage(ring_timeout_s=1.0) as stage:
        stage.carrier.script = lambda _: lost if not stage.carrier.calls else SPEAKS
        lost_id = await stage.ask(room="green")
        lost_call = await stage.carrier.until_call()
        on = await stage.on_call()
        assert lost_call.to == on.call.to
        await stage.ended(lost_id, State.FAILED, Reason.DIAL_UNKNOWN)
        await lost_call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        await stage.until(on.transfer_id, State.JOINED)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f7_phone_that_another_system_dialled_before_us_is_left_alone(set_stage: SetStage) -> None:
    lost = Outcome(reply=LosesReply(), callee=Rings(), delivery=UNHEARD)
    async with set_stage(lost, ring_timeout_s=1.0) as stage:
        form = [("From", FROM), ("To", BILLING), ("Url", "http://127.0.0.1:9/not-relay")]
        strangers = stage.carrier.place(order_of(form))
        strangers.created_at -= timedelta(seconds=10)
        transfer_id = await stage.ask()
        await stage.carrier.until(lambda carrier: len(carrier.calls) == 2, "a call")
        await stage.ended(transfer_id, State.FAILED, Reason.DIAL_UNKNOWN)
        ours = stage.carrier.calls[1]
        await ours.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert ours.hung_up_by is EndedBy.RELAY
        assert strangers.is_live
        strangers.hang_up(EndedBy.CARRIER)


@pytest.mark.long
async def test_f7_dial_that_made_no_call_is_not_sent_again(set_stage: SetStage) -> None:
    lost = Outcome(reply=LosesReply(places_call=False))
    async with set_stage(lost, ring_timeout_s=1.0) as stage:
        stage.expected.add("dial_unknown")
        await stage.ended(await stage.ask(), State.FAILED, Reason.DIAL_UNKNOWN)
        assert stage.carrier.dial_requests == [BILLING]


async def test_f7_second_call_of_one_dial_is_hung_up(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS) as stage:
        stage.expected.add("second_call")
        on = await stage.on_call()
        stage.carrier.script = Outcome(callee=Rings())
        twin = stage.carrier.place(on.call.order)  # a carrier that took one request for two
        await twin.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        assert twin.hung_up_by is EndedBy.RELAY
        assert (await stage.relay.get(on.transfer_id)).provider_call_id == on.call.sid
        await stage.until(on.transfer_id, State.JOINED)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f7_call_that_turns_up_when_its_transfer_is_over_is_hung_up(set_stage: SetStage) -> None:
    script = {BILLING: BUSY}
    async with set_stage(script) as stage:
        stage.expected.add("second_call")  # if the last of the transfer is not gone yet
        await stage.ended(await stage.ask(), State.FAILED, Reason.BUSY)
        await stage.bot.until_gone("relay")
        script[BILLING] = Outcome(callee=Rings())
        late = stage.carrier.place(stage.carrier.calls[0].order)
        came = Stopwatch()
        await late.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F7: a call that turned up afterwards was hung up after {came.hung_up_ms(late):.0f} ms")
        assert late.hung_up_by is EndedBy.RELAY


@pytest.mark.parametrize("runs", [20, pytest.param(500, marks=pytest.mark.long)])
@pytest.mark.usefixtures("in_process")
async def test_f7_lost_answer_never_makes_a_second_call(set_stage: SetStage, runs: int) -> None:
    numbers = [f"+1415555{number:04}" for number in range(1000, 1000 + runs)]
    hows, ends = tuple(Loss), (Answers(says=AGENT_SAYS), BUSY.callee)
    script = {
        number: Outcome(reply=LosesReply(how=hows[at % 3]), callee=ends[at // 3 % 2])
        for at, number in enumerate(numbers)
    }
    async with set_stage(script, transfers_per_minute=10_000, dial_timeout_s=2.0) as stage:
        turn = asyncio.Semaphore(RUNS_AT_ONCE)
        await asyncio.gather(*(_lose(stage, turn, number) for number in numbers))
        assert sorted(stage.carrier.dial_requests) == numbers
        assert sorted(call.to for call in stage.carrier.calls) == numbers


async def _lose(stage: Stage, turn: asyncio.Semaphore, number: str) -> None:
    async with turn:
        transfer_id = await stage.ask(room=number[1:], to=number)
        view = await stage.relay.wait(transfer_id)
        if view.state is State.JOINED:
            await stage.relay.cancel(transfer_id)
        else:
            assert (view.state, view.reason) == (State.FAILED, Reason.BUSY)


@pytest.mark.long
async def test_f8_call_is_joined_before_the_carrier_has_answered_the_dial(set_stage: SetStage) -> None:
    async with set_stage(Outcome(reply=Accepts(late_s=2.0), callee=Answers(says=AGENT_SAYS))) as stage:
        asked = Stopwatch()
        on = await stage.on_call()
        assert asked.elapsed_ms < 1900
        await stage.customer.until_heard(100)
        view = await stage.until(on.transfer_id, State.JOINED)
        assert view.provider_call_id == on.call.sid
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
