"""A call goes through what its outcome says, and does what the documents say, as Twilio would."""

from dataclasses import replace

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_life import DOCUMENTS_MAX
from relay.dev.carrier_outcomes import (
    BUSY,
    NO_ANSWER,
    REJECTED,
    SILENT,
    Answers,
    Declines,
    Delivery,
    Detection,
    Outcome,
)
from tests.dev.conftest import RunWithCarrier
from tests.dev.stand_in_service import StandInService, answers, close_at_once, stream, thinking

DETECTION = {"MachineDetection": "Enable", "AsyncAmd": "true"}


def test_a_call_is_initiated_rings_is_answered_streams_and_completes(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.media = close_at_once
        await service.whole_call()
        (call,) = carrier.calls
        assert (call.status, call.hung_up_by, call.is_live) == ("completed", "document", False)
        assert service.statuses == ["initiated", "ringing", "in-progress", "completed"]
        assert [request.path for request in service.requests if request.path != "/status"] == [
            "/answer/0",
            "/media/t0k3n",
        ]
        assert call.answer_documents == [stream(service.media_url)]
        assert call.violations == []

    run_with_carrier(scenario)


def test_every_webhook_and_the_upgrade_are_signed(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.media = close_at_once
        await service.whole_call(**DETECTION, AsyncAmdStatusCallback=f"{service.url}/detection?leg=%C3%A4")
        assert len(service.requests) == 7
        assert [request.path for request in service.requests if not request.is_signed] == []

    run_with_carrier(scenario)


def test_callbacks_have_the_fields_of_twilios(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.media = close_at_once
        await service.whole_call()
        forms = [request.form for request in service.at("/status")]
        always = {"AccountSid", "ApiVersion", "CallSid", "CallStatus", "Direction", "From", "To", "Caller", "Called"}
        always |= {"CallbackSource", "SequenceNumber", "Timestamp"}
        assert [form.keys() for form in forms] == [always, always, always, always | {"CallDuration"}]
        assert [form["SequenceNumber"] for form in forms] == ["0", "1", "2", "3"]
        assert {form["CallSid"] for form in forms} == {carrier.calls[0].sid}

    run_with_carrier(scenario)


def test_only_the_events_that_were_asked_for_come(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        order = [(name, value) for name, value in service.order() if name != "StatusCallbackEvent"]
        await service.request("POST", "Calls.json", data=order)
        await carrier.until_call()
        carrier.calls[0].hang_up()
        await carrier.until_idle()
        assert service.statuses == ["canceled"]

    run_with_carrier(scenario)


@pytest.mark.parametrize(
    ("outcome", "statuses", "sip_code"),
    [
        (BUSY, ["initiated", "ringing", "busy"], "486"),
        (REJECTED, ["initiated", "failed"], "603"),
        (Outcome(callee=Declines(status="failed")), ["initiated", "failed"], None),
        (NO_ANSWER, ["initiated", "ringing", "no-answer"], None),
        (answers(after_s=60), ["initiated", "ringing", "no-answer"], None),
        (Outcome(callee=Declines(after_s=60)), ["initiated", "ringing", "no-answer"], None),
    ],
    ids=["busy", "rejected", "failed", "rings", "answers too late", "busy too late"],
)
def test_a_call_ends_without_an_answer(
    run_with_carrier: RunWithCarrier, outcome: Outcome, statuses: list[str], sip_code: str | None
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = outcome
        await service.whole_call(Timeout="1" if outcome is BUSY else "0")
        (call,) = carrier.calls
        assert (call.status, call.hung_up_by, call.phone) == (statuses[-1], "carrier", None)
        assert service.statuses == statuses
        assert service.at("/status")[-1].form.get("SipResponseCode") == sip_code
        assert service.at("/answer") == []

    run_with_carrier(scenario)


def test_a_silent_number_rings_and_tells_nothing(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = SILENT
        await service.dial()
        call = await carrier.until_call()
        await call.until(lambda call: call.status == "ringing")
        call.hang_up()
        await carrier.until_idle()
        assert (service.requests, call.webhooks) == ([], [])

    run_with_carrier(scenario)


def test_an_agent_hangs_up_after_a_while(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(hangs_up_after_s=0.1)
        service.documents = [stream(service.media_url, "/answer/1")]
        await service.whole_call()
        assert carrier.calls[0].hung_up_by == "agent"
        await service.until(lambda here: here.messages[-1:] == here.events("stop") != [])
        assert len(service.at("/answer")) == 1  # what follows <Connect> is not for a call that has ended

    run_with_carrier(scenario)


def test_a_phone_that_stops_has_hung_up(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.documents = [stream(service.media_url, "/answer/1")]
        await service.dial()
        phone = await (await carrier.until_call()).until_phone()
        phone.stop()
        await carrier.until_idle()
        assert carrier.calls[0].hung_up_by == "agent"
        assert len(service.at("/answer")) == 1

    run_with_carrier(scenario)


def test_a_call_has_a_longest_duration(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        await service.whole_call(TimeLimit="0")
        assert (carrier.calls[0].status, carrier.calls[0].hung_up_by) == ("completed", "time limit")

    run_with_carrier(scenario)


def test_a_call_may_be_hung_up_while_the_relay_thinks_of_an_answer(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        async with thinking() as (url, asked):
            await service.dial(Url=url)
            await asked.wait()
            carrier.calls[0].hang_up()
            await carrier.until_idle()
        assert service.statuses[-1] == "completed"

    run_with_carrier(scenario)


@pytest.mark.parametrize("answered_by", ["human", "machine_start"])
def test_what_was_detected_is_told_where_the_order_says(run_with_carrier: RunWithCarrier, answered_by: str) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(detected=Detection(answered_by, after_s=0.02))
        await service.dial(**DETECTION, AsyncAmdStatusCallback=f"{service.url}/detection")
        await service.until(lambda service: bool(service.at("/detection")))
        form = service.at("/detection")[0].form
        assert (form["AnsweredBy"], form["CallSid"]) == (answered_by, carrier.calls[0].sid)

    run_with_carrier(scenario)


@pytest.mark.parametrize("asked", [False, True], ids=["nobody asked", "nothing found"])
def test_detection_is_told_only_if_asked_for_and_found(run_with_carrier: RunWithCarrier, asked: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(detected=None if asked else Detection(), hangs_up_after_s=0.1)
        extra = DETECTION | {"AsyncAmdStatusCallback": f"{service.url}/detection"} if asked else {}
        await service.whole_call(**extra)
        assert service.at("/detection") == []

    run_with_carrier(scenario)


@pytest.mark.parametrize(
    ("documents", "violation"),
    [
        (["<Response><Dial/></Response>"], "document: expected one of Say, "),
        ([""], "document: expected XML"),
        (["<Response><Redirect>/answer/1</Redirect></Response>"], "answer in-progress: expected 2xx, got 404"),
        (["<Response><Redirect>/answer/0</Redirect></Response>"], f"documents: expected at most {DOCUMENTS_MAX}"),
    ],
)
def test_a_document_that_cannot_be_used_ends_the_call(
    run_with_carrier: RunWithCarrier, documents: list[str], violation: str
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.documents = documents
        await service.whole_call()
        (call,) = carrier.calls
        assert (call.status, call.hung_up_by) == ("completed", "document")
        assert [found for found in call.violations if found.startswith(violation)]

    run_with_carrier(scenario)


def test_a_refused_callback_is_a_violation_and_the_call_goes_on(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.callback_status, service.media = 403, close_at_once
        await service.whole_call()
        (call,) = carrier.calls
        assert [webhook.reply_status for webhook in call.callbacks_sent] == [403, 403, 403, 403]
        assert call.violations[0] == "status initiated: expected 2xx, got 403"
        assert len(call.answer_documents) == 1

    run_with_carrier(scenario)


@pytest.mark.parametrize(
    ("delivery", "statuses"),
    [
        (Delivery(order=(3, 0, 1, 2)), ["completed", "initiated", "ringing", "in-progress"]),
        (Delivery(order=(0, 3, 2, 1)), ["initiated", "completed", "in-progress", "ringing"]),
        (Delivery(copies=2), [status for status in ("initiated", "ringing", "in-progress", "completed") for _ in "12"]),
        (Delivery(late_s=0.05), ["initiated", "ringing", "in-progress", "completed"]),
    ],
    ids=["last first", "answered before ringing", "twice", "late"],
)
def test_callbacks_come_as_they_are_delivered_and_the_call_is_the_same(
    run_with_carrier: RunWithCarrier, delivery: Delivery, statuses: list[str]
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = Outcome(callee=Answers(hangs_up_after_s=0.05), delivery=delivery)
        await service.whole_call()
        assert service.statuses == statuses
        assert carrier.calls[0].hung_up_by == "agent"
        tokens = {request.headers["I-Twilio-Idempotency-Token"] for request in service.at("/status")}
        assert len(tokens) == 4  # copies have the same

    run_with_carrier(scenario)


def test_late_callbacks_do_not_hold_up_the_answer(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = replace(answers(), delivery=Delivery(late_s=0.4))
        await service.dial()
        await service.until(lambda service: bool(service.events("media")))
        assert service.statuses == []
        carrier.calls[0].hang_up()

    run_with_carrier(scenario)
