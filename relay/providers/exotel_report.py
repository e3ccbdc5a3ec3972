"""What Exotel says of a call: its status callbacks, in any of three types, and its REST answers, in JSON or XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.errors import RemoteProtocolError
from relay.providers.control import AnsweredBy, CallReport, CallStatus, HttpReply, Webhook
from relay.providers.fields import read_message, shown
from relay.providers.form_signature import form_of
from relay.providers.forms import Form
from relay.providers.multipart import MULTIPART_TYPE, parse_multipart
from relay.providers.rest import reply_object

CALL_ID: Final = re.compile("[0-9A-Za-z]{8,64}")
CALL_ID_TEXT: Final = "8 to 64 letters and digits"

ENDS: Final = {
    "completed": CallStatus.COMPLETED,
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
    "canceled": CallStatus.CANCELED,
}
"""What ``Status`` is when a call is over, and only then."""

EVENTS: Final = {
    "answered": CallStatus.ANSWERED,
    "ringing": CallStatus.RINGING,
    "terminal": CallStatus.FAILED,
}
"""What ``EventType`` means where ``Status`` is none of ``ENDS``. An end that has no known one was no good one."""

ALIVE: Final = {
    "queued": CallStatus.DIALING,
    "ringing": CallStatus.RINGING,
    "in-progress": CallStatus.DIALING,  # it says so before anybody has picked up: the answer to the dial has it
}
"""What ``Status`` means without either."""

_WHO: Final = {"machine": AnsweredBy.MACHINE, "human": AnsweredBy.HUMAN, "notsure": AnsweredBy.UNKNOWN}
_LEG_ANSWERED_BY: Final = re.compile(r"Legs\[[0-9]{1,3}\]\[AnsweredBy\]")
_PART_MAX_CHARS: Final = 32


def call_report(webhook: Webhook) -> CallReport:
    """
    What a status callback says.

    Raises:
        RemoteProtocolError: it is none, or names no call.
    """
    form = _form_of(webhook)
    call_id = form.one("CallSid")
    if not CALL_ID.fullmatch(call_id):
        raise RemoteProtocolError("exotel", "CallSid", expected=CALL_ID_TEXT, got=shown(call_id))
    event, status, who = form.one("EventType"), form.one("Status"), _answered_by(form)
    event_id = "/".join((call_id, event[:_PART_MAX_CHARS], status[:_PART_MAX_CHARS], who or ""))
    return CallReport(call_id, ENDS.get(status) or EVENTS.get(event) or ALIVE.get(status), event_id, who)


def reply_value(reply: HttpReply, element: str, name: str) -> str:
    """
    What a REST answer says of ``name`` in ``element``; empty if it says nothing.

    JSON by default has the names of the XML; one page of the documentation has them in lower case.
    """
    if reply.body.lstrip()[:1] == b"<":
        inside = reply.body.partition(f"<{element}>".encode())[2].partition(f"</{element}>".encode())[0]
        value = inside.partition(f"<{name}>".encode())[2].partition(b"<")[0]
        return value.strip().decode(errors="replace")
    values = _lower(_lower(reply_object(reply)).get(element.lower()))
    said = values.get(name.lower())
    return str(said) if type(said) in (str, int) else ""


def _lower(values: object) -> Mapping[str, Any]:
    return {name.lower(): value for name, value in values.items()} if isinstance(values, dict) else {}


def _form_of(webhook: Webhook) -> Form:
    """The fields, whichever type they came in."""
    content_type = webhook.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return Form(tuple(_flat(read_message("exotel", webhook.body).values)))
    try:
        form = parse_multipart(content_type, webhook.body) if kind == MULTIPART_TYPE else form_of(webhook)
    except ValueError as error:
        raise RemoteProtocolError("exotel", "webhook", expected="a form or JSON", got=str(error)) from None
    if form is None:
        raise RemoteProtocolError("exotel", "webhook", expected="a form or JSON", got="another type")
    return form


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """JSON's fields by the names that a form has for them."""
    for name, value in values.items():
        if type(value) in (str, int):
            yield name, str(value)
    legs = values.get("Legs")
    for index, leg in enumerate(legs if isinstance(legs, list) else ()):
        who = leg.get("AnsweredBy") if isinstance(leg, dict) else None
        if isinstance(who, str):
            yield f"Legs[{index}][AnsweredBy]", who


def _answered_by(form: Form) -> AnsweredBy | None:
    """A machine on any leg is one; "NA" is of a leg that nobody listened to."""
    said = {value.lower() for name, value in form.fields if _LEG_ANSWERED_BY.fullmatch(name)}
    return next((who for word, who in _WHO.items() if word in said), None)
