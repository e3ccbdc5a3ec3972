"""What Plivo sends over HTTP: the recorded exchanges, and webhooks signed as its documentation says."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

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
from relay.providers.plivo_control import PlivoControl
from tests.providers.samples import SAMPLES
from tests.providers.twilio_requests import FORM_TYPE, FROM, TO, reply

EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "plivo_http.json").read_text())}
VECTORS: list[Any] = json.loads((SAMPLES / "plivo_signature_vectors.json").read_text())["vectors"]

AUTH_ID, AUTH_TOKEN = "MAXXXXXXXXXXXXXXXXXX", "cGxpdm8tdGVzdC10b2tlbi0wMDAwMDAwMDAwMDAwMDE"
CALL_ID, REQUEST_ID = "97ceeb52-58b6-11e1-86da-77300b68f8bb", "9834029e-58b6-11e1-b8b7-a5bd0e4e126f"
NONCE = "12345678901234567890"
SIGNATURE, MAIN_SIGNATURE, NONCE_HEADER = (
    "x-plivo-signature-v3",
    "x-plivo-signature-ma-v3",
    "x-plivo-signature-v3-nonce",
)


def control(auth_token: str = AUTH_TOKEN, **options: Any) -> PlivoControl:
    return PlivoControl(auth_id=AUTH_ID, auth_token=auth_token, **options)


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order, with one URL for its progress."""
    site = "https://relay.example.com/plivo"
    recorded = {
        "to": TO,
        "from_number": FROM,
        "answer_url": f"{site}/answer?leg=agent-7",
        "status_url": f"{site}/status?leg=agent-7",
        "detection_url": f"{site}/amd?leg=agent-7",
        "ring_timeout_s": 30,
        "max_duration_s": 7200,
    }
    return CallOrder(**{**recorded, **changes})


def recorded_reply(name: str) -> HttpReply:
    response = EXCHANGES[name]["response"]
    return reply(response["status"], response.get("body", b""))


def rejected(status: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(status), f"HTTP {status}, error {status}")


ERROR = {"api_id": "97ceeb52-58b6-11e1-86da-000000000002", "error": f"{TO} ..."}

DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a request's id": (recorded_reply("dial"), CallPlaced(f"request:{REQUEST_ID}")),
    "2xx without one": (reply(202, {}), CallUnclear("HTTP 202 without a request's id")),
    "400, whatever is wrong": (recorded_reply("dial_error"), rejected(400)),
    "401, wrong credentials": (reply(401, b"Could not verify your access level"), rejected(401)),
    "any other 4xx": (reply(403, ERROR), rejected(403)),
    "429": (reply(429, ERROR, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (reply(500, ERROR), CallUnclear("HTTP 500, error 500")),
}
"""What Plivo may answer to a dial, and what is made of it; docs/carriers.md shows it."""


def signature(
    url: str,
    fields: Mapping[str, Any] | None = None,
    *,
    key: str = AUTH_TOKEN,
    nonce: str = NONCE,
    method: str = "POST",
) -> str:
    """As the documentation and the SDK say, step by step: held against the recorded vectors."""
    base = urlsplit(url)._replace(query="", fragment="").geturl()
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    asked = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    said = ""
    for name in sorted(fields or {}):
        values = (fields or {})[name]
        said += "".join(f"{name}{value}" for value in (sorted(values) if isinstance(values, list) else [values]))
    if method == "GET":
        said = ""
    if asked or said:
        base += "?" + asked
    if asked and said:
        base += "."
    made = hmac.new(key.encode(), f"{base}{said}.{nonce}".encode(), hashlib.sha256)
    return b64encode(made.digest()).decode()


def webhook(url: str, fields: Mapping[str, Any], signed: str | None = None, **headers: str) -> Webhook:
    """A form that Plivo posts, signed unless another signature is given."""
    given = signature(url, fields) if signed is None else signed
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {"content-type": FORM_TYPE, SIGNATURE: given, NONCE_HEADER: NONCE}
    return Webhook("POST", url, {**own, **extra}, urlencode(fields, doseq=True).encode())


def recorded_webhook(name: str) -> Webhook:
    request = EXCHANGES[name]["request"]
    return webhook(request["url"], request["body"])


def upgrade(url: str, signed_url: str, *, key: str = AUTH_TOKEN, header: str = SIGNATURE) -> Webhook:
    """The upgrade to a WebSocket, of which another URL may have been signed."""
    return Webhook("GET", url, {header: signature(signed_url, key=key, method="GET"), NONCE_HEADER: NONCE})


def form_of(fields: Iterable[tuple[str, str]]) -> bytes:
    return urlencode(list(fields)).encode()


MEDIA_URL = "wss://relay.example.com/carriers/plivo/tr_1/media/t0k3n"
_PLACED = f"request:{REQUEST_ID}"

CONTROL = ControlCase(
    new_control=control,
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "answer": (
            recorded_webhook("answer_webhook"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/StartApp/in-progress/", placed_id=_PLACED),
        ),
        "ring": (
            recorded_webhook("ring_callback"),
            CallReport(CALL_ID, CallStatus.RINGING, f"{CALL_ID}/Ring/ringing/", placed_id=_PLACED),
        ),
        "hangup": (
            recorded_webhook("hangup_callback"),
            CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/Hangup/completed/", placed_id=_PLACED),
        ),
        "detection": (
            recorded_webhook("amd_callback"),
            CallReport(
                CALL_ID,
                CallStatus.ANSWERED,
                f"{CALL_ID}/MachineDetection/in-progress/true",
                AnsweredBy.MACHINE,
                placed_id=_PLACED,
            ),
        ),
    },
    covers=["url", "body", SIGNATURE, NONCE_HEADER],
    upgrade=lambda _: upgrade(MEDIA_URL, MEDIA_URL),
    upgrade_covers=["url", SIGNATURE, NONCE_HEADER],
    secrets=[AUTH_TOKEN],
)
