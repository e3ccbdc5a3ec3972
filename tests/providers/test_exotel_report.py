"""What Exotel's callbacks say of a call: in each type, each field by itself, and repetitions."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus, Webhook
from relay.providers.exotel_report import ALIVE, ENDS, EVENTS, call_report, reply_value
from tests.providers.control_samples import reply
from tests.providers.exotel_requests import (
    BOUNDARY,
    CALL_ID,
    CALLBACKS,
    TERMINAL,
    as_json,
    callback,
    form_callback,
    multipart_callback,
)


def report(**fields: Any) -> CallReport:
    return call_report(callback({"CallSid": CALL_ID, **fields}))


@pytest.mark.parametrize("kind", CALLBACKS)
def test_the_recorded_callback_is_read_in_every_type(kind: str) -> None:
    event_id = f"{CALL_ID}/terminal/completed/human"
    assert call_report(CALLBACKS[kind]) == CallReport(CALL_ID, CallStatus.COMPLETED, event_id, AnsweredBy.HUMAN)


@pytest.mark.parametrize(
    ("event", "said", "status"),
    [
        *(("terminal", said, status) for said, status in ENDS.items()),
        *((None, said, status) for said, status in ENDS.items()),  # without an event, it is of an end
        *(
            ("answered", said, CallStatus.ANSWERED)
            for said in ("in-progress", "ringing", "queued", "", "on-hold", None)
        ),
        ("answered", "completed", CallStatus.COMPLETED),  # it comes late: what is over is over
        ("ringing", "in-progress", CallStatus.RINGING),
        ("ringing", None, CallStatus.RINGING),
        (None, "ringing", CallStatus.RINGING),
        (None, "queued", CallStatus.DIALING),
        (None, "in-progress", CallStatus.DIALING),  # the dial's answer says so, too, before anybody picks up
        ("terminal", "on-hold", CallStatus.FAILED),
        ("terminal", None, CallStatus.FAILED),
        ("held", "on-hold", None),
        ("Terminal", "Completed", None),
        (None, None, None),
    ],
)
def test_every_event_and_status_has_its_neutral_word(event: str | None, said: str | None, status: Any) -> None:
    fields = {name: value for name, value in {"EventType": event, "Status": said}.items() if value is not None}
    for made in (callback, form_callback, multipart_callback):
        assert call_report(made({"CallSid": CALL_ID, **fields})).status is status


def test_no_word_is_in_two_tables() -> None:
    assert ENDS.keys() & ALIVE.keys() == set()
    assert ENDS.keys() & EVENTS.keys() == set()


@pytest.mark.parametrize(
    ("legs", "who"),
    [
        (["HUMAN"], AnsweredBy.HUMAN),
        (["Human"], AnsweredBy.HUMAN),
        (["Machine"], AnsweredBy.MACHINE),
        (["MACHINE"], AnsweredBy.MACHINE),
        (["NotSure"], AnsweredBy.UNKNOWN),
        (["NA"], None),
        (["NA", "Machine"], AnsweredBy.MACHINE),
        (["HUMAN", "Machine"], AnsweredBy.MACHINE),
        (["NotSure", "HUMAN"], AnsweredBy.HUMAN),
        (["robot", ""], None),
        ([], None),
    ],
)
def test_who_answered_is_a_person_a_machine_or_unknown(legs: list[str], who: AnsweredBy | None) -> None:
    assert report(Legs=[{"AnsweredBy": each} for each in legs]).answered_by is who
    fields = {f"Legs[{index}][AnsweredBy]": each for index, each in enumerate(legs)}
    for made in (form_callback, multipart_callback):
        assert call_report(made({"CallSid": CALL_ID, **fields})).answered_by is who


@pytest.mark.parametrize("legs", [None, "HUMAN", {}, [None], ["HUMAN"], [[]], [{}], [{"AnsweredBy": ["HUMAN"]}]])
def test_legs_that_cannot_be_read_say_nothing(legs: Any) -> None:
    assert report(Legs=legs).answered_by is None


@pytest.mark.parametrize("call_id", [None, "", "CA1", CALL_ID + "\n", "../Calls/" + CALL_ID, [CALL_ID], "a" * 65])
def test_a_report_names_one_call(call_id: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^exotel CallSid: expected 8 to 64 letters and digits"):
        report(CallSid=call_id)


def test_two_calls_in_one_form_are_none() -> None:
    two = form_callback({"CallSid": CALL_ID})
    with pytest.raises(RemoteProtocolError, match=r"^exotel CallSid: "):
        call_report(replace(two, body=two.body + b"&CallSid=" + CALL_ID[::-1].encode()))


def test_t5_a_repeated_callback_is_the_same_event_in_any_type() -> None:
    assert len({call_report(each).event_id for each in CALLBACKS.values()}) == 1
    later = callback({**as_json(TERMINAL), "DateUpdated": "2026-01-01 05:35:00", "RecordingUrl": "https://a.example"})
    assert call_report(later).event_id == call_report(CALLBACKS["json"]).event_id


def test_t5_other_calls_events_and_statuses_are_other_events() -> None:
    made = [report(), report(CallSid="a" * 32), report(EventType="answered"), report(Status="completed")]
    assert len({each.event_id for each in made}) == len(made)


@given(st.dictionaries(st.sampled_from(["EventType", "Status", "Legs", "CustomField", "a"]), st.text() | st.integers()))
def test_anything_in_the_other_fields_is_a_report_with_a_short_event_id(fields: dict[str, Any]) -> None:
    made = report(**fields)
    assert made.call_id == CALL_ID
    assert len(made.event_id) <= 64 + 2 * 33 + 8


# --- What is no callback ---


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        *(("application/json", body) for body in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000)),
        ("application/json", b'{"CallSid":"' + b"a" * (1 << 16) + b'"}'),
        *(("application/x-www-form-urlencoded", body) for body in (b"CallSid", b"%", b"a=%ff")),
        *(("multipart/form-data", body) for body in (b"", b"a")),
        (f"multipart/form-data; boundary={BOUNDARY}", b"CallSid"),
        *((kind, b'{"CallSid":"a"}') for kind in ("", "text/plain", "text/xml", "application/jsonx")),
    ],
)
def test_what_is_neither_form_nor_json_has_no_report(content_type: str, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^exotel (webhook|message): expected ") as refused:
        call_report(Webhook("POST", "https://relay.example.com/", {"content-type": content_type}, body))
    assert len(str(refused.value)) < 200


@given(st.sampled_from(["application/json", f"multipart/form-data; boundary={BOUNDARY}", "a/b"]), st.binary())
def test_no_body_raises_anything_else(content_type: str, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        call_report(Webhook("POST", "https://a.example/", {"content-type": content_type}, body))


def test_types_may_be_written_in_any_case_and_with_parameters() -> None:
    for kind in ("Application/JSON", "application/json; charset=utf-8", " application/json"):
        made = replace(CALLBACKS["json"], headers={"content-type": kind})
        assert call_report(made).call_id == CALL_ID


# --- What REST answers ---


NO_TEXTS: list[Any] = [None, True, 1.5, [], {}]
NO_VALUES: list[Any] = [
    *({"Call": {"Sid": value}} for value in NO_TEXTS),
    *({}, {"Call": None}, {"Sid": "x"}, [], b"", b"x", b"\xff"),
    *(b"<Sid>x</Sid>", b"<Call></Call><Sid>x</Sid>", b"<", b"<Call>", b"<call>"),
]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"Call": {"Sid": "x"}}, "x"),
        ({"call": {"sid": "x"}}, "x"),
        ({"Call": {"Sid": 1}}, "1"),
        (b"<Call><Sid>x</Sid></Call>", "x"),
        (b"\n<?xml version='1.0'?><TwilioResponse><Call><A>y</A>\n<Sid> x </Sid></Call></TwilioResponse>", "x"),
        (b"<Call><Sid>\xff</Sid></Call>", "\ufffd"),
        *((body, "") for body in NO_VALUES),
    ],
)
def test_a_value_of_an_answer_is_read_in_json_and_xml(body: Any, value: str) -> None:
    assert reply_value(reply(200, body), "Call", "Sid") == value


def test_a_large_answer_of_open_elements_is_read_in_no_time() -> None:
    assert reply_value(reply(200, b"<Call>" * 170_000), "Call", "Sid") == ""
