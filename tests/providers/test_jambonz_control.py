"""jambonz's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError
from relay.providers.control import (
    AnsweredBy,
    CallPlaced,
    CallRefused,
    CallReport,
    CallStatus,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    HttpRequest,
)
from relay.providers.hang_up_steps import HangsUpInSteps
from relay.providers.jambonz import JambonzAdapter
from tests.providers.control_samples import recorded_reply, reply
from tests.providers.jambonz_requests import (
    ACCOUNT_SID,
    CALL_ID,
    DETECTION,
    DIAL_ANSWERS,
    EXCHANGES,
    FROM,
    MEDIA_URL,
    SECRET,
    TO,
    call_order,
    control,
    error,
    hook,
    recorded_hook,
)
from tests.providers.proofs import proven

CALL_URL = f"https://jambonz.example.com/api/v1/Accounts/{ACCOUNT_SID}/Calls/{CALL_ID}"


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def as_recorded(request: HttpRequest) -> dict[str, Any]:
    body = json.loads(request.body) if request.body else None
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}


# --- The dial ---


def test_the_recorded_dial_is_sent_with_what_jambonz_wants_besides() -> None:
    recorded = EXCHANGES["dial"]["request"]
    sent = as_recorded(typed().dial(call_order()))
    speech = {
        "speech_synthesis_vendor": "google",
        "speech_synthesis_language": "en-US",
        "speech_synthesis_voice": "en-US-Standard-C",
        "speech_recognizer_vendor": "google",
        "speech_recognizer_language": "en-US",
    }
    recorded_body = {name: value for name, value in recorded["body"].items() if name != "tag"}  # the URLs say it
    for hook_name in ("call_hook", "call_status_hook"):
        recorded_body[hook_name] = {**recorded_body[hook_name], "url": proven(recorded_body[hook_name]["url"], SECRET)}
    assert sent == {**recorded, "body": {**recorded_body, "timeLimit": 7200, **speech}}


def test_the_dial_is_what_it_is_to_the_byte() -> None:
    body = typed().dial(call_order()).body
    assert body.startswith(
        '{"from":"+14155550100","to":{"type":"phone","number":"+14155550123"},'
        f'"call_hook":{{"url":"{proven("https://relay.example.com/jambonz/call", SECRET)}","method":"POST"}},'
        f'"call_status_hook":{{"url":"{proven("https://relay.example.com/jambonz/status", SECRET)}","method":"POST"}},'
        '"timeout":30,"timeLimit":7200,"speech_synthesis_vendor":"google",'.encode()
    )


def test_detection_has_a_hook_of_its_own() -> None:
    url = "https://relay.example.com/jambonz/detection"
    assert as_recorded(typed().dial(call_order(detection_url=url)))["body"]["amd"] == {
        "actionHook": proven(url, SECRET)
    }
    assert "amd" not in as_recorded(typed().dial(call_order()))["body"]


def test_who_speaks_may_be_another() -> None:
    made = control(speech_vendor="microsoft", speech_language="de-DE", speech_voice="de-DE-KatjaNeural")
    body = as_recorded(made.dial(call_order()))["body"]
    assert {body["speech_synthesis_vendor"], body["speech_recognizer_vendor"]} == {"microsoft"}
    assert {body["speech_synthesis_language"], body["speech_recognizer_language"]} == {"de-DE"}
    assert body["speech_synthesis_voice"] == "de-DE-KatjaNeural"


@pytest.mark.parametrize("field", ["to", "from_number", "answer_url", "status_url"])
def test_t21_a_line_break_in_an_order_is_refused(field: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^jambonz {field}: expected "):
        typed().dial(call_order(**{field: getattr(call_order(), field) + "\r\n"}))


# --- What it may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize("body", [b"", b"{", [], {}, {"sid": None}, {"sid": ""}, {"sid": "1"}, {"sid": CALL_ID + "/"}])
def test_f7_a_success_without_a_call_is_unclear(body: Any) -> None:
    assert typed().read_dial(reply(201, body)) == CallUnclear("HTTP 201 without a call's id")


@pytest.mark.parametrize("status", [0, 100, 302, 408, 500, 502, 503, 599])
def test_f7_whatever_may_have_reached_the_carrier_is_unclear(status: int) -> None:
    assert typed().read_dial(error(status)) == CallUnclear(f"HTTP {status}, error {status}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sid", "call_sid", "call_status", "msg"]), inner)
    ),
    max_leaves=8,
)


@given(st.integers(-1, 1000) | st.sampled_from([200, 201, 400, 404, 480]), st.binary() | JSON, st.text())
@example(200, [{"call_sid": CALL_ID, "call_status": ["ringing"]}], "")
@example(200, {"call_status": ["completed"]}, "")
def test_no_reply_whatever_raises(status: int, body: Any, after: str) -> None:
    answer = reply(status, body, retry_after=after)
    made = typed().read_dial(answer)
    assert isinstance(made, CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert "msg" not in repr(made)
    assert typed().read_hang_up(answer) in {True, False}
    found = typed().read_find_calls(answer, call_order())
    assert found is None or all(len(each) == 36 for each in found)


@pytest.mark.parametrize("status", [400, 403, 422, 480, 500])
def test_no_reading_of_an_error_repeats_a_phone_number(status: int) -> None:
    assert "5550123" not in repr(typed().read_dial(error(status)))


# --- Hanging up and finding calls ---


def test_the_recorded_hang_up_is_sent_and_its_answer_read() -> None:
    assert as_recorded(typed().hang_up(CALL_ID)) == EXCHANGES["hangup"]["request"]
    assert typed().read_hang_up(recorded_reply(EXCHANGES["hangup"]))


def test_a_call_that_was_not_answered_has_another_hang_up_and_then_it_is_asked_about() -> None:
    made = typed()
    assert isinstance(made, HangsUpInSteps)
    cancel, ask = made.hang_up_steps(CALL_ID)
    assert (cancel.method, cancel.url, cancel.body) == ("PUT", CALL_URL, b'{"call_status":"no-answer"}')
    assert (ask.method, ask.url, ask.body) == ("GET", CALL_URL, b"")
    assert dict(ask.headers) == {"Authorization": "Bearer apikey"}


@pytest.mark.parametrize(
    ("status", "body", "over"),
    [
        (202, b"Accepted", True),
        (204, b"", True),
        *((200, {"call_status": said}, True) for said in ("completed", "busy", "no-answer", "failed")),
        *(
            (200, {"call_status": said}, False)
            for said in ("trying", "ringing", "early-media", "in-progress", "", None)
        ),
        (200, {}, False),
        (200, b"<html>", False),
        (404, b"Not Found", True),  # as jambonz says it
        (404, b"<html>Not Found", False),  # a proxy's, or of another base_url
        (404, {"msg": "Not Found"}, False),
        (404, b"", False),
        (500, b"Internal Server Error", False),  # in no state for what was asked, or over
        *((status, b"", False) for status in (302, 400, 401, 403, 422, 429, 480)),
    ],
)
def test_a_call_is_over_only_if_jambonz_says_so(status: int, body: Any, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(reply(status, body)) is over


@pytest.mark.parametrize("call_id", ["", "1", CALL_ID + "\n", CALL_ID + "/../x", CALL_ID.upper(), f"../{CALL_ID}"])
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    for ask in (control().hang_up, control().hang_up_steps):
        with pytest.raises(LocalProtocolError, match=r"^jambonz call_id: expected a UUID in lower case"):
            ask(call_id)


def test_calls_are_asked_for_by_both_numbers() -> None:
    [asked] = typed().find_calls(call_order())
    url = urlsplit(asked.url)
    assert asked.url.partition("?")[0] == CALL_URL.rpartition("/")[0]
    assert dict(parse_qsl(url.query)) == {"direction": "outbound", "from": FROM, "to": TO}
    assert (asked.method, asked.body) == ("GET", b"")


def test_of_a_list_of_calls_those_that_go_on_are_found() -> None:
    said = [
        "queued",
        "trying",
        "ringing",
        "alerting",
        "early-media",
        "in-progress",
        "completed",
        "failed",
        "busy",
        None,
    ]
    calls = [{"call_sid": CALL_ID[:-1] + str(index), "call_status": each} for index, each in enumerate(said)]
    others = [{"call_sid": "x"}, {"call_sid": "x", "call_status": "ringing", "direction": "inbound"}]
    assert typed().read_find_calls(reply(200, [*calls, *others]), call_order()) == [
        CALL_ID[:-1] + str(index) for index in range(6)
    ]
    assert typed().read_find_calls(reply(200, []), call_order()) == []


def test_of_a_list_with_every_call_of_the_account_those_between_the_orders_numbers_are_found() -> None:
    ours = {"call_sid": CALL_ID, "call_status": "ringing", "direction": "outbound", "from": FROM, "to": TO}
    assert typed().read_find_calls(reply(200, [ours, {**ours, "call_status": "failed"}]), call_order()) == [CALL_ID]
    for other in ({"to": "+14155550199"}, {"from": ["+1"]}, {"from": None}, {"direction": "inbound"}):
        listed = reply(200, [ours, {**ours, "call_sid": "x", **other}])
        assert typed().read_find_calls(listed, call_order()) == [CALL_ID]
    without_plus = {**ours, "to": TO.removeprefix("+")}
    assert typed().read_find_calls(reply(200, [without_plus]), call_order()) == [CALL_ID]


@pytest.mark.parametrize(
    ("status", "body"), [(500, []), (404, []), (200, b""), (200, {}), (200, [1]), (200, {"data": []}), (202, [])]
)
def test_a_list_that_cannot_be_read_is_none(status: int, body: Any) -> None:
    assert typed().read_find_calls(reply(status, body), call_order()) is None


@pytest.mark.parametrize("call_id", [None, 1, "", "1", [CALL_ID]])
def test_a_list_with_a_call_that_cannot_be_read_is_none(call_id: Any) -> None:
    assert typed().read_find_calls(reply(200, [{"call_sid": call_id, "call_status": "ringing"}]), call_order()) is None


# --- Hooks ---


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("call_hook", CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress/200")),
        ("call_status", CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/completed/200")),
    ],
)
def test_the_recorded_hooks_are_verified_and_read(name: str, report: CallReport) -> None:
    assert typed().verify(recorded_hook(name))
    assert typed().read_report(recorded_hook(name)) == report


def test_a_detection_hook_is_verified_and_read() -> None:
    assert typed().verify(hook(DETECTION))
    report = CallReport(CALL_ID, None, f"{CALL_ID}/amd_machine_detected", AnsweredBy.MACHINE)
    assert typed().read_report(hook(DETECTION)) == report


def test_no_recorded_exchange_is_left_out() -> None:
    assert {"dial", "call_hook", "call_status", "hangup"} == {*EXCHANGES}


# --- The account ---


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("base_url", value) for value in ("", "jambonz.example.com", "https://a b")),
        *(("account_sid", value) for value in ("", "1", ACCOUNT_SID + "/", ACCOUNT_SID + "\n")),
        *(("api_key", value) for value in ("", "a b", "a\r\nX: y", "é")),
        *(("webhook_secret", ""), ("sample_rate_hz", 44100)),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused(option: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^jambonz {option}: expected ") as refused:
        control(**{option: value})
    assert "X: y" not in str(refused.value)


def test_a_slash_at_the_end_of_the_base_url_does_not_matter() -> None:
    assert control(base_url="https://jambonz.example.com/api/").hang_up(CALL_ID).url == CALL_URL


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    made = (control(), typed().dial(call_order()), *typed().find_calls(call_order()), recorded_hook("call_status"))
    for word in ("apikey", SECRET, "s3cret", TO.removeprefix("+"), FROM.removeprefix("+")):
        assert word not in repr(made)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert all(isinstance(each, JambonzAdapter) for each in adapters)
    assert adapters[0] is not adapters[1]


def test_the_stream_is_opened_by_the_answer_and_not_by_the_dial() -> None:
    assert (typed().capabilities.opens_stream, typed().capabilities.can_say) == ("answer", True)
    assert typed().dial(call_order(media_url=MEDIA_URL)) == typed().dial(call_order())
