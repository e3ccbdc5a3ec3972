"""What jambonz's hooks say of a call: each field by itself, and repetitions."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus, Webhook
from relay.providers.jambonz_report import DETECTED, STATUSES, call_report
from tests.providers.jambonz_requests import CALL_ID, DETECTION, EXCHANGES, hook


def report(**fields: Any) -> CallReport:
    return call_report(hook({"call_sid": CALL_ID, **fields}))


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("queued", CallStatus.DIALING),
        ("trying", CallStatus.DIALING),
        ("ringing", CallStatus.RINGING),
        ("alerting", CallStatus.RINGING),
        ("early-media", CallStatus.RINGING),
        ("in-progress", CallStatus.ANSWERED),
        ("completed", CallStatus.COMPLETED),
        ("busy", CallStatus.BUSY),
        ("no-answer", CallStatus.NO_ANSWER),
        ("failed", CallStatus.FAILED),
        *((said, None) for said in ("", "Busy", "on-hold", None, 1, ["busy"])),
    ],
)
def test_every_status_has_its_neutral_word(said: Any, status: CallStatus | None) -> None:
    assert report(call_status=said).status is status


SIP = {
    # jambonz's own word: the word by the SIP status
    "failed": {
        **dict.fromkeys(("408", "480"), "no_answer"),
        **dict.fromkeys(("486", "600"), "busy"),
        **dict.fromkeys(("404", "410", "484", "604"), "invalid_number"),
        **dict.fromkeys(("500", "502", "503", "504"), "unavailable"),
        **dict.fromkeys(("403", "488"), "failed"),
        "487": "canceled",
        "603": "rejected",
    },
    "busy": {"486": "busy", "600": "busy", "603": "rejected", "500": "busy"},
    "no-answer": {"487": "no_answer", "480": "no_answer", "503": "no_answer"},  # it cancelled the call itself
    "completed": {"200": "completed", "603": "completed"},
    "in-progress": {"200": "answered", "486": "answered"},
}


@pytest.mark.parametrize(
    ("said", "sip_status", "word"), [(said, sip, word) for said, words in SIP.items() for sip, word in words.items()]
)
@pytest.mark.parametrize("kind", [int, str])
def test_the_sip_status_refines_why_a_call_failed(said: str, sip_status: str, word: str, kind: Any) -> None:
    made = report(call_status=said, sip_status=kind(sip_status))
    assert made.status == word
    assert made.code == (sip_status if said in {"failed", "busy", "no-answer"} else "")


@pytest.mark.parametrize("sip_status", [None, "", "x", 1.5, True, [486], "+14155550123", 14155550123])
def test_a_sip_status_that_is_none_refines_nothing(sip_status: Any) -> None:
    made = report(call_status="failed", sip_status=sip_status)
    assert (made.status, made.code) == (CallStatus.FAILED, "")


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ("amd_human_detected", AnsweredBy.HUMAN),
        ("amd_machine_detected", AnsweredBy.MACHINE),
        ("amd_machine_stopped_speaking", AnsweredBy.MACHINE),
        ("amd_tone_detected", AnsweredBy.MACHINE),
        *(
            (f"amd_{what}", AnsweredBy.UNKNOWN)
            for what in ("no_speech_detected", "decision_timeout", "tone_timeout", "error", "stopped", "weather")
        ),
    ],
)
def test_who_answered_is_a_person_a_machine_or_unknown(said: str, who: AnsweredBy) -> None:
    made = call_report(hook({**DETECTION, "type": said}))
    assert (made.answered_by, made.status) == (who, None)  # that the call goes on is no news


@pytest.mark.parametrize("said", [None, "", "human", "xamd_human_detected", 1, ["amd_human_detected"]])
def test_what_is_no_detection_says_what_the_call_does(said: Any) -> None:
    made = call_report(hook({**DETECTION, "type": said}))
    assert (made.answered_by, made.status) == (None, CallStatus.ANSWERED)


@pytest.mark.parametrize(
    "call_id", [None, "", "1", CALL_ID + "0", CALL_ID.upper(), CALL_ID + "\n", "../Calls", [CALL_ID], 1]
)
def test_a_report_names_one_call(call_id: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^jambonz call_sid: expected a UUID in lower case, got "):
        report(call_sid=call_id)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000, b'{"call_sid":"' + b"a" * (1 << 16)])
def test_a_hook_that_is_no_object_has_no_report(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^jambonz message: expected "):
        call_report(Webhook("POST", "https://relay.example.com/", {}, body))


@given(st.binary())
def test_no_body_raises_anything_else(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        call_report(Webhook("POST", "https://relay.example.com/", {}, body))


RECORDED = [*(EXCHANGES[name]["request"]["body"] for name in ("call_hook", "call_status")), DETECTION]


def test_t5_a_repeated_hook_is_the_same_event_and_another_is_not() -> None:
    reports = [[call_report(hook(fields)) for _ in range(3)] for fields in RECORDED]
    assert all(first == second == third for first, second, third in reports)
    assert len({first.event_id for first, *_ in reports}) == len(RECORDED)


def test_t5_calls_statuses_and_detections_are_other_events() -> None:
    made = [report(call_status=said) for said in STATUSES]
    made += [report(call_sid=CALL_ID[:-1] + "9"), report(call_status="failed", sip_status=486)]
    made += [report(type=said) for said in DETECTED]
    assert len({each.event_id for each in made}) == len(made)


@given(st.dictionaries(st.sampled_from(["call_status", "sip_status", "type", "a"]), st.text() | st.integers()))
@example({"call_status": "a" * 1000, "sip_status": "1" * 1000})
@example({"type": "amd_" + "a" * 1000})
def test_anything_in_the_other_fields_is_a_report_with_a_short_event_id(fields: dict[str, Any]) -> None:
    made = report(**fields)
    assert made.call_id == CALL_ID
    assert len(made.event_id) <= 36 + 33 + 7
