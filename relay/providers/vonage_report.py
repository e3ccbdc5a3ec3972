"""What Vonage's webhooks say of a call: answer, progress and machine detection are JSON, of two legs."""

from __future__ import annotations

import re
from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.providers.fields import Fields, read_message, shown
from relay.providers.rest import short_code
from relay.providers.sip_codes import refined
from relay.providers.vonage import CALL_ID_HEADER

CALL_ID: Final = re.compile("[0-9A-Za-z][0-9A-Za-z-]{7,63}")  # nothing that means something in a URL's path
CALL_ID_TEXT: Final = "8 to 64 letters, digits and hyphens"

STATUSES: Final = {
    "started": CallStatus.DIALING,
    "ringing": CallStatus.RINGING,
    "answered": CallStatus.ANSWERED,
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "timeout": CallStatus.NO_ANSWER,
    "unanswered": CallStatus.NO_ANSWER,
    "rejected": CallStatus.REJECTED,
    "cancelled": CallStatus.CANCELED,
    "failed": CallStatus.FAILED,
}
DETAILS: Final = {
    "invalid_number": CallStatus.INVALID_NUMBER,
    "number_out_of_service": CallStatus.INVALID_NUMBER,
    "internal_error": CallStatus.UNAVAILABLE,
}
"""What ``detail`` makes of "rejected" and "failed"; all others of it leave them as they are."""
_DETECTED: Final = {"human": AnsweredBy.HUMAN, "machine": AnsweredBy.MACHINE}
_FAILURES: Final = frozenset({CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.REJECTED, CallStatus.FAILED})
_WEBSOCKET: Final = ("ws://", "wss://")
_STREAM_FAILURES: Final = {said: said for said in ("failed", "rejected", "unanswered")}
"""What the leg of the WebSocket may be that was never open."""
_PART_MAX_CHARS: Final = 32


def call_report(body: bytes) -> CallReport:
    """
    What the webhook says of the phone; if it is about the leg of the WebSocket, only that there will be none.

    Raises:
        RemoteProtocolError: it is no JSON object, or names no call.
    """
    fields = read_message("vonage", body)
    is_phone = not _is_websocket(fields)
    call_id = _call_id(fields.fields("headers") if _has_header(fields) else fields)
    said = fields.text_or_none("status") or ""
    status = STATUSES.get(said) if is_phone else None
    answered_by = _DETECTED.get(said) if is_phone else None
    code = ""
    if status in _FAILURES:
        code = short_code(fields.values.get("sip_code"))
        status = _end(status, fields.text_or_none("detail") or "", code)
    leg = "phone" if is_phone else "websocket"
    parts = leg, *(fields.text_or_none(key) or "" for key in ("status", "sub_state", "timestamp"))
    event_id = "/".join((call_id, *(part[:_PART_MAX_CHARS] for part in parts)))
    # Without our headers the event is of the leg's own uuid, which is no call of ours.
    failure = _STREAM_FAILURES.get(said, "") if _has_header(fields) else ""
    return CallReport(call_id, status, event_id, answered_by, code, stream_failure=failure)


def _end(status: CallStatus, detail: str, sip_code: str) -> CallStatus:
    """Why it failed or was rejected. A number that is none is "rejected", and so is a phone that declines."""
    if status in (CallStatus.REJECTED, CallStatus.FAILED):
        status = DETAILS.get(detail, status)
    return refined(status, sip_code)


def _is_websocket(fields: Fields) -> bool:
    """The other leg has a uuid, and events, of its own, with our URL for a number and our headers."""
    to = fields.values.get("to")
    is_url = isinstance(to, str) and to.startswith(_WEBSOCKET)
    return is_url or fields.values.get("endpoint_type") == "websocket" or _has_header(fields)


def _has_header(fields: Fields) -> bool:
    headers = fields.values.get("headers")
    return isinstance(headers, dict) and CALL_ID_HEADER in headers


def _call_id(fields: Fields) -> str:
    """``uuid``; of machine detection, and in our own headers, ``call_uuid``."""
    call_id = fields.text_or_none("uuid") or fields.text(CALL_ID_HEADER)
    if not CALL_ID.fullmatch(call_id):
        raise RemoteProtocolError("vonage", f"{fields.path}uuid", expected=CALL_ID_TEXT, got=shown(call_id))
    return call_id
