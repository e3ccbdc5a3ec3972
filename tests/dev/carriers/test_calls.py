"""A whole call with each carrier: dialled as its pages say, told of in its words, with a media stream, and ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_call import EndedBy
from relay.dev.carrier_outcomes import (
    ANSWERED,
    BUSY,
    INVALID_NUMBER,
    NO_ANSWER,
    NO_LINE,
    NO_SUCH_NUMBER,
    REJECTED,
    Answers,
    LosesReply,
    Outcome,
    Refuses,
    Script,
)
from tests.dev.carriers.cases import CASES, NUMBER, Case
from tests.dev.carriers.stand_in import Received, StandIn
from tests.dev.conftest import Run

NUMBERS = {name: "+919876543210" if name == "exotel" else NUMBER for name in CASES}
QUICKLY = 0.02
Scenario = Callable[[SimulatedCarrier, StandIn], Awaitable[None]]

every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def played(run: Run, case: Case, script: Script, scenario: Scenario) -> None:
    """Play it with that carrier; the relay does nothing against its rules."""

    async def whole() -> None:
        async with SimulatedCarrier(dialect=case.make(), script=script) as carrier, StandIn(carrier) as here:
            here.document, here.subprotocols = case.document(here), case.subprotocols
            await scenario(carrier, here)
            await carrier.until_idle()
            assert carrier.violations == []
            assert [violation for call in carrier.calls for violation in call.violations] == []

    run(whole)


async def dial(case: Case, here: StandIn) -> str:
    status, body, _ = await here.ask("POST", path(case, here), **case.dial(here))
    assert status == case.placed_status, body
    return case.call_id(body)


def path(case: Case, here: StandIn) -> str:
    return case.dial_path.format(account=here.carrier.account_sid)


def words(case: Case, here: StandIn) -> list[str]:
    """What the relay was told, but for detection, in order."""
    told = [each for each in here.received if not each.path.startswith(("/answer", "/amd", "/call")) or is_status(each)]
    return [case.word(each) for each in told if "machine" not in case.word(each) and "human" not in case.word(each)]


def is_status(each: Received) -> bool:
    return each.path.startswith("/status")


@every
def test_an_answered_call_is_told_of_and_has_a_stream(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        call_id = await dial(case, here)
        media = await here.until_media()
        call = carrier.calls[0]
        assert call_id in {call.sid, call.ids.placed}
        assert (call.to, carrier.dial_requests) == (call.order.to, [call.order.to])
        phone = await call.until_phone()
        await phone.until_said(10)
        call.press("1")
        call.hang_up()
        await carrier.until_idle()
        assert sorted(words(case, here)) == sorted(case.answered)
        assert [word for word in words(case, here) if "stream" not in word and "media" not in word] == [
            word for word in case.answered if "stream" not in word and "media" not in word
        ]
        for name, value in (case.upgrade or {}).items():
            assert media.headers[name] == value or not value
        assert media.subprotocol == (case.subprotocols[0] if case.subprotocols else None)

    played(run, case, Outcome(callee=Answers(after_s=QUICKLY)), scenario)


@every
def test_every_webhook_has_the_proof_of_the_carrier(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        await dial(case, here)
        await here.until_media()
        carrier.calls[0].hang_up()
        await carrier.until_idle()
        assert here.received
        assert all(case.proof in each.headers for each in here.received if case.proof)

    played(run, case, ANSWERED, scenario)


ENDS = {"busy": BUSY, "no_answer": NO_ANSWER, "rejected": REJECTED, "unknown": NO_SUCH_NUMBER, "no_line": NO_LINE}


@every
@pytest.mark.parametrize("end", ENDS)
def test_a_call_that_nobody_answers_ends_in_the_carriers_words(run: Run, case: Case, end: str) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        await dial(case, here)
        call = await carrier.until_call()
        if end == "no_answer":
            await call.until(lambda call: call.status == "ringing")
            await here.until(lambda here: len(words(case, here)) >= len(case.no_answer) - 1)
            call.end("no-answer", EndedBy.CARRIER)
        await carrier.until_idle()
        assert words(case, here) == [*getattr(case, end)]

    played(run, case, ENDS[end], scenario)


@every
def test_a_call_that_rings_is_ended_by_the_relay_where_it_can_be(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        call_id = await dial(case, here)
        call = await carrier.until_call()
        await call.until(lambda call: call.status == "ringing")
        await here.until(lambda here: len(words(case, here)) >= len(case.canceled) - 1)
        if case.hang_up is None:
            assert not carrier.dialect.traits.stops_ringing
            call.hang_up()
        else:
            method, where, options = case.hang_up(here, call_id)
            status, _, _ = await here.ask(method, where, **options)
            assert 200 <= status < 300
        await carrier.until_idle()
        assert words(case, here) == [*case.canceled]

    played(run, case, NO_ANSWER, scenario)


@every
def test_a_call_that_was_answered_is_ended_by_the_relay_once(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        call_id = await dial(case, here)
        media = await here.until_media()
        if case.hang_up is None:  # it closes the stream
            assert media.socket is not None
            await media.socket.close()
        else:
            method, where, options = case.hang_up(here, call_id)
            assert 200 <= (await here.ask(method, where, **options))[0] < 300
            await carrier.until_idle()
            assert (await here.ask(method, where, **options))[0] >= 400
        await carrier.until_idle()
        assert carrier.calls[0].status == "completed"
        assert sorted(words(case, here)) == sorted(case.answered)

    played(run, case, ANSWERED, scenario)


@every
def test_without_the_accounts_secret_nothing_is_placed(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic YTpi"}):
            status, _, _ = await here.ask("POST", path(case, here), **(case.dial(here) | {"headers": headers}))
            assert status == 401
        assert (carrier.dials, carrier.dial_requests) == (0, [])

    played(run, case, ANSWERED, scenario)


@every
def test_a_busy_carrier_says_when_to_come_again(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        statuses = []
        for _ in range(3):
            status, _, headers = await here.ask("POST", path(case, here), **case.dial(here))
            statuses.append((status, headers.get("Retry-After")))
        assert statuses == [(429, "7"), (429, "7"), (case.placed_status, None)]
        carrier.calls[0].hang_up()

    busy = Refuses(status=429, code=20429, retry_after_s=7, times=2)
    played(run, case, Outcome(reply=busy, callee=NO_ANSWER.callee), scenario)


@every
def test_a_number_may_be_refused_and_a_reply_lost(run: Run, case: Case) -> None:
    async def scenario(carrier: SimulatedCarrier, here: StandIn) -> None:
        status, body, _ = await here.ask("POST", path(case, here), **case.dial(here))
        assert (status in {400, 422}, carrier.dials) == (True, 0)
        assert body
        carrier.script = Outcome(reply=LosesReply(), callee=NO_ANSWER.callee)
        with pytest.raises(aiohttp.ClientError):
            await here.ask("POST", path(case, here), **case.dial(here))
        assert carrier.dials == 1
        carrier.calls[0].hang_up()

    played(run, case, INVALID_NUMBER, scenario)


@every
def test_a_stream_that_cannot_be_opened_is_a_violation(run: Run, case: Case) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=case.make()) as carrier, StandIn(carrier) as here:
            here.document, here.refuses_media = case.document(here), True
            await dial(case, here)
            call = await carrier.until_call()
            await call.until(lambda call: not call.is_live or bool(call.violations))
            assert call.violations
            if carrier.dialect.close_ends_call and carrier.dialect.refusal_ends_call:
                await carrier.until_idle()
            else:
                assert call.is_live

    run(whole)
