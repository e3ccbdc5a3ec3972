"""What Plivo's callbacks say of a call: each field by itself, every cause of an end, and repetitions."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.forms import Form, parse_form
from relay.providers.plivo_report import CAUSE_NAMES, CAUSES, STATUSES, call_report
from tests.providers.plivo_requests import CALL_ID, REQUEST_ID, recorded_webhook


def report(**fields: str) -> CallReport:
    return call_report(Form(tuple({"CallUUID": CALL_ID, **fields}.items())))


def hangup(**fields: str) -> CallReport:
    return report(Event="Hangup", **fields)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("ringing", CallStatus.RINGING),
        ("in-progress", CallStatus.ANSWERED),
        ("completed", CallStatus.COMPLETED),
        ("busy", CallStatus.BUSY),
        ("no-answer", CallStatus.NO_ANSWER),
        ("timeout", CallStatus.NO_ANSWER),
        ("cancel", CallStatus.CANCELED),
        ("failed", CallStatus.FAILED),
        ("", None),
        ("Busy", None),
        ("on-hold", None),
    ],
)
def test_every_status_has_its_neutral_word(said: str, status: CallStatus | None) -> None:
    assert report(CallStatus=said).status is status
    if status is not None and said not in {"ringing", "in-progress"}:
        assert hangup(CallStatus=said).status is status


@pytest.mark.parametrize(("code", "status"), [(code, status) for status, codes in CAUSES.items() for code in codes])
def test_the_cause_of_a_call_that_nobody_answered_says_what_it_was(code: str, status: CallStatus) -> None:
    for said in ("failed", "no-answer", "", "on-hold"):
        ended = hangup(CallStatus=said, HangupCauseCode=code)
        assert (ended.status, ended.code) == (status, code)
    completed = hangup(CallStatus="completed", HangupCauseCode=code).status
    assert completed is (CallStatus.COMPLETED if status is CallStatus.CANCELED else status)


@pytest.mark.parametrize("code", ["4000", "4010", "4020", "4030", "6000", "6020", "9100", "0", "7011"])
@pytest.mark.parametrize("said", ["completed", "busy", "failed", "cancel"])
def test_another_cause_leaves_the_status_as_it_is(code: str, said: str) -> None:
    assert hangup(CallStatus=said, HangupCauseCode=code, HangupCause="USER_BUSY").status is STATUSES[said]


@pytest.mark.parametrize(("name", "status"), CAUSE_NAMES.items())
def test_without_a_code_the_causes_name_counts(name: str, status: CallStatus) -> None:
    assert hangup(CallStatus="failed", HangupCause=name).status is status
    assert hangup(CallStatus="failed", HangupCause=name, HangupCauseCode="5010").status is CallStatus.FAILED


@pytest.mark.parametrize("said", ["", "on-hold", "ringing", "in-progress"])
def test_a_hangup_is_an_end_whatever_its_status(said: str) -> None:
    assert hangup(CallStatus=said).status is CallStatus.FAILED
    assert hangup(CallStatus=said, HangupCauseCode="4000").status is CallStatus.COMPLETED


def test_a_call_that_goes_on_has_no_cause() -> None:
    ringing = report(CallStatus="ringing", Event="Ring", HangupCauseCode="3010", HangupCause="USER_BUSY")
    assert (ringing.status, ringing.code) == (CallStatus.RINGING, "")


def test_a_code_is_of_a_failure_and_never_a_phone_number() -> None:
    assert hangup(CallStatus="completed", HangupCauseCode="4000").code == ""
    assert hangup(CallStatus="failed", HangupCauseCode="+14155550123").code == ""


@pytest.mark.parametrize(
    ("said", "who"),
    [("true", AnsweredBy.MACHINE), ("false", AnsweredBy.HUMAN), ("maybe", AnsweredBy.UNKNOWN), ("", None)],
)
def test_who_answered_is_a_person_a_machine_or_unknown(said: str, who: AnsweredBy | None) -> None:
    assert report(Event="MachineDetection", Machine=said).answered_by is who


@pytest.mark.parametrize("field", ["RequestUUID", "ALegRequestUUID"])
def test_the_id_that_the_dial_was_answered_with_is_named(field: str) -> None:
    assert report(**{field: REQUEST_ID}).placed_id == f"request:{REQUEST_ID}"
    assert report(**{field: "../" + REQUEST_ID}).placed_id == report().placed_id == ""


@pytest.mark.parametrize(
    "call_ids", [[], [""], [CALL_ID[:-1]], [CALL_ID + "0"], [CALL_ID + "\n"], ["../Call"], [CALL_ID, REQUEST_ID]]
)
def test_a_report_names_one_call(call_ids: list[str]) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^plivo CallUUID: expected a UUID, got "):
        call_report(Form(tuple(("CallUUID", call_id) for call_id in call_ids)))


CALLBACKS = ["ring_callback", "answer_webhook", "amd_callback", "hangup_callback"]


def test_t5_a_repeated_webhook_is_the_same_event_and_another_is_not() -> None:
    forms = [parse_form(recorded_webhook(name).body) for name in CALLBACKS]
    reports = [[call_report(Form(order)) for order in (form.fields, form.fields[::-1])] for form in forms]
    assert all(first == second for first, second in reports)
    assert len({first.event_id for first, _ in reports}) == len(CALLBACKS)
    assert report().event_id != call_report(Form((("CallUUID", REQUEST_ID),))).event_id


@given(st.dictionaries(st.sampled_from(["CallStatus", "Event", "Machine", "HangupCauseCode"]), st.text(), max_size=4))
@example({"CallStatus": "a" * 1000, "Event": "b" * 1000, "Machine": "c" * 1000})
def test_any_text_in_the_other_fields_is_a_report_with_a_short_event_id(fields: dict[str, str]) -> None:
    made = report(**fields)
    assert len(made.event_id) <= 36 + 3 * 33
    assert made.call_id == CALL_ID


@pytest.mark.parametrize("name", CALLBACKS)
def test_t3_a_moved_border_between_fields_says_no_other_end(name: str) -> None:
    """No signature tells ``A=BC`` from ``AB=C``."""
    fields = sorted(parse_form(recorded_webhook(name).body).fields)
    true = call_report(Form(tuple(fields)))
    for index, moved in product(range(len(fields) - 1), range(80)):
        text = "".join(map("".join, fields[index : index + 2]))
        form = Form((*fields[:index], (text[:moved], text[moved:]), *fields[index + 2 :]))
        try:
            said = call_report(form)
        except RemoteProtocolError:
            continue
        assert said.call_id == true.call_id
        assert said.status in {true.status, None, CallStatus.COMPLETED}
        assert said.answered_by in {true.answered_by, AnsweredBy.UNKNOWN, None}
