"""
What Plivo's callbacks say of a call: answer, ringing, hangup and machine detection are forms with the same fields.

Sources: plivo.com/docs/voice/concepts/callbacks and /docs/voice/troubleshooting/hangup-causes.
"""

from __future__ import annotations

from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.fields import shown
from relay.providers.forms import Form
from relay.providers.rest import UUID, short_code

REQUEST: Final = "request:"
"""Before the ``request_uuid`` that answers a dial: the call's own id is another, and comes with its events."""

STATUSES: Final = {
    "ringing": CallStatus.RINGING,
    "in-progress": CallStatus.ANSWERED,
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "timeout": CallStatus.NO_ANSWER,
    "cancel": CallStatus.CANCELED,
    "failed": CallStatus.FAILED,
}
CAUSES: Final = {
    CallStatus.CANCELED: ("1000", "1010", "1020"),
    CallStatus.NO_ANSWER: ("3000", "6010"),
    CallStatus.BUSY: ("3010", "3100"),
    CallStatus.REJECTED: ("3020", "3040", "3110"),
    CallStatus.INVALID_NUMBER: ("2000", "2010", "3050", "3120"),
    CallStatus.UNAVAILABLE: ("3070", "3080", "3090"),
    CallStatus.FAILED: ("2020", "2030", "2040", "2050", "2060", "2070", "3030", "3130", "3140"),
}
"""The ``HangupCauseCode`` of calls that nobody answered, by what they mean."""
CAUSE_NAMES: Final = {
    "USER_BUSY": CallStatus.BUSY,
    "NO_ANSWER": CallStatus.NO_ANSWER,
    "ORIGINATOR_CANCEL": CallStatus.CANCELED,
    "CALL_REJECTED": CallStatus.REJECTED,
    "UNALLOCATED_NUMBER": CallStatus.INVALID_NUMBER,
    "INVALID_NUMBER_FORMAT": CallStatus.INVALID_NUMBER,
    "NORMAL_CIRCUIT_CONGESTION": CallStatus.UNAVAILABLE,
    "NORMAL_TEMPORARY_FAILURE": CallStatus.UNAVAILABLE,
    "NETWORK_OUT_OF_ORDER": CallStatus.UNAVAILABLE,
    "SWITCH_CONGESTION": CallStatus.UNAVAILABLE,
}
"""``HangupCause``, where there is no code: with one it may be of another leg of the call."""

_MEANINGS: Final = {code: status for status, codes in CAUSES.items() for code in codes}
_GOING_ON: Final = frozenset({CallStatus.RINGING, CallStatus.ANSWERED})
_NORMAL: Final = "4"  # 4000 to 4030
_WHO: Final = {"true": AnsweredBy.MACHINE, "false": AnsweredBy.HUMAN}
_PART_MAX_CHARS: Final = 32


def call_report(form: Form) -> CallReport:
    """
    What the form says.

    Raises:
        RemoteProtocolError: it names no call.
    """
    call_id = form.one("CallUUID")
    if not UUID.fullmatch(call_id):
        raise RemoteProtocolError("plivo", "CallUUID", expected="a UUID", got=shown(call_id))
    status = STATUSES.get(form.one("CallStatus"))
    is_over = form.one("Event") == "Hangup" or (status is not None and status not in _GOING_ON)
    code, machine = "", form.one("Machine")
    if is_over:
        code = short_code(form.one("HangupCauseCode"))
        status = _end(status, code, form.one("HangupCause"))
    return CallReport(
        call_id,
        status,
        _event_id(call_id, form),
        _WHO.get(machine, AnsweredBy.UNKNOWN) if machine else None,
        code if status is not CallStatus.COMPLETED else "",  # no failure
        _placed_id(form),
    )


def _end(status: CallStatus | None, code: str, name: str) -> CallStatus:
    """How the call ended. Plivo says ``completed`` of calls that nobody answered too: then the cause knows better."""
    cause = _MEANINGS.get(code) if code else CAUSE_NAMES.get(name)
    if cause is CallStatus.CANCELED and status is CallStatus.COMPLETED:
        cause = None  # hung up over REST, which is 1000 after the answer too
    if cause is not None:
        return cause
    if status is None or status in _GOING_ON:  # invented since, or late
        return CallStatus.COMPLETED if code.startswith(_NORMAL) else CallStatus.FAILED
    return status


def _event_id(call_id: str, form: Form) -> str:
    """Not from the nonce: a report that is sent again may have another."""
    says = (form.one(name)[:_PART_MAX_CHARS] for name in ("Event", "CallStatus", "Machine"))
    return "/".join((call_id, *says))


def _placed_id(form: Form) -> str:
    request_id = form.one("RequestUUID") or form.one("ALegRequestUUID")
    return f"{REQUEST}{request_id}" if UUID.fullmatch(request_id) else ""
