"""Plivo's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.call_ages import DatesCalls
from relay.providers.control import (
    AnsweredBy,
    CallPlaced,
    CallRefused,
    CallReport,
    CallStatus,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    HttpReply,
    HttpRequest,
    Webhook,
)
from relay.providers.hang_up_steps import HangsUpInSteps, KnowsWhatIsHungUp
from relay.providers.plivo import PlivoAdapter
from relay.providers.plivo_control import PlivoControl
from tests.providers.plivo_requests import (
    AUTH_ID,
    AUTH_TOKEN,
    CALL_ID,
    DIAL_ANSWERS,
    ERROR,
    EXCHANGES,
    REQUEST_ID,
    call_order,
    control,
    recorded_reply,
    recorded_webhook,
)
from tests.providers.test_twilio_control import REPLIES
from tests.providers.twilio_requests import TO, reply

PLACED = f"request:{REQUEST_ID}"


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def as_recorded(request: HttpRequest) -> dict[str, Any]:
    sent = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
    return {**sent, "body": json.loads(request.body)} if request.body else sent


# --- The recorded exchanges ---


def test_the_recorded_dial_is_sent_with_one_url_for_its_progress() -> None:
    recorded = EXCHANGES["dial"]["request"]
    sent, status_url = as_recorded(typed().dial(call_order())), "https://relay.example.com/plivo/status?leg=agent-7"
    posts = {f"{name}_method": "POST" for name in ("ring", "hangup", "machine_detection")}  # Plivo's default
    assert sent.pop("body") == {**recorded["body"], "ring_url": status_url, "hangup_url": status_url, **posts}
    assert sent == {name: recorded[name] for name in sent}


def test_a_dial_is_what_it_is_to_the_byte() -> None:
    assert typed().dial(call_order(detection_url=None)).body == (
        b'{"from":"14155550100","to":"14155550123",'
        b'"answer_url":"https://relay.example.com/plivo/answer?leg=agent-7","answer_method":"POST",'
        b'"ring_url":"https://relay.example.com/plivo/status?leg=agent-7","ring_method":"POST",'
        b'"hangup_url":"https://relay.example.com/plivo/status?leg=agent-7","hangup_method":"POST",'
        b'"ring_timeout":30,"time_limit":7200}'
    )


@pytest.mark.parametrize("field", ["to", "from_number", "answer_url", "status_url", "detection_url"])
def test_t21_a_line_break_in_any_field_is_refused(field: str) -> None:
    broken = call_order(**{field: getattr(call_order(), field) + "\r\n"})
    with pytest.raises(LocalProtocolError, match=f"^plivo {field}: expected "):
        typed().dial(broken)


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("ring_callback", (CallStatus.RINGING, "Ring/ringing/", None)),
        ("answer_webhook", (CallStatus.ANSWERED, "StartApp/in-progress/", None)),
        ("amd_callback", (CallStatus.ANSWERED, "MachineDetection/in-progress/true", AnsweredBy.MACHINE)),
    ],
)
def test_the_recorded_callbacks_are_verified_and_name_both_ids(name: str, report: Any) -> None:
    status, event, answered_by = report
    assert typed().verify(recorded_webhook(name))
    assert typed().read_report(recorded_webhook(name)) == CallReport(
        CALL_ID, status, f"{CALL_ID}/{event}", answered_by, placed_id=PLACED
    )


def test_the_recorded_hangup_is_the_end_of_the_call() -> None:
    received = recorded_webhook("hangup_callback")
    assert typed().verify(received)
    event_id = f"{CALL_ID}/Hangup/completed/"
    assert typed().read_report(received) == CallReport(CALL_ID, CallStatus.COMPLETED, event_id, placed_id=PLACED)


@pytest.mark.parametrize(("name", "call_id"), [("hangup", CALL_ID), ("cancel_unanswered", PLACED)])
def test_the_recorded_hang_up_is_sent_and_its_answer_read(name: str, call_id: str) -> None:
    recorded = EXCHANGES[name]["request"]
    headers = {"Authorization": recorded["headers"]["Authorization"]}  # the SDK says that nothing is JSON, besides
    assert as_recorded(typed().hang_up(call_id)) == {**recorded, "headers": headers}
    assert typed().read_hang_up(recorded_reply(name))


def test_no_recorded_exchange_is_left_out() -> None:
    ours = {"dial", "dial_error", "hangup", "cancel_unanswered", "hangup_callback"}
    assert {*EXCHANGES} == ours | {"ring_callback", "answer_webhook", "amd_callback"} | {"send_dtmf"}


# --- What a dial may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize("status", [0, 100, 301, 302, 307, 408, 500, 502, 503, 504, 599])
def test_f7_whatever_may_have_reached_the_carrier_is_unclear(status: int) -> None:
    assert typed().read_dial(reply(status, ERROR)) == CallUnclear(f"HTTP {status}, error {status}")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", [], {}, {"request_uuid": None}, {"request_uuid": ""}, {"request_uuid": [REQUEST_ID]}),
        *({"request_uuid": REQUEST_ID + "/"}, {"api_id": REQUEST_ID, "message": "call fired"}),
    ],
)
def test_f7_a_success_without_an_id_is_unclear(body: Any) -> None:
    assert typed().read_dial(reply(201, body)) == CallUnclear("HTTP 201 without a request's id")


@given(REPLIES)
def test_no_reply_whatever_raises(answer: HttpReply) -> None:
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}


@given(st.integers(400, 599), st.sampled_from(["error", "message", "api_id", "request_uuid"]))
def test_no_reading_of_an_error_repeats_a_phone_number(status: int, field: str) -> None:
    assert "5550123" not in repr(typed().read_dial(reply(status, {field: f"{TO} is no number"})))


# --- Hanging up and finding calls ---


def test_a_request_that_is_not_found_may_ring_as_a_call() -> None:
    """Its call may have its UUID; that there is none says nothing either, as the call may have another."""
    request = f"request:{REQUEST_ID}"
    (step,) = control().hang_up_steps(request)
    assert (step.method, step.url) == (typed().hang_up(REQUEST_ID).method, typed().hang_up(REQUEST_ID).url)
    assert control().hang_up_steps(CALL_ID) == []
    of = control().read_hang_up_of
    assert isinstance(control(), KnowsWhatIsHungUp)
    assert isinstance(control(), HangsUpInSteps)
    assert [of(call_id, reply(404, ERROR)) for call_id in (request, CALL_ID)] == [None, True]
    assert [of(call_id, reply(204, b"")) for call_id in (request, CALL_ID)] == [True, True]
    assert [of(call_id, reply(500, ERROR)) for call_id in (request, CALL_ID)] == [False, False]
    assert of(request, reply(404, b"<html>")) is False, "a proxy's"


@pytest.mark.parametrize(
    ("status", "body", "over"),
    [
        (204, b"", True),
        (200, {}, True),
        (404, ERROR, True),
        (404, {"error": "not found"}, True),
        (404, b"<html>", False),  # a proxy's, or of another API URL
        (404, {"message": "no route"}, False),
        (400, ERROR, False),
        (401, b"Could not verify your access level", False),
        (429, ERROR, False),
        (500, ERROR, False),
        (302, b"", False),
    ],
)
def test_a_call_is_over_only_if_plivo_says_so(status: int, body: Any, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(reply(status, body)) is over


@pytest.mark.parametrize(
    "call_id",
    ["", "request:", CALL_ID[:-1], CALL_ID + "\n", CALL_ID + "/../x", f"../{CALL_ID}", f"request:request:{CALL_ID}"],
)
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^plivo call_id: expected a UUID, or request: and a UUID, got "):
        typed().hang_up(call_id)


def test_f7_no_list_of_calls_is_asked_for_as_it_may_have_strangers() -> None:
    assert typed().find_calls(call_order()) == ()
    assert typed().read_find_calls(reply(200, {"api_id": "x", "calls": [CALL_ID]}), call_order()) is None
    assert not isinstance(control(), DatesCalls)


# --- Callbacks that are none ---


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"{}"), ("", b""), ("application/x-www-form-urlencoded", b"CallUUID")],
)
def test_a_webhook_that_is_no_form_has_no_report(content_type: str, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^plivo webhook: expected a form, got "):
        typed().read_report(Webhook("POST", "https://relay.example.com/", {"content-type": content_type}, body))


@given(st.binary())
def test_no_body_of_a_webhook_raises_anything_else(body: bytes) -> None:
    received = Webhook("POST", "https://a.example/", {"content-type": "application/x-www-form-urlencoded"}, body)
    with pytest.raises(RemoteProtocolError):
        typed().read_report(received)


# --- The account ---


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"auth_id": "MA1"}, "auth_id"),
        ({"auth_id": AUTH_ID + "/"}, "auth_id"),
        ({"auth_id": AUTH_ID.lower()}, "auth_id"),
        ({"auth_token": ""}, "auth_token"),
        ({"api_url": "api.plivo.com"}, "api_url"),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^plivo {field}: expected "):
        PlivoControl(**{"auth_id": AUTH_ID, "auth_token": AUTH_TOKEN, **changes})


def test_another_api_is_asked_instead_and_a_subaccount_is_an_account() -> None:
    other = PlivoControl(auth_id="SA" + "1" * 18, auth_token=AUTH_TOKEN, api_url="http://127.0.0.1:8080/")
    expected = f"http://127.0.0.1:8080/v1/Account/SA111111111111111111/Call/{CALL_ID}/"
    assert other.hang_up(CALL_ID).url == expected


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    made = (control(), control().dial(call_order()), control().hang_up(CALL_ID), recorded_webhook("ring_callback"))
    basic = base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode()
    for word in (AUTH_TOKEN, basic, TO.removeprefix("+")):
        assert word not in repr(made)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert isinstance(adapters[0], PlivoAdapter)
    assert adapters[0] is not adapters[1]
