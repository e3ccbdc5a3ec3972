"""What Vonage's webhooks say of a call: each field by itself, repetitions, and the leg that is no phone's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.vonage_report import STATUSES, call_report
from tests.providers.vonage_requests import CALL_ID, MEDIA_URL, control, event, recorded_webhook, signed

WEBSOCKET_ID = "bbbbbbbb-bbbb-cccc-dddd-0123456789ab"


def report(status: str | None, **changes: Any) -> CallReport:
    return control().read_report(event(status, **changes))


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("answer_webhook", CallReport(CALL_ID, None, f"{CALL_ID}/phone///")),
        (
            "event_answered",
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/phone/answered//2026-01-01T00:00:01.000Z"),
        ),
        (
            "event_unanswered",
            CallReport(CALL_ID, CallStatus.NO_ANSWER, f"{CALL_ID}/phone/unanswered//2026-01-01T00:00:31.000Z"),
        ),
        (
            "event_machine",
            CallReport(CALL_ID, None, f"{CALL_ID}/phone/machine//2026-01-01T00:00:03.000Z", AnsweredBy.MACHINE),
        ),
    ],
)
def test_the_recorded_webhooks_are_verified_and_read(name: str, report: CallReport) -> None:
    assert control().verify(recorded_webhook(name))
    assert control().read_report(recorded_webhook(name)) == report


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("started", CallStatus.DIALING),
        ("ringing", CallStatus.RINGING),
        ("answered", CallStatus.ANSWERED),
        ("completed", CallStatus.COMPLETED),
        ("busy", CallStatus.BUSY),
        ("timeout", CallStatus.NO_ANSWER),
        ("unanswered", CallStatus.NO_ANSWER),
        ("rejected", CallStatus.REJECTED),
        ("cancelled", CallStatus.CANCELED),
        ("failed", CallStatus.FAILED),
        ("canceled", None),
        ("disconnected", None),  # the stream's, and not the phone's end
        ("transfer", None),
        ("", None),
        (None, None),
    ],
)
def test_every_status_has_its_neutral_word(said: str | None, status: CallStatus | None) -> None:
    assert report(said).status is status


@pytest.mark.parametrize(
    ("said", "who"), [("human", AnsweredBy.HUMAN), ("machine", AnsweredBy.MACHINE), ("answered", None)]
)
def test_who_answered_is_a_person_or_a_machine(said: str, who: AnsweredBy | None) -> None:
    detected = report(said, uuid=None, call_uuid=CALL_ID)
    assert (detected.call_id, detected.answered_by) == (CALL_ID, who)


def test_the_code_of_a_failure_is_that_of_sip() -> None:
    assert report("busy", sip_code=486).code == "486"
    assert report("failed", sip_code="+14155550123").code == ""
    assert report("completed", sip_code=200).code == ""


@pytest.mark.parametrize(
    ("said", "detail", "sip_code", "status"),
    [
        ("rejected", "invalid_number", None, "invalid_number"),
        ("rejected", "declined", None, "rejected"),
        ("rejected", "restricted", 404, "rejected"),
        ("failed", "number_out_of_service", None, "invalid_number"),
        ("failed", "internal_error", None, "unavailable"),
        ("failed", "cannot_route", None, "failed"),
        ("failed", "cannot_route", 404, "invalid_number"),
        ("failed", "cannot_route", 503, "unavailable"),
        ("failed", None, 603, "rejected"),
        ("busy", "invalid_number", 404, "busy"),
        ("unanswered", "timeout", 503, "no_answer"),
        ("failed", "invented", None, "failed"),
    ],
)
def test_detail_and_sips_code_say_why_it_failed(
    said: str, detail: str | None, sip_code: int | None, status: str
) -> None:
    assert report(said, detail=detail, sip_code=sip_code).status == status


OTHER_LEG: dict[str, dict[str, Any]] = {
    "its number is our URL": {"to": MEDIA_URL, "headers": None},
    "or one without TLS": {"to": "ws://127.0.0.1/", "headers": None},
    "it has our headers": {"headers": {"call_uuid": CALL_ID}},
    "it says so": {"endpoint_type": "websocket", "headers": None},
}


@pytest.mark.parametrize("said", [*STATUSES, "disconnected", "human", "machine"])
@pytest.mark.parametrize("case", OTHER_LEG)
def test_the_leg_of_the_websocket_says_nothing_of_the_phone(said: str, case: str) -> None:
    made = report(said, **{"uuid": WEBSOCKET_ID, **OTHER_LEG[case]})
    assert (made.status, made.answered_by, made.code) == (None, None, "")
    assert made.call_id == (CALL_ID if OTHER_LEG[case]["headers"] else WEBSOCKET_ID)
    assert made.event_id != report(said).event_id
    never_open = bool(OTHER_LEG[case]["headers"]) and said in {"failed", "rejected", "unanswered"}
    assert made.stream_failure == (said if never_open else "")


def test_t5_a_repeated_webhook_is_the_same_event_and_another_is_not() -> None:
    one, again = report("ringing"), report("ringing")
    assert one == again
    others = [
        report("answered"),
        report("ringing", timestamp="2026-01-01T00:00:09.000Z"),
        report("ringing", uuid=WEBSOCKET_ID),
        report("machine"),
        report("machine", sub_state="beep_start"),
    ]
    assert len({one.event_id, *(other.event_id for other in others)}) == 6


@pytest.mark.parametrize("call_id", [None, "", 1, "a", CALL_ID + "\n", "../calls", [CALL_ID]])
def test_a_report_names_one_call(call_id: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^vonage (call_)?uuid: expected "):
        report("answered", uuid=call_id)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"uuid":1}', b'{"headers":{"call_uuid":1}}'])
def test_a_webhook_that_names_no_call_has_no_report(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^vonage "):
        control().read_report(signed(body))


VALUES = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=2) | st.dictionaries(st.text(), st.text())
KEYS = ["uuid", "call_uuid", "status", "sub_state", "timestamp", "to", "headers", "sip_code"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_object_is_a_report_or_an_error_and_its_id_is_short(fields: dict[str, Any]) -> None:
    try:
        made = call_report(json.dumps({"uuid": CALL_ID, **fields}).encode())
    except RemoteProtocolError:
        return
    assert len(made.event_id) <= len(made.call_id) + 10 + 3 * 33
