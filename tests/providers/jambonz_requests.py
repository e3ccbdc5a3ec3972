"""What jambonz sends over HTTP: the recorded exchanges, and hooks signed as jambonz signs them."""

import hmac
import json
from typing import Any

from relay.conformance import ControlCase
from relay.providers.control import (
    AnsweredBy,
    CallOrder,
    CallPlaced,
    CallRefused,
    CallReport,
    CallStatus,
    CallUnclear,
    CarrierBusy,
    DialReply,
    HttpReply,
    Refusal,
    Webhook,
)
from relay.providers.jambonz_control import JambonzControl
from tests.providers.control_samples import exchanges, recorded_reply, reply, vectors
from tests.providers.proofs import proven

EXCHANGES, VECTORS = exchanges("jambonz_http.json"), vectors("jambonz_signature_vectors.json")

ACCOUNT_SID = "bd9f0d9a-0000-4000-8000-000000000002"
CALL_ID = "1a6f9c34-0000-4000-8000-000000000001"
SECRET: str = VECTORS["call_hook_post"]["secret"]
TO, FROM = "+14155550123", "+14155550100"
MEDIA_URL = "wss://relay.example.com/jambonz/media"
NOW_S = 1_767_225_606


def control(**options: Any) -> JambonzControl:
    recorded = {
        "base_url": "https://jambonz.example.com/api",
        "account_sid": ACCOUNT_SID,
        "api_key": "apikey",
        "webhook_secret": SECRET,
        "stream_password": "s3cret",
    }
    return JambonzControl(**{**recorded, **options})


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order."""
    recorded = {
        "to": TO,
        "from_number": FROM,
        "answer_url": "https://relay.example.com/jambonz/call",
        "status_url": "https://relay.example.com/jambonz/status",
        "ring_timeout_s": 30,
        "max_duration_s": 7200,
    }
    return CallOrder(**{**recorded, **changes})


def error(status: int) -> HttpReply:
    """The error of its API, which quotes the number."""
    return reply(status, {"msg": f'missing or invalid to property: {{"number":"{TO}"}}'})


def rejected(status: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(status), f"HTTP {status}, error {status}")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply(EXCHANGES["dial"]), CallPlaced(CALL_ID)),
    "2xx without one": (reply(201, {}), CallUnclear("HTTP 201 without a call's id")),
    "480, no feature server": (
        reply(480, {"msg": "none available"}),
        CarrierBusy(None, "HTTP 480, error 480"),
    ),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "400, a field is missing or wrong": (error(400), rejected(400)),
    "401 and 403, wrong key or account": (error(403), rejected(403)),
    "any other 4xx": (reply(404, b"<html>"), rejected(404)),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (error(500), CallUnclear("HTTP 500, error 500")),
}
"""What jambonz may answer to a dial, and what is made of it; docs/carriers.md shows it."""


def signature(body: bytes, *, signed_s: int = NOW_S, secret: str = SECRET) -> str:
    """As jambonz-feature-server makes it (lib/utils/base-requestor.js)."""
    made = hmac.new(secret.encode(), f"{signed_s}.".encode() + body, "sha256").hexdigest()
    return f"t={signed_s},v1={made}"


def hook(fields: Any, url: str = "https://relay.example.com/jambonz/status", **signed: Any) -> Webhook:
    """A hook as it comes to the URL that was given for it, signed when it is received."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields, separators=(",", ":")).encode()
    headers = {"content-type": "application/json", "jambonz-signature": signature(body, **signed)}
    return Webhook("POST", proven(url, SECRET), headers, body, received_s=NOW_S)


def recorded_hook(name: str) -> Webhook:
    request = EXCHANGES[name]["request"]
    return hook(request["body"], request["url"])


DETECTION = {**EXCHANGES["call_hook"]["request"]["body"], "type": "amd_machine_detected", "reason": "long greeting"}
"""A detection hook: what is known of the call, and the event (lib/tasks/task.js, performHook)."""


def upgrade(authorization: str = "Basic cmVsYXk6czNjcmV0") -> Webhook:
    """With the credentials of these tests' stream, unless they are others."""
    return Webhook("GET", MEDIA_URL, {"authorization": authorization})


CONTROL = ControlCase(
    new_control=control,
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "answer": (
            recorded_hook("call_hook"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress/200"),
        ),
        "status": (
            recorded_hook("call_status"),
            CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/completed/200"),
        ),
        "detection": (
            hook(DETECTION),
            CallReport(CALL_ID, None, f"{CALL_ID}/amd_machine_detected", AnsweredBy.MACHINE),
        ),
    },
    covers=["url", "body", "jambonz-signature"],
    upgrade=lambda _: upgrade(),
    upgrade_covers=["authorization"],
    secrets=["apikey", SECRET, "s3cret"],
    good_for_s=300,
)
