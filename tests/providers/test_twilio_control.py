"""Twilio's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError, RemoteProtocolError
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
    Refusal,
    Webhook,
)
from relay.providers.forms import parse_form
from relay.providers.twilio import TwilioAdapter
from relay.providers.twilio_control import TwilioControl
from tests.providers.twilio_requests import (
    AUTH_TOKEN,
    CALL_ID,
    DIAL_ANSWERS,
    EXCHANGES,
    FROM,
    TO,
    call_order,
    control,
    invalid_number,
    recorded_reply,
    recorded_webhook,
    reply,
    webhook,
)

CALLS_URL = "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls"


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def as_recorded(request: HttpRequest) -> dict[str, Any]:
    body = [list(field) for field in parse_form(request.body).fields]
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}


# --- The recorded exchanges ---


def test_the_recorded_dial_is_sent_field_by_field() -> None:
    recorded = EXCHANGES["dial"]["request"]
    sent = as_recorded(typed().dial(call_order()))
    assert sent.pop("body") == [*recorded["body"], ["AsyncAmdStatusCallbackMethod", "POST"]]  # POST is Twilio's default
    assert sent == {name: recorded[name] for name in sent}


def test_without_detection_nothing_of_it_is_asked() -> None:
    fields = parse_form(typed().dial(call_order(detection_url=None)).body).fields
    assert [name for name, _ in fields if "Amd" in name or "Detection" in name] == []


def test_the_recorded_answers_to_a_dial_are_read() -> None:
    assert typed().read_dial(recorded_reply("dial")) == CallPlaced(CALL_ID)
    refused = CallRefused(Refusal.INVALID_NUMBER, "21211", "HTTP 400, error 21211")
    assert typed().read_dial(recorded_reply("dial_error_invalid_to")) == refused


def test_the_recorded_webhook_is_signed_and_read() -> None:
    signature = EXCHANGES["answer_webhook"]["request"]["headers"]["X-Twilio-Signature"]
    body = EXCHANGES["answer_webhook"]["request"]["body"]
    recorded = webhook(EXCHANGES["answer_webhook"]["request"]["url"], body.items(), signature)
    assert typed().verify(recorded)
    assert typed().read_report(recorded) == CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress//")


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("status_ringing", CallReport(CALL_ID, CallStatus.RINGING, f"{CALL_ID}/ringing/1/")),
        ("status_completed", CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/completed/3/")),
        ("amd_async", CallReport(CALL_ID, None, f"{CALL_ID}///machine_start", AnsweredBy.MACHINE)),
        ("stream_status", CallReport(CALL_ID, None, f"{CALL_ID}///")),
    ],
)
def test_the_recorded_callbacks_are_verified_and_read(name: str, report: CallReport) -> None:
    assert typed().verify(recorded_webhook(name))
    assert typed().read_report(recorded_webhook(name)) == report


@pytest.mark.parametrize("name", ["hangup", "hangup_already_gone"])
def test_the_recorded_hang_up_is_sent_and_its_answer_read(name: str) -> None:
    assert as_recorded(typed().hang_up(CALL_ID)) == {**EXCHANGES[name]["request"]}
    assert typed().read_hang_up(recorded_reply(name))


def test_no_recorded_exchange_is_left_out() -> None:
    dial = {"dial", "dial_error_invalid_to", "hangup", "hangup_already_gone"}
    assert dial | {"answer_webhook", "status_ringing", "status_completed", "amd_async", "stream_status"} == {*EXCHANGES}


# --- What a dial may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize("code", [21211, "21211"])
def test_f5_an_error_after_rfc_9457_is_read_too(code: int | str) -> None:
    body = {
        "type": "https://www.twilio.com/docs/api/errors/21211",
        "title": "a",
        "status": 400,
        "code": code,
        "detail": TO,
    }
    assert typed().read_dial(reply(400, body)) == invalid_number(21211)


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden", b"[]", b'{"code":"+14155550123"}', b'{"code":null}'])
def test_f5_a_4xx_without_a_code_has_its_status_for_one(body: bytes) -> None:
    assert typed().read_dial(reply(403, body)) == CallRefused(Refusal.REJECTED, "403", "HTTP 403, error 403")


@pytest.mark.parametrize("status", [0, 100, 301, 302, 307, 408, 500, 502, 503, 504, 599])
def test_f7_whatever_may_have_reached_the_carrier_is_unclear(status: int) -> None:
    assert typed().read_dial(reply(status, {"code": 21211})) == CallUnclear(f"HTTP {status}, error 21211")


@pytest.mark.parametrize(
    "body", [b"", b"{", [], {}, {"sid": None}, {"sid": ""}, {"sid": "CA1"}, {"sid": CALL_ID + "/"}]
)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_f7_a_success_without_a_call_is_unclear(status: int, body: Any) -> None:
    assert typed().read_dial(reply(status, body)) == CallUnclear(f"HTTP {status} without a call's id")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sid", "code", "calls", "a"]), inner),
    max_leaves=8,
)
REPLIES = st.builds(
    lambda status, body, after: reply(status, body, retry_after=after),
    st.sampled_from([200, 201, 400, 404, 429]) | st.integers(-1, 1000),
    st.binary() | JSON,
    st.text(),
)


@given(REPLIES)
def test_no_reply_whatever_raises(answer: HttpReply) -> None:
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}
    found = typed().read_find_calls(answer, call_order())
    assert found is None or all(each.startswith("CA") for each in found)
    assert all(isinstance(age_s, float) for age_s in control().read_ages(answer).values())


@given(st.integers(400, 599), st.sampled_from(["code", "message", "detail", "title"]))
def test_no_reading_of_an_error_repeats_a_phone_number(status: int, field: str) -> None:
    body = {"code": 21211, field: TO.removeprefix("+")}
    assert "5550123" not in repr(typed().read_dial(reply(status, body)))


# --- Hanging up and finding calls ---


@pytest.mark.parametrize(
    ("status", "body", "over"),
    [
        (200, {}, True),
        (204, b"", True),
        (404, {"code": 20404}, True),
        (400, {"code": 21220}, True),
        (404, b"<html>", False),  # a proxy's, or of another API URL
        (400, {"code": 21211}, False),
        (401, {"code": 20003}, False),
        (404, {"code": 21220}, False),
        (429, {"code": 20429}, False),
        (500, {"code": 20404}, False),
        (302, b"", False),
    ],
)
def test_a_call_is_over_only_if_twilio_says_so(status: int, body: Any, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(reply(status, body)) is over


@pytest.mark.parametrize("call_id", ["", "CA1", CALL_ID + "\n", CALL_ID + "/../x", CALL_ID.lower(), f"../{CALL_ID}"])
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^twilio call_id: expected CA and 32 hexadecimal digits"):
        typed().hang_up(call_id)


def test_calls_alive_are_asked_for_by_both_numbers_and_each_status() -> None:
    asked = typed().find_calls(call_order())
    assert {request.url.partition("?")[0] for request in asked} == {f"{CALLS_URL}.json"}
    assert [dict(parse_qsl(urlsplit(request.url).query)) for request in asked] == [
        {"To": TO, "From": FROM, "Status": status, "PageSize": "50"} for status in ("queued", "ringing", "in-progress")
    ]
    assert [(request.method, request.body, set(request.headers)) for request in asked] == [
        ("GET", b"", {"Authorization"})
    ] * 3


def test_of_a_list_of_calls_those_placed_over_rest_are_found() -> None:
    other, inbound = "CA" + "e" * 32, "CA" + "f" * 32
    directions = {CALL_ID: {"direction": "outbound-api"}, other: {}, inbound: {"direction": "inbound"}}
    calls = [{"sid": sid, **direction} for sid, direction in directions.items()]
    assert typed().read_find_calls(reply(200, {"calls": calls}), call_order()) == [CALL_ID, other]
    assert typed().read_find_calls(reply(200, {"calls": []}), call_order()) == []


def test_f7_the_calls_of_a_list_are_as_old_as_twilio_says() -> None:
    other, undated, inbound = (f"CA{digit * 32}" for digit in "def")
    made = {CALL_ID: "Thu, 26 Nov 2026 14:59:00 +0000", other: "Thu, 26 Nov 2026 15:00:00 +0000", undated: None}
    calls = [{"sid": sid, "date_created": date} for sid, date in made.items()]
    listed = reply(200, {"calls": [*calls, {"sid": inbound}, {}]}, date="Thu, 26 Nov 2026 15:00:02 GMT")
    assert control().read_ages(listed) == {CALL_ID: 62, other: 2}
    assert control().read_ages(reply(500, {"calls": calls}, date="Thu, 26 Nov 2026 15:00:02 GMT")) == {}


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, {"calls": []}), (404, {}), (200, b""), (200, {}), (200, {"calls": {}}), (200, {"calls": [1]}), (200, [])],
)
def test_a_list_that_cannot_be_read_is_none(status: int, body: Any) -> None:
    assert typed().read_find_calls(reply(status, body), call_order()) is None


@pytest.mark.parametrize("sid", [None, 1, "", "CA1", [CALL_ID]])
def test_a_list_with_a_call_that_cannot_be_read_is_none(sid: Any) -> None:
    assert typed().read_find_calls(reply(200, {"calls": [{"sid": CALL_ID}, {"sid": sid}]}), call_order()) is None


# --- Callbacks that are none ---


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", b"{}"), ("", b""), ("application/x-www-form-urlencoded", b"CallSid")],
)
def test_a_webhook_that_is_no_form_has_no_report(content_type: str, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^twilio webhook: expected a form, got "):
        typed().read_report(Webhook("POST", "https://relay.example.com/", {"content-type": content_type}, body))


@given(st.binary())
def test_no_body_of_a_webhook_raises_anything_else(body: bytes) -> None:
    received = Webhook("POST", "https://a.example/", {"content-type": "application/x-www-form-urlencoded"}, body)
    with pytest.raises(RemoteProtocolError):
        typed().read_report(received)


# --- The account ---


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"account_sid": "AC1", "auth_token": "t"}, "account_sid"),
        ({"account_sid": "AC" + "0" * 32 + "/", "auth_token": "t"}, "account_sid"),
        ({"account_sid": "AC" + "0" * 32, "auth_token": ""}, "auth_token"),
        ({"account_sid": "AC" + "0" * 32, "auth_token": "t", "shared_keys": {"k1": ""}}, "k1"),
        ({"account_sid": "AC" + "0" * 32, "auth_token": "t", "api_url": "api.twilio.com"}, "api_url"),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^twilio {field}: expected "):
        TwilioControl(**arguments)


def test_the_api_of_a_region_is_asked_instead() -> None:
    regional = control(api_url="https://api.dublin.ie1.twilio.com/")
    assert regional.hang_up(CALL_ID).url.startswith("https://api.dublin.ie1.twilio.com/2010-04-01/Accounts/AC")


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    shared = control(shared_keys={"k1": "s3cr3t"})
    made = (shared, shared.dial(call_order()), *shared.find_calls(call_order()), recorded_webhook("status_ringing"))
    basic = base64.b64encode(f"AC00000000000000000000000000000001:{AUTH_TOKEN}".encode()).decode()
    for word in (AUTH_TOKEN, basic, "s3cr3t", TO.removeprefix("+")):
        assert word not in repr(made)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert isinstance(adapters[0], TwilioAdapter)
    assert adapters[0] is not adapters[1]
