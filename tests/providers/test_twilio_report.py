"""What Twilio's callbacks say of a call: each field by itself, and repetitions."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.forms import Form
from relay.providers.sip_codes import refined
from relay.providers.twilio_report import STATUSES, call_report
from tests.providers.twilio_requests import CALL_ID, EXCHANGES


def report(**fields: str) -> CallReport:
    return call_report(Form(tuple({"CallSid": CALL_ID, **fields}.items())))


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("queued", CallStatus.DIALING),
        ("initiated", CallStatus.DIALING),
        ("ringing", CallStatus.RINGING),
        ("in-progress", CallStatus.ANSWERED),
        ("completed", CallStatus.COMPLETED),
        ("busy", CallStatus.BUSY),
        ("no-answer", CallStatus.NO_ANSWER),
        ("failed", CallStatus.FAILED),
        ("canceled", CallStatus.CANCELED),
        ("", None),
        ("Busy", None),
        ("on-hold", None),
    ],
)
def test_every_status_has_its_neutral_word(said: str, status: CallStatus | None) -> None:
    assert report(CallStatus=said).status is status


@pytest.mark.parametrize("said", STATUSES)
@pytest.mark.parametrize("sip_code", ["404", "486", "503", "603"])
def test_the_code_of_sip_says_more_than_the_status(said: str, sip_code: str) -> None:
    plain, with_sip = report(CallStatus=said), report(CallStatus=said, SipResponseCode=sip_code)
    if said not in {"busy", "no-answer", "failed"}:
        assert with_sip == plain
    else:
        assert plain.status is not None
        assert with_sip.status is refined(plain.status, sip_code)
        assert (plain.code, with_sip.code) == ("", sip_code)


def test_the_carriers_own_code_comes_before_that_of_sip() -> None:
    assert report(CallStatus="failed", SipResponseCode="404", ErrorCode="13224").code == "13224"
    assert report(CallStatus="in-progress", ErrorCode="31920").code == "31920"
    assert report(CallStatus="failed", ErrorCode="+14155550123").code == ""


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ("human", AnsweredBy.HUMAN),
        *((f"machine_{how}", AnsweredBy.MACHINE) for how in ("start", "end_beep", "end_silence", "end_other")),
        ("fax", AnsweredBy.MACHINE),
        ("unknown", AnsweredBy.UNKNOWN),
        ("robot", AnsweredBy.UNKNOWN),
        ("", None),
    ],
)
def test_who_answered_is_a_person_a_machine_or_unknown(said: str, who: AnsweredBy | None) -> None:
    assert report(AnsweredBy=said).answered_by is who


@pytest.mark.parametrize(
    "call_ids",
    [[], [""], ["CA1"], [CALL_ID + "0"], [CALL_ID.lower()], [CALL_ID + "\n"], ["../Calls"], [CALL_ID, "CA" + "f" * 32]],
)
def test_a_report_names_one_call(call_ids: list[str]) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^twilio CallSid: expected CA and 32 hexadecimal digits"):
        call_report(Form(tuple(("CallSid", call_id) for call_id in call_ids)))


def recorded(name: str) -> Any:
    return EXCHANGES[name]["request"]["body"]


CALLBACKS = ["answer_webhook", "status_ringing", "status_completed", "amd_async"]


def test_t5_a_repeated_webhook_is_the_same_event_and_another_is_not() -> None:
    reports = [[call_report(Form(tuple(recorded(name).items()))) for _ in range(3)] for name in CALLBACKS]
    assert all(first == second == third for first, second, third in reports)
    assert len({first.event_id for first, *_ in reports}) == len(CALLBACKS)


def test_t5_fields_in_another_order_are_the_same_event() -> None:
    fields = tuple(recorded("status_completed").items())
    assert call_report(Form(fields)).event_id == call_report(Form(fields[::-1])).event_id


def test_t5_two_calls_are_two_events() -> None:
    assert report().event_id != report(CallSid="CA" + "f" * 32).event_id


@given(
    st.dictionaries(st.sampled_from(["CallStatus", "SequenceNumber", "AnsweredBy", "ErrorCode"]), st.text(), max_size=4)
)
@example({"CallStatus": "a" * 1000, "SequenceNumber": "1" * 1000, "AnsweredBy": "b" * 1000})
def test_any_text_in_the_other_fields_is_a_report_with_a_short_event_id(fields: dict[str, str]) -> None:
    made = report(**fields)
    assert len(made.event_id) <= 34 + 3 * 33
    assert made.call_id == CALL_ID


def moved_borders(fields: list[tuple[str, str]]) -> Iterator[Form]:
    """Every other form of two neighbours' characters: no signature tells them apart."""
    for index in range(len(fields) - 1):
        text = "".join(name + value for name, value in fields[index : index + 2])
        for size in range(len(text) + 1):
            yield Form((*fields[:index], (text[:size], text[size:]), *fields[index + 2 :]))
            for start in range(size, len(text) + 1):
                for end in range(start, len(text) + 1, 3):
                    two = (text[:size], text[size:start]), (text[start:end], text[end:])
                    yield Form((*fields[:index], *two, *fields[index + 2 :]))


@pytest.mark.parametrize("name", ["answer_webhook", "status_ringing", "amd_async"])
def test_t3_a_moved_border_between_fields_says_the_same_or_nothing(name: str) -> None:
    fields = sorted(recorded(name).items())
    true = call_report(Form(tuple(fields)))
    for form in moved_borders(fields):
        try:
            moved = call_report(form)
        except RemoteProtocolError:
            continue
        assert moved.call_id == true.call_id
        assert moved.status in {true.status, None}
        assert moved.answered_by in {true.answered_by, AnsweredBy.UNKNOWN, None}
