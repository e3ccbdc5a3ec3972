"""What Telnyx's webhooks say of a call: all are JSON with an ``event_type``, of any kind, at one URL."""

from __future__ import annotations

import re
from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.fields import Fields, read_message, shown
from relay.providers.rest import short_code
from relay.providers.sip_codes import refined

CALL_ID: Final = re.compile("v[0-9]{1,2}:[A-Za-z0-9._~=-]{1,200}")  # nothing that means something in a URL's path
CALL_ID_TEXT: Final = "v, digits, a colon and 1 to 200 letters, digits and . _ ~ = -"

EVENTS: Final = {
    "call.initiated": CallStatus.DIALING,
    "call.ringing": CallStatus.RINGING,
    "call.answered": CallStatus.ANSWERED,
}
HANGUP_CAUSES: Final = {
    "normal_clearing": CallStatus.COMPLETED,
    "time_limit": CallStatus.COMPLETED,
    "user_busy": CallStatus.BUSY,
    "no_answer": CallStatus.NO_ANSWER,
    "timeout": CallStatus.NO_ANSWER,
    "originator_cancel": CallStatus.CANCELED,
    "call_rejected": CallStatus.REJECTED,
    "not_found": CallStatus.INVALID_NUMBER,
    "unspecified": CallStatus.FAILED,
}
_STREAM_FAILED: Final = "streaming.failed"
_REASON: Final = re.compile("[a-z_]{1,40}")
_HANGUP: Final = "call.hangup"
_DETECTIONS: Final = frozenset({"call.machine.detection.ended", "call.machine.premium.detection.ended"})
_GREETINGS: Final = frozenset({"call.machine.greeting.ended", "call.machine.premium.greeting.ended"})
_PEOPLE: Final = frozenset({"human", "human_residence", "human_business"})
_MACHINES: Final = frozenset({"machine", "fax_detected"})
_BEEP: Final = "beep_detected"
_EVENT_MAX_CHARS: Final = 64


def call_report(body: bytes) -> tuple[CallReport, str | None]:
    """
    What the webhook says, and its ``client_state``.

    Raises:
        RemoteProtocolError: it is no event, or names no call.
    """
    data = read_message("telnyx", body).fields("data")
    event, payload = data.text("event_type"), data.fields("payload")
    call_id = payload.text("call_control_id")
    if not CALL_ID.fullmatch(call_id):
        field = f"{payload.path}call_control_id"
        raise RemoteProtocolError("telnyx", field, expected=CALL_ID_TEXT, got=shown(call_id))
    status, code = _hangup(payload) if event == _HANGUP else (EVENTS.get(event), "")
    names = event, data.text_or_none("id") or data.text_or_none("occurred_at") or ""
    event_id = "/".join((call_id, *(name[:_EVENT_MAX_CHARS] for name in names)))
    failure = _stream_failure(payload) if event == _STREAM_FAILED else ""
    report = CallReport(call_id, status, event_id, _answered_by(event, payload), code, stream_failure=failure)
    return report, payload.text_or_none("client_state")


def _hangup(payload: Fields) -> tuple[CallStatus, str]:
    """How the call has ended: that it has is certain, whatever the cause."""
    status = HANGUP_CAUSES.get(payload.text_or_none("hangup_cause") or "", CallStatus.FAILED)
    if status is CallStatus.COMPLETED:
        return status, ""
    sip_code = short_code(payload.values.get("sip_hangup_cause"))
    return refined(status, sip_code), sip_code


def _stream_failure(payload: Fields) -> str:
    """``connection_failed`` and the like; never a text, which might quote the stream's URL."""
    reason = payload.text_or_none("failure_reason") or ""
    return reason if _REASON.fullmatch(reason) else "unknown"


def _answered_by(event: str, payload: Fields) -> AnsweredBy | None:
    """Premium detection that hears a beep first says only that."""
    if event in _GREETINGS:
        return AnsweredBy.MACHINE if payload.text_or_none("result") == _BEEP else None
    if event not in _DETECTIONS:
        return None
    result = payload.text_or_none("result")
    if result in _PEOPLE:
        return AnsweredBy.HUMAN
    return AnsweredBy.MACHINE if result in _MACHINES else AnsweredBy.UNKNOWN
