"""What Exotel sends over HTTP: the recorded exchanges, and callbacks in each of the types that it may post."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from relay.conformance import ControlCase
from relay.providers.basic_auth import authorization as basic_authorization
from relay.providers.basic_auth import password_for
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
from relay.providers.exotel_control import ExotelControl
from relay.providers.forms import parse_form
from tests.providers.control_samples import exchanges, recorded_reply, reply, vectors

EXCHANGES, VECTORS = exchanges("exotel_http.json"), vectors("exotel_auth_vectors.json")

API_KEY, API_TOKEN = "exo_key", "exo_token"
CALL_ID = "cf2b3f4a1d0e4c5b8a7962514d3e2f10"
TO, FROM = "+919876543210", "+918012345678"
STATUS_URL = "https://relay.example.com/exotel/status"
MEDIA_URL = "wss://relay.example.com/exotel/media?leg=agent-7&token=t0k3n"
PASSWORD = password_for(API_TOKEN, "wss://relay.example.com/exotel/media")
BOUNDARY = "----b0undary"


def control(**options: Any) -> ExotelControl:
    """At 8 kHz, as what is recorded."""
    account = {"account_sid": "exoaccount1", "api_key": API_KEY, "api_token": API_TOKEN, "sample_rate_hz": 8000}
    return ExotelControl(**{**account, **options})


def call_order(**changes: Any) -> CallOrder:
    """The recorded dial's order."""
    recorded = {
        "to": TO,
        "from_number": FROM,
        "answer_url": "https://relay.example.com/exotel/answer",
        "status_url": STATUS_URL,
        "ring_timeout_s": 30,
        "max_duration_s": 7200,
        "media_url": MEDIA_URL,
    }
    return CallOrder(**{**recorded, **changes})


def sent_fields(made: ExotelControl | None = None, **changes: Any) -> list[tuple[str, str]]:
    """The form of a dial."""
    return list(parse_form((made or control()).dial(call_order(**changes)).body).fields)


def status_url(made: ExotelControl | None = None) -> str:
    """What Exotel was given to call back."""
    return dict(sent_fields(made))["StatusCallback"]


def error(status: int, code: int = 0) -> HttpReply:
    """Exotel's error, which quotes the number."""
    return reply(status, {"RestException": {"Status": status, "Message": f"{TO} ...", "Code": code}})


def xml_error(status: int, code: int) -> HttpReply:
    inside = f"<Status>{status}</Status><Message>{TO} ...</Message><Code>{code}</Code>"
    text = f'<?xml version="1.0"?>\n<TwilioResponse>\n <RestException>{inside}</RestException></TwilioResponse>'
    return reply(status, text.encode())


def xml_call(status: int = 200, sid: str = CALL_ID, call_status: str = "in-progress") -> HttpReply:
    inside = f"<Sid>{sid}</Sid>\n  <To>08012345678</To>\n  <Status>{call_status}</Status>"
    return reply(status, f"<?xml version='1.0'?>\n<TwilioResponse><Call>\n {inside}</Call></TwilioResponse>".encode())


def rejected(status: int, code: int) -> CallRefused:
    return CallRefused(Refusal.REJECTED, str(code), f"HTTP {status}, error {code}")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a call's id": (recorded_reply(EXCHANGES["dial_connect_stream"]), CallPlaced(CALL_ID)),
    "2xx with a call's id, in XML": (xml_call(), CallPlaced(CALL_ID)),
    "2xx without one": (reply(200, {}), CallUnclear("HTTP 200 without a call's id")),
    "400, whatever the code": (error(400, 34001), rejected(400, 34001)),
    "400, in XML": (xml_error(400, 34001), rejected(400, 34001)),
    "401, wrong credentials": (recorded_reply(EXCHANGES["dial_error"]), rejected(401, 401)),
    "402, no balance": (error(402), rejected(402, 402)),
    "403, suspended": (error(403), rejected(403, 403)),
    "any other 4xx": (reply(404, b"<html>"), rejected(404, 404)),
    "429": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429, error 429")),
    "408": (reply(408), CallUnclear("HTTP 408, error 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307, error 307")),
    "5xx": (error(503), CallUnclear("HTTP 503, error 503")),
}
"""What Exotel may answer to a dial, and what is made of it; docs/carriers.md shows it."""


def callback(fields: Mapping[str, Any], url: str | None = None) -> Webhook:
    """As JSON, which is what relay asks for."""
    return Webhook("POST", url or status_url(), {"content-type": "application/json"}, json.dumps(fields).encode())


def form_callback(fields: Mapping[str, str], url: str | None = None) -> Webhook:
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return Webhook("POST", url or status_url(), headers, urlencode(fields).encode())


def multipart_callback(fields: Mapping[str, str], url: str | None = None) -> Webhook:
    """As it comes if no type was asked for."""
    head = 'Content-Disposition: form-data; name="{}"'
    parts = "".join(f"--{BOUNDARY}\r\n{head.format(name)}\r\n\r\n{value}\r\n" for name, value in fields.items())
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return Webhook("POST", url or status_url(), headers, f"{parts}--{BOUNDARY}--\r\n".encode())


TERMINAL: dict[str, str] = EXCHANGES["status_callback_terminal"]["request"]["body"]
"""The recorded callback's form."""


def as_json(fields: Mapping[str, str]) -> dict[str, Any]:
    """What the same callback is in JSON."""
    legs = {name: value for name, value in fields.items() if name.startswith("Legs[")}
    leg = {name.removeprefix("Legs[0][").removesuffix("]"): value for name, value in legs.items()}
    plain: dict[str, Any] = {name: value for name, value in fields.items() if name not in legs}
    return {**plain, "ConversationDuration": 37, "RecordingUrl": None, "Legs": [{**leg, "OnCallDuration": 37}]}


CALLBACKS = {
    "json": callback(as_json(TERMINAL)),
    "form": form_callback(TERMINAL),
    "multipart": multipart_callback(TERMINAL),
}
"""One callback in each of the types."""


def upgrade(authorization: str | None = basic_authorization("relay", PASSWORD), url: str = MEDIA_URL) -> Webhook:
    """With the name and the password that are in the tests' URL, unless it is another."""
    return Webhook("GET", url, {} if authorization is None else {"authorization": authorization})


_COMPLETED = CallReport(CALL_ID, CallStatus.COMPLETED, f"{CALL_ID}/terminal/completed/human", AnsweredBy.HUMAN)

CONTROL = ControlCase(
    new_control=control,
    order=call_order(media_url=f"wss://relay.example.com/carriers/exotel/tr_1/media/{'aB3_-' * 8}xyz"),
    dial_answers=DIAL_ANSWERS,
    webhooks={kind: (webhook, _COMPLETED) for kind, webhook in CALLBACKS.items()},
    covers=["url"],
    upgrade=lambda _: upgrade(),
    upgrade_covers=["authorization"],
    secrets=[API_TOKEN, "s3cret"],
)
