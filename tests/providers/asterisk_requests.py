"""What Asterisk says over ARI: the recorded exchanges, and events as its documentation has them."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from relay.conformance import ControlCase
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    DialReply,
    HttpReply,
    HttpRequest,
    Refusal,
    Webhook,
)
from tests.providers.samples import SAMPLES

EXCHANGES: dict[str, Any] = {each["name"]: each for each in json.loads((SAMPLES / "asterisk_http.json").read_text())}
VECTORS: dict[str, Any] = {
    each["name"]: each for each in json.loads((SAMPLES / "asterisk_auth_vectors.json").read_text())["vectors"]
}
ARI_URL = "http://asterisk.example.com:8088/ari"
CALL_ID = "tr_" + "1" * 32
MEDIA_ID, BRIDGE_ID = f"{CALL_ID}-media", f"{CALL_ID}-bridge"
TOKEN = "aB3_-" * 8 + "xyz"
MEDIA_URL = f"wss://relay.example.com/carriers/asterisk/{CALL_ID}/media/{TOKEN}"
MEDIA_PATH = "/carriers/asterisk/media"
"""Of the URL in websocket_client.conf; the upgrade that Asterisk makes of it is in tests/app/test_ari_calls.py."""
TO, FROM = "+14155550123", "+14155550100"
BASIC = {"Authorization": "Basic cmVsYXk6czNjcmV0"}

ACCOUNT: dict[str, str] = {
    "ari_url": ARI_URL,
    "ari_user": "relay",
    "ari_password": "s3cret",
    "app": "relay",
    "endpoint": "PJSIP/{number}@trunk",
    "websocket_client": "relay_ws_client",
    "media_user": "relay-media",
    "media_password": "m3dia",
}


def control(**changes: str) -> AsteriskControl:
    return AsteriskControl(**(ACCOUNT | changes))


def call_order(**changes: Any) -> CallOrder:
    site = f"https://relay.example.com/carriers/asterisk/{CALL_ID}"
    given: dict[str, Any] = {
        "to": TO,
        "from_number": FROM,
        "answer_url": f"{site}/answer/0",
        "status_url": f"{site}/status",
        "ring_timeout_s": 30,
        "max_duration_s": 7200,
    }
    return CallOrder(**(given | changes))


def reply(status: int, body: Any = None, **headers: str) -> HttpReply:
    """A reply of JSON, or of bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def missing(what: str = "Channel not found") -> HttpReply:
    """ARI's own 404."""
    return reply(404, {"message": what})


def query(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def channel(channel_id: str = CALL_ID, state: str = "Up") -> dict[str, Any]:
    """As rest-api/api-docs/channels.json has it; the numbers must be quoted nowhere."""
    return {
        "id": channel_id,
        "name": "PJSIP/trunk-00000001",
        "state": state,
        "protocol_id": "a1b2",
        "caller": {"name": "", "number": FROM},
        "connected": {"name": "", "number": TO},
        "accountcode": "",
        "dialplan": {"context": "default", "exten": "s", "priority": 1, "app_name": "Stasis", "app_data": "relay"},
        "creationtime": "2026-11-26T12:00:00.000+0000",
        "language": "en",
    }


def event(kind: str, channel_id: str = CALL_ID, state: str = "Up", **more: Any) -> dict[str, Any]:
    """As rest-api/api-docs/events.json has it."""
    return {
        "type": kind,
        "timestamp": "2026-11-26T12:00:01.000+0000",
        "channel": channel(channel_id, state),
        "asterisk_id": "42:01:0a:00:00:01",
        "application": "relay",
        **more,
    }


def destroyed(channel_id: str = CALL_ID, state: str = "Up", cause: int = 16) -> dict[str, Any]:
    return event("ChannelDestroyed", channel_id, state, cause=cause, cause_txt="Normal Clearing")


DIAL_ANSWERS: dict[str, tuple[HttpReply, DialReply]] = {
    "2xx with a channel of ours": (reply(200, channel(state="Down")), CallPlaced(CALL_ID)),
    "2xx with another channel": (reply(200, channel("1767225601.7")), CallUnclear("HTTP 200 without a call's id")),
    "400, no such parameters": (reply(400, {"message": TO}), CallRefused(Refusal.REJECTED, "400", "HTTP 400")),
    "401, wrong credentials": (reply(401, {}), CallRefused(Refusal.REJECTED, "401", "HTTP 401")),
    "any other 4xx": (reply(403, b"<html>"), CallRefused(Refusal.REJECTED, "403", "HTTP 403")),
    "429, a proxy's": (reply(429, retry_after="2"), CarrierBusy(2.0, "HTTP 429")),
    "409, there is this channel": (reply(409, {"message": "exists"}), CallUnclear("HTTP 409")),
    "408": (reply(408), CallUnclear("HTTP 408")),
    "3xx": (reply(307), CallUnclear("HTTP 307")),
    "5xx": (reply(500, {"message": "Allocation failed"}), CallUnclear("HTTP 500")),
}


def upgrade(authorization: str = "Basic cmVsYXktbWVkaWE6bTNkaWE=") -> Webhook:
    """With the name and the password of the tests' websocket_client.conf, unless they are others."""
    return Webhook("GET", MEDIA_URL, {"authorization": authorization})


CONTROL = ControlCase(
    new_control=lambda: control(ari_url="https://asterisk.example.com:8089/ari"),
    order=call_order(),
    dial_answers=DIAL_ANSWERS,
    webhooks={},  # what happens to calls is said over a WebSocket that relay opens
    covers=[],
    upgrade=lambda _: upgrade(),
    upgrade_covers=["authorization"],
    secrets=[ACCOUNT["ari_password"], ACCOUNT["media_password"]],
)
