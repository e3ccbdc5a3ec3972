"""What Telnyx sends over HTTP: the recorded exchanges, and events signed with the key of the recorded vectors."""

import json
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from relay.conformance import ControlCase
from relay.conformance.mutations import compact
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
from relay.providers.telnyx_control import TelnyxControl
from relay.providers.telnyx_report import EVENTS, HANGUP_CAUSES
from tests.providers.proofs import proven
from tests.providers.samples import SAMPLES
from tests.providers.twilio_requests import call_order as any_order
from tests.providers.twilio_requests import reply

EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "telnyx_http.json").read_text())}
VECTORS: list[Any] = json.loads((SAMPLES / "telnyx_signature_vectors.json").read_text())["vectors"]

API_KEY, STREAM_TOKEN = "KEY0", "t0k3n-of-all-streams"
PUBLIC_KEY = VECTORS[0]["public_key_b64"]
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS[0]["signing_seed_hex_test_only"]))
CALL_ID = EXCHANGES["dial"]["response"]["body"]["data"]["call_control_id"]
STATUS_URL, MEDIA_URL = "https://relay.example.com/telnyx/events", "wss://relay.example.com/telnyx/media"
AT_S = 1767225601
SIGNATURE, TIMESTAMP = "telnyx-signature-ed25519", "telnyx-timestamp"
STREAM_HEADER = "x-telnyx-streaming-auth-token"


def control(**options: Any) -> TelnyxControl:
    account: dict[str, Any] = {"api_key": API_KEY, "public_key": PUBLIC_KEY, "connection_id": "1234567890"}
    return TelnyxControl(**{**account, "stream_auth_token": STREAM_TOKEN, **options})


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order."""
    return any_order(**{"status_url": STATUS_URL, "media_url": MEDIA_URL, **changes})


def client_state(status_url: str = STATUS_URL) -> str:
    """What goes into this order's dial, and comes back with its events."""
    return str(json.loads(control().dial(call_order(status_url=status_url)).body)["client_state"])


def signed(body: bytes, *, at_s: int = AT_S, url: str = STATUS_URL) -> Webhook:
    """A webhook of Telnyx's that came to the URL that was given for it, as soon as it was signed."""
    timestamp = str(at_s)
    signature = b64encode(PRIVATE_KEY.sign(timestamp.encode() + b"|" + body)).decode()
    headers = {"content-type": "application/json", SIGNATURE: signature, TIMESTAMP: timestamp}
    return Webhook("POST", proven(url, API_KEY), headers, body, received_s=at_s)


def event(event_type: str, *, url: str = STATUS_URL, event_id: str | None = "e-1", **payload: Any) -> Webhook:
    """One event of the recorded call."""
    said = {"call_control_id": CALL_ID, "client_state": client_state(url), **payload}
    data = {"event_type": event_type, "id": event_id, "payload": said, "record_type": "event"}
    return signed(compact({"data": data, "meta": {"attempt": 1}}), url=url)


def recorded_reply(name: str) -> HttpReply:
    response = EXCHANGES[name]["response"]
    return reply(response["status"], response["body"])


def refusal(status: int, code: int | str, pointer: str | None = None) -> HttpReply:
    """Telnyx's error, which quotes the number."""
    error = {"code": code, "title": "a", "detail": "+14155550123 ..."}
    return reply(status, {"errors": [error if pointer is None else {**error, "source": {"pointer": pointer}}]})


def rejected(status: int, code: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(code), f"HTTP {status}, error {code}")


def invalid_number(code: int) -> CallRefused:
    return CallRefused(Refusal.INVALID_NUMBER, str(code), f"HTTP 422, error {code}")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply("dial"), CallPlaced(CALL_ID)),
    "2xx without one": (reply(200, {"data": {}}), CallUnclear("HTTP 200 without a call's id")),
    "10002, no valid number": (refusal(422, "10002"), invalid_number(10002)),
    "10016, not E.164": (refusal(422, "10016", "/to"), invalid_number(10016)),
    "10002 or 10016 of `/from`": (refusal(422, "10016", "/from"), rejected(422, 10016)),
    "10009, wrong key": (refusal(401, "10009"), rejected(401, 10009)),
    "any other 4xx": (recorded_reply("dial_error"), rejected(422, 10015)),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "10011, too many requests": (refusal(403, "10011"), CarrierBusy(None, "HTTP 403, error 10011")),
    "90103, too many dials a second": (refusal(403, 90103), CarrierBusy(None, "HTTP 403, error 90103")),
    "10007 and 10008, unexpected error, timeout": (refusal(400, "10008"), CallUnclear("HTTP 400, error 10008")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (reply(503), CallUnclear("HTTP 503, error 503")),
}
"""What Telnyx may answer to a dial, and what is made of it; docs/carriers.md shows it."""

STATUSES = {f"`{event}`": status for event, status in EVENTS.items()} | {
    f"`call.hangup`, `{cause}`": status for cause, status in HANGUP_CAUSES.items()
}
"""What an event says of the call; docs/carriers.md shows it."""


def upgrade(token: str | None = STREAM_TOKEN) -> Webhook:
    return Webhook("GET", MEDIA_URL, {} if token is None else {STREAM_HEADER: token})


CONTROL = ControlCase(
    new_control=control,
    order=call_order(media_url=f"wss://relay.example.com/carriers/telnyx/tr_1/media/{'aB3_-' * 8}xyz"),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "answered": (
            event("call.answered"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/call.answered/e-1"),
        ),
        "hangup": (
            event("call.hangup", hangup_cause="user_busy", sip_hangup_cause="486"),
            CallReport(CALL_ID, CallStatus.BUSY, f"{CALL_ID}/call.hangup/e-1", code="486"),
        ),
        "detection": (
            event("call.machine.premium.detection.ended", result="machine"),
            CallReport(CALL_ID, None, f"{CALL_ID}/call.machine.premium.detection.ended/e-1", AnsweredBy.MACHINE),
        ),
    },
    covers=["url", "body", SIGNATURE, TIMESTAMP],
    upgrade=lambda _: upgrade(),
    upgrade_covers=[STREAM_HEADER],
    secrets=[API_KEY, STREAM_TOKEN],
    good_for_s=300,
)
