"""SignalWire's control side: the recorded exchanges, and what differs from Twilio's."""

import base64
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import canonicalize, fromstring

import pytest
from hypothesis import given

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
    Webhook,
)
from relay.providers.forms import parse_form
from relay.providers.laml_report import STATUSES
from relay.providers.signalwire import SignalWireAdapter
from relay.providers.signalwire_control import SignalWireControl
from tests.providers.signalwire_requests import (
    API_TOKEN,
    CALL_ID,
    DIAL_ANSWERS,
    EXCHANGES,
    MEDIA_URL,
    PROJECT_ID,
    SIGNING_KEY,
    call_order,
    control,
    progress,
    recorded_reply,
    token_of,
    webhook,
)
from tests.providers.test_twilio_control import REPLIES, as_recorded
from tests.providers.test_xml_document import ANY_TEXT, readable
from tests.providers.twilio_requests import TO, rejected, reply

ONE = control()


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


# --- The recorded exchanges ---


def test_the_recorded_dial_is_sent_with_what_it_leaves_to_the_default() -> None:
    recorded = EXCHANGES["dial"]["request"]
    sent = as_recorded(typed().dial(call_order(detection_url=None)))
    body = sent.pop("body")
    assert [field for field in body if field in recorded["body"]] == recorded["body"]
    added = [field for field in body if field not in recorded["body"]]
    assert added == [["Method", "POST"], ["StatusCallbackMethod", "POST"], ["TimeLimit", "7200"]]
    assert sent == {name: recorded[name] for name in sent}


def test_machines_are_detected_while_the_call_goes_on() -> None:
    fields = dict(parse_form(typed().dial(call_order()).body).fields)
    assert {name: value for name, value in fields.items() if "Amd" in name or "Machine" in name} == {
        "MachineDetection": "Enable",
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": "https://relay.example.com/signalwire/amd",
        "AsyncAmdStatusCallbackMethod": "POST",
    }


def test_the_recorded_webhook_is_signed_and_read() -> None:
    recorded = EXCHANGES["answer_webhook"]["request"]
    received = webhook(recorded["url"], recorded["body"].items(), recorded["headers"]["X-SignalWire-Signature"])
    assert typed().verify(received)
    assert typed().read_report(received) == CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress//")


def test_the_recorded_document_is_made_but_for_the_parameters() -> None:
    recorded = fromstring(EXCHANGES["answer_webhook"]["response"]["body"])[0][0]  # noqa: S314  # a sample
    ours = fromstring(typed().stream_document(recorded.attrib["url"], then_url=None).body)[0][0]  # noqa: S314  # ours
    tokens = recorded.attrib.pop("authBearerToken"), ours.attrib.pop("authBearerToken")
    assert (ours.tag, ours.attrib, len(tokens[1])) == (recorded.tag, recorded.attrib, 64)


def test_the_recorded_hang_up_is_sent_and_its_answer_read() -> None:
    assert as_recorded(typed().hang_up(CALL_ID)) == EXCHANGES["hangup"]["request"]
    assert typed().read_hang_up(recorded_reply("hangup"))


def test_no_recorded_exchange_is_left_out() -> None:
    assert {*EXCHANGES} == {"dial", "answer_webhook", "hangup"}


# --- REST ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize(
    "body", [{"errors": []}, {"errors": ["x"]}, {"errors": [{"code": TO}]}, {"code": "14155550123"}]
)
def test_f5_a_code_that_is_none_is_the_status(body: Any) -> None:
    assert typed().read_dial(reply(422, body)) == rejected(422, 422)


@given(REPLIES)
def test_no_reply_whatever_raises(answer: HttpReply) -> None:
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}
    assert typed().read_find_calls(answer, call_order()) in (None, [])
    assert all(isinstance(age_s, float) for age_s in control().read_ages(answer).values())


@pytest.mark.parametrize(
    ("status", "body", "over"),
    [
        (200, {}, True),
        (404, {"code": 20404}, True),
        (400, {"code": "21220"}, True),
        (422, {"errors": [{"code": "cannot_update_completed"}]}, True),
        (422, {"errors": [{"code": "cannot_cancel_in_progress"}]}, False),
        (404, b"<html>", False),  # a proxy's, or of another space
        (401, {"code": 20003}, False),
        (500, {"code": 20404}, False),
    ],
)
def test_a_call_is_over_only_if_signalwire_says_so(status: int, body: Any, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(reply(status, body)) is over


@pytest.mark.parametrize("call_id", ["", "CA" + "0" * 32, CALL_ID + "\n", CALL_ID + "/../x", f"../{CALL_ID}"])
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^signalwire call_id: expected a UUID, got "):
        typed().hang_up(call_id)


def test_calls_alive_are_asked_for_and_are_as_old_as_signalwire_says() -> None:
    asked = typed().find_calls(call_order())
    assert [request.url.rpartition("&Status=")[2] for request in asked] == [
        f"{status}&PageSize=50" for status in ("queued", "ringing", "in-progress")
    ]
    calls = [
        {"sid": CALL_ID, "direction": "outbound-api", "date_created": "Thu, 26 Nov 2026 14:59:00 +0000"},
        {"sid": PROJECT_ID, "direction": "inbound", "date_created": "Thur, 20 Sept 2018 10:00:00 +0000"},
    ]
    listed = reply(200, {"calls": calls}, date="Thu, 26 Nov 2026 15:00:02 GMT")
    assert typed().read_find_calls(listed, call_order()) == [CALL_ID]
    assert control().read_ages(listed) == {CALL_ID: 62}
    assert isinstance(control(), DatesCalls)


# --- Reports ---


@pytest.mark.parametrize(("said", "status"), STATUSES.items())
def test_each_status_is_as_twilios(said: str, status: CallStatus) -> None:
    received = progress(said, SequenceNumber="2")
    assert typed().verify(received)
    assert typed().read_report(received) == CallReport(CALL_ID, status, f"{CALL_ID}/{said}/2/")


def test_a_phone_that_declines_has_rejected_the_call() -> None:
    declined = typed().read_report(progress("busy", SipResultCode="603"))
    assert (declined.status, declined.code) == (CallStatus.REJECTED, "603")
    assert typed().read_report(progress("busy", SipResponseCode="603")).status is CallStatus.BUSY
    assert typed().read_report(progress("failed", SipResultCode="404")).status is CallStatus.INVALID_NUMBER


def test_a_machine_is_reported() -> None:
    assert typed().read_report(progress("in-progress", AnsweredBy="machine_start")).answered_by is AnsweredBy.MACHINE


@pytest.mark.parametrize("call_id", ["", "CA" + "0" * 32, CALL_ID + "0", "../Calls"])
def test_a_report_names_one_call(call_id: str) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^signalwire CallSid: expected a UUID, got "):
        typed().read_report(progress("busy", CallSid=call_id))


def test_a_webhook_that_is_no_form_has_no_report() -> None:
    with pytest.raises(RemoteProtocolError, match=r"^signalwire webhook: expected a form, got "):
        typed().read_report(Webhook("POST", "https://relay.example.com/", {"content-type": "application/json"}, b"{}"))


# --- Documents and the account ---


def test_a_stream_is_between_what_is_said_and_what_comes_next() -> None:
    then_url = "https://relay.example.com/answer/1"
    document = ONE.stream_document(MEDIA_URL, then_url=then_url, say="A refund & <more>")
    assert canonicalize(document.body.decode()) == (
        "<Response><Say>A refund &amp; &lt;more&gt;</Say><Connect>"
        f'<Stream authBearerToken="{token_of(ONE)}" codec="PCMU@8000h" url="{MEDIA_URL}"></Stream></Connect>'
        f'<Redirect method="POST">{then_url}</Redirect></Response>'
    )


def test_wideband_is_asked_for_as_signalwires_page_writes_it() -> None:
    document = control(space="example", wideband=True).stream_document(MEDIA_URL, then_url=None)
    [stream] = fromstring(document.body).iter("Stream")  # noqa: S314  # our own
    assert stream.get("codec") == "L16@16000h"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_t20_no_text_becomes_an_element(media_url: str, then_url: str, say: str) -> None:
    root = fromstring(ONE.stream_document(media_url, then_url=then_url, say=say).body)  # noqa: S314  # our own
    tags = [each.tag for each in root.iter() if each.tag != "Say"]
    assert tags == ["Response", "Connect", "Stream", "Redirect"]
    assert root.findtext("Redirect") == readable(then_url)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"project_id": "1"}, "project_id"),
        ({"api_token": ""}, "api_token"),
        ({"signing_key": ""}, "signing_key"),
        ({"space": ""}, "space"),
        ({"space": "evil.example/"}, "space"),
        ({"space": "example.signalwire.com.evil.example"}, "space"),
        ({"api_url": "example.signalwire.com"}, "api_url"),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused(changes: dict[str, Any], field: str) -> None:
    account = {"project_id": PROJECT_ID, "api_token": API_TOKEN, "signing_key": SIGNING_KEY, "space": "example"}
    with pytest.raises(LocalProtocolError, match=f"^signalwire {field}: expected "):
        SignalWireControl(**{**account, **changes})


def test_the_api_is_that_of_the_space_or_the_one_that_is_given() -> None:
    path = f"/api/laml/2010-04-01/Accounts/{PROJECT_ID}/Calls/{CALL_ID}.json"
    for options in ({"space": "example"}, {"space": "example.signalwire.com"}):
        assert control(**options).hang_up(CALL_ID).url == f"https://example.signalwire.com{path}"
    assert control(api_url="http://127.0.0.1:8080/").hang_up(CALL_ID).url == f"http://127.0.0.1:8080{path}"


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    made = (ONE, ONE.dial(call_order()), *ONE.find_calls(call_order()), progress("busy"))
    basic = base64.b64encode(f"{PROJECT_ID}:{API_TOKEN}".encode()).decode()
    for word in (API_TOKEN, SIGNING_KEY, basic, token_of(ONE), TO.removeprefix("+"), urlencode({"a": TO})[2:]):
        assert word not in repr(made)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert isinstance(adapters[0], SignalWireAdapter)
    assert adapters[0] is not adapters[1]
