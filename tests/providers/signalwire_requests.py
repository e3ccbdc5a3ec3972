"""What SignalWire sends over HTTP: the recorded exchanges, and webhooks signed by Twilio's library, as its own does."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import fromstring

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
    CarrierControl,
    DialReply,
    HttpReply,
    Refusal,
    Webhook,
)
from relay.providers.signalwire_control import SignalWireControl
from tests.providers.samples import SAMPLES
from tests.providers.twilio_requests import FORM_TYPE, FROM, TO, invalid_number, refusal, rejected, reply, sdk_signature

EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "signalwire_http.json").read_text())}
VECTORS: list[Any] = json.loads((SAMPLES / "signalwire_signature_vectors.json").read_text())["vectors"]

PROJECT_ID, API_TOKEN, SIGNING_KEY = "b08dacad-d5f3-4a4f-9f0e-000000000001", "PT0000", "PSK_testSigningKey0000000001"
CALL_ID = "b5d63b2e-f75b-4dc8-b6d4-269b635f96c0"
MEDIA_URL = "wss://relay.example.com/carriers/signalwire/tr_1/media/t0k3n"
SIGNATURE, TWILIO_SIGNATURE = "x-signalwire-signature", "x-twilio-signature"


def control(signing_key: str = SIGNING_KEY, **options: Any) -> SignalWireControl:
    account: dict[str, Any] = {"project_id": PROJECT_ID, "api_token": API_TOKEN, "signing_key": signing_key}
    return SignalWireControl(**account, **(options or {"space": "example"}))


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order, with machine detection."""
    site = "https://relay.example.com/signalwire"
    recorded = {
        "to": TO,
        "from_number": FROM,
        "answer_url": f"{site}/answer?leg=agent-7",
        "status_url": f"{site}/status",
        "detection_url": f"{site}/amd",
        "ring_timeout_s": 30,
        "max_duration_s": 7200,
    }
    return CallOrder(**{**recorded, **changes})


def recorded_reply(name: str) -> HttpReply:
    response = EXCHANGES[name]["response"]
    return reply(response["status"], response["body"])


def word(status: int, code: str) -> CallRefused:
    return CallRefused(Refusal.REJECTED, code, f"HTTP {status}, error {code}")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply("dial"), CallPlaced(CALL_ID)),
    "2xx without one": (reply(200, {}), CallUnclear("HTTP 200 without a call's id")),
    "21211, 21214 and 21217, as Twilio's": (refusal(400, 21211), invalid_number(21211)),
    "a word for a code": (
        reply(422, {"errors": [{"code": "account_limit_exceeded", "message": f"{TO} ..."}]}),
        word(422, "account_limit_exceeded"),
    ),
    "any other 4xx": (refusal(401, 20003), rejected(401, 20003)),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (reply(503), CallUnclear("HTTP 503, error 503")),
}
"""What SignalWire may answer to a dial, and what is made of it; docs/carriers.md shows it."""


def webhook(
    url: str, pairs: Iterable[tuple[str, str]], signature: str | None = None, *, header: str = SIGNATURE
) -> Webhook:
    """A form posted by SignalWire, signed unless another signature is given."""
    pairs = list(pairs)
    given = sdk_signature(url, pairs, key=SIGNING_KEY) if signature is None else signature
    return Webhook("POST", url, {"content-type": FORM_TYPE, header: given}, urlencode(pairs).encode())


def progress(status: str, **fields: str) -> Webhook:
    """A status callback."""
    own = {"AccountSid": PROJECT_ID, "CallSid": CALL_ID, "CallStatus": status, "From": FROM, "To": TO, **fields}
    return webhook("https://relay.example.com/signalwire/status", own.items())


def token_of(carrier: CarrierControl) -> str:
    """What an upgrade of this process has to show."""
    document = carrier.stream_document(MEDIA_URL, then_url=None)
    return fromstring(document.body)[0][0].attrib["authBearerToken"]  # noqa: S314  # our own document


def upgrade(shown: str) -> Webhook:
    return Webhook("GET", MEDIA_URL, {"authorization": shown})


CONTROL = ControlCase(
    new_control=control,
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "status": (
            progress("completed", SequenceNumber="3"),
            CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/completed/3/"),
        ),
        "answer": (
            progress("in-progress"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress//"),
        ),
        "detection": (
            progress("", AnsweredBy="human"),
            CallReport(CALL_ID, None, f"{CALL_ID}///human", AnsweredBy.HUMAN),
        ),
    },
    covers=["url", "body", SIGNATURE],
    upgrade=lambda made: upgrade(f"Bearer {token_of(made)}"),
    upgrade_covers=["authorization"],
    secrets=[API_TOKEN, SIGNING_KEY],
)
