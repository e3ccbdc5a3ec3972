"""What the callbacks of Twilio's dialect say of a call: answer, progress and machine detection have the same fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.fields import shown
from relay.providers.forms import Form
from relay.providers.rest import short_code
from relay.providers.sip_codes import refined

STATUSES: Final = {
    "queued": CallStatus.DIALING,
    "initiated": CallStatus.DIALING,
    "ringing": CallStatus.RINGING,
    "in-progress": CallStatus.ANSWERED,
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
    "canceled": CallStatus.CANCELED,
}
_FAILURES: Final = frozenset({CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED})
_PART_MAX_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class LamlDialect:
    """
    What differs between those who speak it.

    Args:
        carrier: its name.
        call_id: what its call ids are; they become part of URLs.
        call_id_text: the same, for errors.
        sip_code_key: the field with the SIP code of a call that came to nothing.
    """

    carrier: str
    call_id: re.Pattern[str]
    call_id_text: str
    sip_code_key: str


def laml_report(dialect: LamlDialect, form: Form) -> CallReport:
    """
    What the form says.

    Raises:
        RemoteProtocolError: it names no call.
    """
    call_id = form.one("CallSid")
    if not dialect.call_id.fullmatch(call_id):
        raise RemoteProtocolError(dialect.carrier, "CallSid", expected=dialect.call_id_text, got=shown(call_id))
    status, code = STATUSES.get(form.one("CallStatus")), short_code(form.one("ErrorCode"))
    if status in _FAILURES:
        sip_code = short_code(form.one(dialect.sip_code_key))
        status = refined(status, sip_code)
        code = code or sip_code
    return CallReport(call_id, status, _event_id(call_id, form), _answered_by(form.one("AnsweredBy")), code)


def _event_id(call_id: str, form: Form) -> str:
    """Not from the I-Twilio-Idempotency-Token header, as that is not signed."""
    says = (form.one(name)[:_PART_MAX_CHARS] for name in ("CallStatus", "SequenceNumber", "AnsweredBy"))
    return "/".join((call_id, *says))


def _answered_by(value: str) -> AnsweredBy | None:
    if not value:
        return None
    if value == "human":
        return AnsweredBy.HUMAN
    is_machine = value == "fax" or value.startswith("machine")
    return AnsweredBy.MACHINE if is_machine else AnsweredBy.UNKNOWN
