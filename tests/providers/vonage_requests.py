"""What Vonage sends over HTTP: the recorded exchanges, and webhooks signed as the recorded vectors are, by PyJWT."""

import functools
import json
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

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
from relay.providers.vonage_control import VonageControl
from relay.providers.vonage_report import STATUSES as _STATUSES
from tests.providers.proofs import proven
from tests.providers.samples import SAMPLES
from tests.providers.twilio_requests import call_order as any_order
from tests.providers.twilio_requests import reply

EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "vonage_http.json").read_text())}
VECTORS: dict[str, Any] = {
    each["name"]: each for each in json.loads((SAMPLES / "vonage_signature_vectors.json").read_text())["vectors"]
}

APPLICATION_ID = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
SECRET = VECTORS["signed_webhook_post"]["secret"]
CALL_ID = EXCHANGES["dial"]["response"]["body"]["uuid"]
CALLS_URL = "https://api.nexmo.com/v1/calls"
ANSWER_URL = "https://relay.example.com/vonage/answer?leg=agent-7"
STATUS_URL = "https://relay.example.com/vonage/events?leg=agent-7"
MEDIA_URL, STREAM_TOKEN = "wss://relay.example.com/vonage/media", "t0k3n-of-all-streams"
AT_S = 1767225601
DIALLED_S = 1767225600


@functools.cache
def rsa_key() -> RSAPrivateKey:
    """Made anew for each run: a key in a file looks as if it opened something."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def pem() -> str:
    return rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def control(**options: Any) -> VonageControl:
    """One that is made once, if without options: to read its key takes 60 ms."""
    return _made(**options) if options else _plain()


@functools.cache
def _plain() -> VonageControl:
    return _made()


def _made(**options: Any) -> VonageControl:
    account: dict[str, Any] = {"application_id": APPLICATION_ID, "private_key": pem(), "signature_secret": SECRET}
    made: dict[str, Any] = {"now_s": lambda: DIALLED_S + 0.5, "stream_auth_token": STREAM_TOKEN}
    return VonageControl(**{**account, **made, **options})


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order."""
    return any_order(**{"answer_url": ANSWER_URL, "status_url": STATUS_URL, **changes})


def bearer(body: bytes, *, secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """The header of a webhook of Vonage's; a claim that is changed to None is left out."""
    claims = {
        "iat": AT_S,
        "jti": "9963a8c3-9d6a-4f2c-8b1d-000000000001",
        "iss": "Vonage",
        "payload_hash": sha256(body).hexdigest(),
        "api_key": "abcd1234",
        "application_id": APPLICATION_ID,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return "Bearer " + jwt.encode(kept, secret, algorithm=algorithm)


def signed(body: bytes, *, url: str = STATUS_URL, authorization: str | None = None) -> Webhook:
    """A webhook of Vonage's that came to the URL that was given for it, as soon as it was signed."""
    headers = {"content-type": "application/json", "authorization": authorization or bearer(body)}
    return Webhook("POST", proven(url, SECRET), headers, body, received_s=AT_S)


def event(status: str | None, **changes: Any) -> Webhook:
    """One event of the recorded call's phone; what is changed to None is left out."""
    said = {**EXCHANGES["event_answered"]["request"]["body"], "status": status, **changes}
    return signed(compact({name: value for name, value in said.items() if value is not None}))


def recorded_webhook(name: str) -> Webhook:
    request = EXCHANGES[name]["request"]
    return signed(compact(request["body"]), url=request["url"])


def recorded_reply(name: str) -> HttpReply:
    response = EXCHANGES[name]["response"]
    return reply(response["status"], response["body"]) if "body" in response else reply(response["status"], b"")


def problem(status: int, **more: Any) -> HttpReply:
    """Vonage's error, which may quote the number."""
    return reply(status, {"type": "about:blank", "title": "a", "detail": "14155550123 ...", **more})


def rejected(status: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(status), f"HTTP {status}, error {status}")


_INVALID_NUMBER = CallRefused(Refusal.INVALID_NUMBER, "400", "HTTP 400, error 400")

DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply("dial"), CallPlaced(CALL_ID)),
    "2xx without one": (reply(201, {}), CallUnclear("HTTP 201 without a call's id")),
    "400, `invalid_parameters` with `to`": (problem(400, invalid_parameters=[{"name": "to[0]"}]), _INVALID_NUMBER),
    "400 with others": (problem(400, invalid_parameters=[{"name": "from"}]), rejected(400)),
    "401, wrong key or application": (problem(401), rejected(401)),
    "any other 4xx": (problem(403), rejected(403)),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (reply(503), CallUnclear("HTTP 503, error 503")),
}
"""What Vonage may answer to a dial, and what is made of it; docs/carriers.md shows it."""

STATUSES = {f"`{said}`": status for said, status in _STATUSES.items()}
"""What an event says of the call; docs/carriers.md shows it."""


CONTROL = ControlCase(
    new_control=control,
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "answer": (recorded_webhook("answer_webhook"), CallReport(CALL_ID, None, f"{CALL_ID}/phone///")),
        "status": (
            recorded_webhook("event_answered"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/phone/answered//2026-01-01T00:00:01.000Z"),
        ),
        "detection": (
            recorded_webhook("event_machine"),
            CallReport(CALL_ID, None, f"{CALL_ID}/phone/machine//2026-01-01T00:00:03.000Z", AnsweredBy.MACHINE),
        ),
    },
    covers=["url", "body", "authorization"],
    upgrade=lambda _: Webhook("GET", MEDIA_URL, {"authorization": f"Bearer {STREAM_TOKEN}"}),
    upgrade_covers=["authorization"],
    secrets=[SECRET, STREAM_TOKEN, pem()],
    good_for_s=300,
)
