"""What Telnyx's events say of a call: each kind by itself, repetitions, and another order's."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.conformance.mutations import compact
from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.sip_codes import refined
from relay.providers.telnyx_report import HANGUP_CAUSES, call_report
from tests.providers.telnyx_requests import CALL_ID, EXCHANGES, STATUS_URL, control, event, signed


def report(event_type: str, **payload: Any) -> CallReport:
    return control().read_report(event(event_type, **payload))


def test_the_recorded_events_are_read() -> None:
    answered, _ = call_report(compact(EXCHANGES["event_call_answered"]["request"]["body"]))
    event_id = "v3:T02ll.../call.answered/0ccc7b54-4df3-4bca-a65a-3da1ecc777f0"
    assert answered == CallReport("v3:T02ll...", CallStatus.ANSWERED, event_id)
    ended, state = call_report(compact(EXCHANGES["event_call_hangup"]["request"]["body"]))
    assert ended == CallReport("v3:T02ll...", CallStatus.BUSY, "v3:T02ll.../call.hangup/", code="486")
    assert state is None


@pytest.mark.parametrize(
    ("event_type", "status"),
    [
        ("call.initiated", CallStatus.DIALING),
        ("call.ringing", CallStatus.RINGING),
        ("call.answered", CallStatus.ANSWERED),
        ("call.Answered", None),
        ("call.dtmf.received", None),
        ("streaming.started", None),
        ("streaming.failed", None),
        ("call.invented", None),
    ],
)
def test_every_event_has_its_neutral_word(event_type: str, status: CallStatus | None) -> None:
    assert report(event_type).status is status


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("connection_failed", "connection_failed"),
        (None, "unknown"),
        ("", "unknown"),
        ("wss://relay.example.com/t0k3n", "unknown"),
        (41 * "a", "unknown"),
    ],
)
def test_a_stream_that_failed_says_why_in_a_word(reason: str | None, told: str) -> None:
    failed = report("streaming.failed", failure_reason=reason)
    assert (failed.stream_failure, failed.status) == (told, None)
    assert report("streaming.stopped", failure_reason=reason).stream_failure == ""


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("normal_clearing", CallStatus.COMPLETED),
        ("time_limit", CallStatus.COMPLETED),
        ("user_busy", CallStatus.BUSY),
        ("no_answer", CallStatus.NO_ANSWER),
        ("timeout", CallStatus.NO_ANSWER),
        ("originator_cancel", CallStatus.CANCELED),
        ("call_rejected", CallStatus.REJECTED),
        ("not_found", CallStatus.INVALID_NUMBER),
        ("unspecified", CallStatus.FAILED),
        ("invented", CallStatus.FAILED),
        (None, CallStatus.FAILED),
    ],
)
def test_every_cause_of_a_hang_up_has_its_neutral_word(cause: str | None, status: CallStatus) -> None:
    assert report("call.hangup", hangup_cause=cause).status is status


@pytest.mark.parametrize("cause", HANGUP_CAUSES)
@pytest.mark.parametrize("sip_code", ["404", "503", "603"])
def test_the_code_of_sip_says_more_than_the_cause(cause: str, sip_code: str) -> None:
    plain, with_sip = (
        report("call.hangup", hangup_cause=cause),
        report("call.hangup", hangup_cause=cause, sip_hangup_cause=sip_code),
    )
    if plain.status is CallStatus.COMPLETED:
        assert with_sip == plain
    else:
        assert plain.status is not None
        assert with_sip.status is refined(plain.status, sip_code)
        assert (plain.code, with_sip.code) == ("", sip_code)


def test_a_code_is_short_digits() -> None:
    assert report("call.hangup", hangup_cause="user_busy", sip_hangup_cause="+14155550123").code == ""
    assert report("call.hangup", hangup_cause="user_busy", sip_hangup_cause="unspecified").code == ""


@pytest.mark.parametrize(
    ("event_type", "result", "who"),
    [
        ("call.machine.detection.ended", "human", AnsweredBy.HUMAN),
        ("call.machine.detection.ended", "machine", AnsweredBy.MACHINE),
        ("call.machine.detection.ended", "not_sure", AnsweredBy.UNKNOWN),
        ("call.machine.premium.detection.ended", "human_residence", AnsweredBy.HUMAN),
        ("call.machine.premium.detection.ended", "human_business", AnsweredBy.HUMAN),
        ("call.machine.premium.detection.ended", "machine", AnsweredBy.MACHINE),
        ("call.machine.premium.detection.ended", "fax_detected", AnsweredBy.MACHINE),
        ("call.machine.premium.detection.ended", "silence", AnsweredBy.UNKNOWN),
        ("call.machine.premium.detection.ended", None, AnsweredBy.UNKNOWN),
        ("call.machine.premium.greeting.ended", "beep_detected", AnsweredBy.MACHINE),
        ("call.machine.premium.greeting.ended", "no_beep_detected", None),
        ("call.machine.greeting.ended", "ended", None),
        ("call.answered", "human", None),
    ],
)
def test_who_answered_is_a_person_a_machine_or_unknown(
    event_type: str, result: str | None, who: AnsweredBy | None
) -> None:
    said = report(event_type, result=result)
    assert said.answered_by is who
    assert said.status is (CallStatus.ANSWERED if event_type == "call.answered" else None)


def test_t5_a_repeated_webhook_is_the_same_event_and_another_is_not() -> None:
    one, again = report("call.ringing"), report("call.ringing")
    assert one == again
    assert one.event_id == f"{CALL_ID}/call.ringing/e-1"
    others = [report("call.answered"), report("call.ringing", call_control_id="v3:other")]
    others.append(control().read_report(event("call.ringing", event_id="e-2")))
    assert len({one.event_id, *(other.event_id for other in others)}) == 4


def test_t3_another_orders_webhook_is_refused() -> None:
    """Telnyx does not sign the URL: what it says of one call must not be said of another."""
    true = event("call.hangup", hangup_cause="user_busy")
    moved = signed(true.body, url=STATUS_URL + "2")
    assert control().verify(moved)
    with pytest.raises(RemoteProtocolError, match=r"^telnyx client_state: expected this URL's order, got another$"):
        control().read_report(moved)
    with pytest.raises(RemoteProtocolError, match=r"^telnyx client_state: "):
        control().read_report(replace(true, url=STATUS_URL))


@pytest.mark.parametrize("event_type", ["call.answered", "call.hangup", "call.machine.detection.ended"])
@pytest.mark.parametrize(("state", "got"), [(None, "none"), ("", "another"), ("AAAA", "another")])
def test_t3_an_event_that_does_not_say_whose_order_it_is_of_is_refused(event_type: str, state: Any, got: str) -> None:
    """Each of relay's calls has a ``client_state``: an event without it is of a call that was not dialled here."""
    with pytest.raises(RemoteProtocolError, match=rf"^telnyx client_state: expected this URL's order, got {got}$"):
        report(event_type, client_state=state)


@pytest.mark.parametrize("call_id", [None, "", 1, "CA1", "v3:a/../b", CALL_ID + "\n", [CALL_ID]])
def test_a_report_names_one_call(call_id: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^telnyx data\.payload\.call_control_id: expected "):
        report("call.answered", call_control_id=call_id)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"data":1}', b'{"data":{"event_type":"call.answered"}}'])
def test_a_webhook_that_is_no_event_has_no_report(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^telnyx "):
        control().read_report(signed(body))


VALUES = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
KEYS = ["hangup_cause", "result", "sip_hangup_cause", "client_state", "call_control_id"]


@given(
    st.sampled_from(["call.hangup", "call.machine.detection.ended"]) | st.text(),
    VALUES,
    st.dictionaries(st.sampled_from(KEYS), VALUES),
)
def test_any_event_is_a_report_or_an_error_and_its_id_is_short(
    event_type: str, event_id: Any, payload: dict[str, Any]
) -> None:
    said = {"call_control_id": CALL_ID, **payload}
    body = json.dumps({"data": {"event_type": event_type, "id": event_id, "payload": said}}).encode()
    try:
        made, _ = call_report(body)
    except RemoteProtocolError:
        return
    assert len(made.event_id) <= len(made.call_id) + 2 * 65
