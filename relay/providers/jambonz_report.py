"""What jambonz's hooks say of a call: answer, progress and machine detection are JSON with the same fields."""

from __future__ import annotations

import re
from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus, Webhook
from relay.providers.fields import Fields, read_message, shown
from relay.providers.rest import short_code
from relay.providers.sip_codes import refined

CALL_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CALL_ID_TEXT: Final = "a UUID in lower case"

ALIVE: Final = {
    "queued": CallStatus.DIALING,
    "trying": CallStatus.DIALING,
    "ringing": CallStatus.RINGING,
    "alerting": CallStatus.RINGING,
    "early-media": CallStatus.RINGING,
    "in-progress": CallStatus.ANSWERED,
}
ENDS: Final = {
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
}
STATUSES: Final = {**ALIVE, **ENDS}

DETECTED: Final = {
    "amd_human_detected": AnsweredBy.HUMAN,
    "amd_machine_detected": AnsweredBy.MACHINE,
    "amd_machine_stopped_speaking": AnsweredBy.MACHINE,
    "amd_tone_detected": AnsweredBy.MACHINE,
}
"""What ``type`` of a detection hook means; all others that begin so are unknown."""

_DETECTION: Final = "amd_"
_PART_MAX_CHARS: Final = 32


def call_report(webhook: Webhook) -> CallReport:
    """
    What the hook says.

    Raises:
        RemoteProtocolError: it is no JSON object, or names no call.
    """
    fields = read_message("jambonz", webhook.body)
    call_id = fields.values.get("call_sid")
    if not isinstance(call_id, str) or not CALL_ID.fullmatch(call_id):
        raise RemoteProtocolError("jambonz", "call_sid", expected=CALL_ID_TEXT, got=shown(call_id))
    detection = _text(fields, "type")
    if detection.startswith(_DETECTION):  # the call's status is there too, but it is no news
        who = DETECTED.get(detection, AnsweredBy.UNKNOWN)
        return CallReport(call_id, None, f"{call_id}/{detection[:_PART_MAX_CHARS]}", who)
    said, sip_code = _text(fields, "call_status"), short_code(fields.values.get("sip_status"))
    status, code = STATUSES.get(said), ""
    if status in (CallStatus.BUSY, CallStatus.FAILED, CallStatus.NO_ANSWER):
        status, code = refined(status, sip_code), sip_code
    return CallReport(call_id, status, f"{call_id}/{said[:_PART_MAX_CHARS]}/{sip_code}", None, code)


def _text(fields: Fields, name: str) -> str:
    value = fields.values.get(name)
    return value if isinstance(value, str) else ""
