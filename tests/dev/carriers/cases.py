"""One case for each simulated carrier: how a relay dials and hangs up there, and what it is told in which words."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from relay.dev.carriers.dialect import Dialect
from relay.dev.carriers.exotel import API_KEY, Exotel
from relay.dev.carriers.jambonz import SUBPROTOCOL, Jambonz
from relay.dev.carriers.plivo import Plivo
from relay.dev.carriers.signalwire import SignalWire
from relay.dev.carriers.telnyx import Telnyx
from relay.dev.carriers.vonage import Vonage
from tests.dev.carriers.sessions import exchange
from tests.dev.carriers.stand_in import Received, StandIn

NUMBER, OWN_NUMBER = "+14155550123", "+14155550100"
AUDIO = "audio/l16;rate=16000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One carrier.

    Args:
        make: it.
        dial: the options of the request that places a call.
        dial_path: where it goes.
        hang_up: method, path and options of the request that ends a call; None: there is none.
        call_id: in the answer to the dial.
        document: what opens a stream; empty: the dial does.
        word: what a webhook says of the call, in the carrier's words.
        answered, busy, no_answer, rejected, unknown, no_line, canceled: the words of whole calls, in order.
        proof: the header that webhooks are signed in; empty: none.
    """

    make: Callable[[], Dialect]
    dial_path: str
    dial: Callable[[StandIn], dict[str, Any]]
    hang_up: Callable[[StandIn, str], tuple[str, str, dict[str, Any]]] | None
    call_id: Callable[[Any], str]
    document: Callable[[StandIn], str]
    word: Callable[[Received], str]
    answered: tuple[str, ...]
    busy: tuple[str, ...]
    no_answer: tuple[str, ...]
    rejected: tuple[str, ...]
    unknown: tuple[str, ...]
    no_line: tuple[str, ...]
    canceled: tuple[str, ...]
    human: str = ""
    proof: str = ""
    subprotocols: tuple[str, ...] = ()
    upgrade: Mapping[str, str] | None = None
    placed_status: int = 201


def sample(carrier: str, name: str, here: StandIn) -> Any:
    """The body of a recorded request, with this stand-in's URLs in place of those there."""
    text = json.dumps(exchange(carrier, name)["request"]["body"])
    text = text.replace(f"https://relay.example.com/{carrier}/media", here.media_url)
    text = text.replace(f"wss://relay.example.com/{carrier}/media", here.media_url)
    return json.loads(text.replace(f"https://relay.example.com/{carrier}", here.url))


def is_answered(here: StandIn) -> bool:
    """Whether the call was answered."""
    return here.carrier.calls[-1].answered_at is not None


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _plivo_dial(here: StandIn) -> dict[str, Any]:
    carrier = here.carrier
    return {"headers": basic(carrier.account_sid, carrier.auth_token), "json": sample("plivo", "dial", here)}


def _plivo_hang_up(here: StandIn, call_id: str) -> tuple[str, str, dict[str, Any]]:
    carrier = here.carrier
    kind, own = ("Call", carrier.calls[-1].sid) if is_answered(here) else ("Request", call_id)
    headers = basic(carrier.account_sid, carrier.auth_token)
    return "DELETE", f"/v1/Account/{carrier.account_sid}/{kind}/{own}/", {"headers": headers}


def _plivo_document(here: StandIn) -> str:
    return (
        '<Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000" '
        f'extraHeaders="leg=agent7,token=abc">{here.media_url}</Stream></Response>'
    )


PLIVO = Case(
    make=Plivo,
    dial_path="/v1/Account/{account}/Call/",
    dial=_plivo_dial,
    hang_up=_plivo_hang_up,
    call_id=lambda body: str(body["request_uuid"]),
    document=_plivo_document,
    word=lambda each: "/".join(each.content[name] for name in ("CallStatus", "HangupCause") if name in each.content),
    answered=("ringing", "completed/NORMAL_CLEARING"),
    busy=("ringing", "busy/USER_BUSY"),
    no_answer=("ringing", "no-answer/NO_ANSWER"),
    rejected=("failed/CALL_REJECTED",),
    unknown=("failed/UNALLOCATED_NUMBER",),
    no_line=("failed/NORMAL_CIRCUIT_CONGESTION",),
    canceled=("ringing", "cancel/ORIGINATOR_CANCEL"),
    human="false",
    proof="X-Plivo-Signature-V3",
    upgrade={"X-Plivo-Signature-V3-Nonce": ""},
)


def _signalwire_dial(here: StandIn) -> dict[str, Any]:
    carrier = here.carrier
    form = [tuple(pair) for pair in sample("signalwire", "dial", here)]
    return {"headers": basic(carrier.account_sid, carrier.auth_token), "data": form}


def _signalwire_hang_up(here: StandIn, call_id: str) -> tuple[str, str, dict[str, Any]]:
    carrier = here.carrier
    path = f"/api/laml/2010-04-01/Accounts/{carrier.account_sid}/Calls/{call_id}.json"
    headers = basic(carrier.account_sid, carrier.auth_token)
    return "POST", path, {"headers": headers, "data": {"Status": "completed"}}


SIGNALWIRE = Case(
    make=SignalWire,
    dial_path="/api/laml/2010-04-01/Accounts/{account}/Calls.json",
    dial=_signalwire_dial,
    hang_up=_signalwire_hang_up,
    call_id=lambda body: str(body["sid"]),
    document=lambda here: (
        f'<Response><Connect><Stream url="{here.media_url}" codec="PCMU@8000h" authBearerToken="t0k3n">'
        '<Parameter name="leg" value="agent-7"/></Stream></Connect></Response>'
    ),
    word=lambda each: str(each.content["CallStatus"]),
    answered=("initiated", "ringing", "in-progress", "completed"),
    busy=("initiated", "ringing", "busy"),
    no_answer=("initiated", "ringing", "no-answer"),
    rejected=("initiated", "failed"),
    unknown=("initiated", "failed"),
    no_line=("initiated", "failed"),
    canceled=("initiated", "ringing", "canceled"),
    proof="X-SignalWire-Signature",
    upgrade={"Authorization": "Bearer t0k3n"},
)


def _telnyx_dial(here: StandIn) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {here.carrier.auth_token}"}
    return {"headers": headers, "json": sample("telnyx", "dial", here)}


def _telnyx_hang_up(here: StandIn, call_id: str) -> tuple[str, str, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {here.carrier.auth_token}"}
    return "POST", f"/v2/calls/{call_id}/actions/hangup", {"headers": headers, "json": {}}


def _telnyx_word(each: Received) -> str:
    data = each.content["data"]
    return "/".join(filter(None, (data["event_type"], data["payload"].get("hangup_cause"))))


TELNYX = Case(
    make=Telnyx,
    dial_path="/v2/calls",
    dial=_telnyx_dial,
    hang_up=_telnyx_hang_up,
    call_id=lambda body: str(body["data"]["call_control_id"]),
    document=lambda _: "",
    word=_telnyx_word,
    answered=(
        "call.initiated",
        "call.answered",
        "streaming.started",
        "call.hangup/normal_clearing",
        "streaming.stopped",
    ),
    busy=("call.initiated", "call.hangup/user_busy"),
    no_answer=("call.initiated", "call.hangup/timeout"),
    rejected=("call.initiated", "call.hangup/call_rejected"),
    unknown=("call.initiated", "call.hangup/not_found"),
    no_line=("call.initiated", "call.hangup/unspecified"),
    canceled=("call.initiated", "call.hangup/originator_cancel"),
    proof="telnyx-signature-ed25519",
    upgrade={"x-telnyx-streaming-auth-token": "t0k3n"},
    placed_status=200,
)


def _vonage_headers(here: StandIn) -> dict[str, str]:
    now_s = int(time.time())
    claims = {"application_id": here.carrier.account_sid, "iat": now_s, "exp": now_s + 60, "jti": "1"}
    return {"Authorization": f"Bearer {jwt.encode(claims, here.carrier.auth_token, algorithm='RS256')}"}


def _vonage_hang_up(here: StandIn, call_id: str) -> tuple[str, str, dict[str, Any]]:
    return "PUT", f"/v1/calls/{call_id}", {"headers": _vonage_headers(here), "json": {"action": "hangup"}}


def _vonage_document(here: StandIn) -> str:
    endpoint = {"type": "websocket", "uri": here.media_url, "content-type": AUDIO, "headers": {"leg": "agent-7"}}
    endpoint["authorization"] = {"type": "custom", "value": "Bearer t0k3n"}
    return json.dumps([{"action": "connect", "endpoint": [endpoint]}])


def _vonage_word(each: Received) -> str:
    content = each.content
    is_media = "ws:" in str(content["to"])
    return "/".join(filter(None, ("media" if is_media else "", content["status"], content.get("detail"))))


VONAGE = Case(
    make=Vonage,
    dial_path="/v1/calls",
    dial=lambda here: {"headers": _vonage_headers(here), "json": sample("vonage", "dial", here)},
    hang_up=_vonage_hang_up,
    call_id=lambda body: str(body["uuid"]),
    document=_vonage_document,
    word=_vonage_word,
    answered=("started", "ringing", "answered", "media/answered", "completed"),
    busy=("started", "ringing", "busy"),
    no_answer=("started", "ringing", "unanswered/timeout"),
    rejected=("started", "rejected/declined"),
    unknown=("started", "rejected/invalid_number"),
    no_line=("started", "failed/internal_error"),
    canceled=("started", "ringing", "cancelled"),
    proof="Authorization",
    upgrade={"Authorization": "Bearer t0k3n"},
)


def _exotel_dial(here: StandIn) -> dict[str, Any]:
    media = here.media_url.replace("ws://", "ws://relayuser:s3cret@")
    form = [(name, media + "/t0k3n?leg=agent-7" if name == "StreamUrl" else value) for name, value in _exotel(here)]
    return {"headers": basic(API_KEY, here.carrier.auth_token), "data": form}


def _exotel(here: StandIn) -> list[tuple[str, str]]:
    return [(name, value) for name, value in sample("exotel", "dial_connect_stream", here)]


EXOTEL = Case(
    make=Exotel,
    dial_path="/v1/Accounts/{account}/Calls/connect.json",
    dial=_exotel_dial,
    hang_up=None,
    call_id=lambda body: str(body["Call"]["Sid"]),
    document=lambda _: "",
    word=lambda each: f"{each.content['EventType']}/{each.content['Status']}",
    answered=("answered/in-progress", "terminal/completed"),
    busy=("terminal/busy",),
    no_answer=("terminal/no-answer",),
    rejected=("terminal/failed",),
    unknown=("terminal/failed",),
    no_line=("terminal/failed",),
    canceled=("terminal/canceled",),
    upgrade={"Authorization": "Basic cmVsYXl1c2VyOnMzY3JldA=="},
    placed_status=200,
)


def _bearer(here: StandIn) -> dict[str, str]:
    return {"Authorization": f"Bearer {here.carrier.auth_token}"}


def _jambonz_hang_up(here: StandIn, call_id: str) -> tuple[str, str, dict[str, Any]]:
    content = {"call_status": "completed" if is_answered(here) else "no-answer"}
    path = f"/v1/Accounts/{here.carrier.account_sid}/Calls/{call_id}"
    return "PUT", path, {"headers": _bearer(here), "json": content}


def _jambonz_document(here: StandIn) -> str:
    verb = {
        "verb": "stream",
        "url": here.media_url,
        "sampleRate": 8000,
        "mixType": "mono",
        "passDtmf": True,
        "bidirectionalAudio": {"enabled": True, "streaming": True, "sampleRate": 8000},
        "wsAuth": {"username": "relayuser", "password": "s3cret"},
        "metadata": {"leg": "agent-7"},
    }
    return json.dumps([verb])


JAMBONZ = Case(
    make=Jambonz,
    dial_path="/v1/Accounts/{account}/Calls",
    dial=lambda here: {"headers": _bearer(here), "json": sample("jambonz", "dial", here)},
    hang_up=_jambonz_hang_up,
    call_id=lambda body: str(body["sid"]),
    document=_jambonz_document,
    word=lambda each: f"{each.content['call_status']}/{each.content['sip_status']}",
    answered=("trying/100", "ringing/180", "in-progress/200", "completed/200"),
    busy=("trying/100", "ringing/180", "busy/486"),
    no_answer=("trying/100", "ringing/180", "no-answer/480"),
    rejected=("trying/100", "failed/603"),
    unknown=("trying/100", "failed/404"),
    no_line=("trying/100", "failed/503"),
    canceled=("trying/100", "ringing/180", "no-answer/487"),
    proof="Jambonz-Signature",
    subprotocols=(SUBPROTOCOL,),
    upgrade={"Authorization": "Basic cmVsYXl1c2VyOnMzY3JldA=="},
)

CASES = {
    "plivo": PLIVO,
    "signalwire": SIGNALWIRE,
    "telnyx": TELNYX,
    "vonage": VONAGE,
    "exotel": EXOTEL,
    "jambonz": JAMBONZ,
}
