"""What Twilio sends over HTTP: the recorded exchanges, and webhooks signed by Twilio's own library."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

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
from relay.providers.twilio_control import TwilioControl

SAMPLES = Path(__file__).parent / "samples"
EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "twilio_http.json").read_text())}
VECTORS: list[Any] = json.loads((SAMPLES / "twilio_signature_vectors.json").read_text())["vectors"]

ACCOUNT_SID, AUTH_TOKEN = "AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef"
CALL_ID = "CA00000000000000000000000000000001"
TO, FROM = "+14155550123", "+14155550100"
FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"


def control(auth_token: str = AUTH_TOKEN, **options: Any) -> TwilioControl:
    return TwilioControl(account_sid=ACCOUNT_SID, auth_token=auth_token, **options)


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order."""
    site = "https://relay.example.com/twilio"
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


def reply(status: int, body: Any = None, **headers: str) -> HttpReply:
    """A reply of JSON, or of bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def recorded_reply(name: str) -> HttpReply:
    response = EXCHANGES[name]["response"]
    return reply(response["status"], response["body"])


def refusal(status: int, code: int) -> HttpReply:
    """Twilio's error, which quotes the number."""
    return reply(status, {"code": code, "message": f"{TO} ...", "status": status})


def invalid_number(code: int) -> CallRefused:
    return CallRefused(Refusal.INVALID_NUMBER, str(code), f"HTTP 400, error {code}")


def rejected(status: int, code: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(code), f"HTTP {status}, error {code}")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply("dial"), CallPlaced(CALL_ID)),
    "2xx without one": (reply(200, {}), CallUnclear("HTTP 200 without a call's id")),
    "21211, no phone number": (refusal(400, 21211), invalid_number(21211)),
    "21214, cannot be reached": (refusal(400, 21214), invalid_number(21214)),
    "21217, not valid": (refusal(400, 21217), invalid_number(21217)),
    "20003, wrong credentials": (refusal(401, 20003), rejected(401, 20003)),
    "21210 and 21212, `From` is not ours or none": (refusal(400, 21210), rejected(400, 21210)),
    "21215 and 32205, geographic permissions": (refusal(400, 21215), rejected(400, 21215)),
    "21216, this account may not call it": (refusal(400, 21216), rejected(400, 21216)),
    "21219, a trial account and not verified": (refusal(400, 21219), rejected(400, 21219)),
    "any other 4xx": (refusal(404, 20404), rejected(404, 20404)),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "20429, too many requests": (refusal(400, 20429), CarrierBusy(None, "HTTP 400, error 20429")),
    "10004, too many calls at once": (refusal(400, 10004), CarrierBusy(None, "HTTP 400, error 10004")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (reply(503), CallUnclear("HTTP 503, error 503")),
}
"""What Twilio may answer to a dial, and what is made of it; docs/carriers.md shows it."""


class Fields:
    """Form fields as RequestValidator takes repeated ones, from Django's QueryDict."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = list(pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(name for name, _ in self.pairs)

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def getlist(self, name: str) -> list[str]:
        return [value for each, value in self.pairs if each == name]


def sdk_signature(url: str, pairs: Iterable[tuple[str, str]] = (), *, key: str = AUTH_TOKEN, **options: str) -> str:
    return str(RequestValidator(key).compute_signature(url, Fields(pairs), **options))


def webhook(url: str, pairs: Iterable[tuple[str, str]], signature: str | None = None, **headers: str) -> Webhook:
    """A form posted by Twilio, signed by Twilio's library unless another signature is given."""
    pairs = list(pairs)
    given = sdk_signature(url, pairs) if signature is None else signature
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook(
        "POST", url, {"content-type": FORM_TYPE, "x-twilio-signature": given, **extra}, urlencode(pairs).encode()
    )


def recorded_webhook(name: str) -> Webhook:
    request = EXCHANGES[name]["request"]
    return webhook(request["url"], request["body"].items())


MEDIA_URL = "wss://relay.example.com/carriers/twilio/tr_1/media/t0k3n"
SIGNATURE = "x-twilio-signature"


def upgrade(url: str = MEDIA_URL, signed_url: str = MEDIA_URL) -> Webhook:
    return Webhook("GET", url, {SIGNATURE: sdk_signature(signed_url)})


CONTROL = ControlCase(
    new_control=control,
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={
        "answer": (
            recorded_webhook("answer_webhook"),
            CallReport(CALL_ID, CallStatus.ANSWERED, f"{CALL_ID}/in-progress//"),
        ),
        "status": (
            recorded_webhook("status_completed"),
            CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/completed/3/"),
        ),
        "detection": (
            recorded_webhook("amd_async"),
            CallReport(CALL_ID, None, f"{CALL_ID}///machine_start", AnsweredBy.MACHINE),
        ),
    },
    covers=["url", "body", SIGNATURE],
    upgrade=lambda _: upgrade(),
    upgrade_covers=["url", SIGNATURE],
    secrets=[AUTH_TOKEN],
)
