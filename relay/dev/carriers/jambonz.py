"""
jambonz: JSON to dial, verbs in JSON, hooks signed with HMAC, binary audio under a subprotocol.

Written from docs.jambonz.org and the sources of its API and feature server alone.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from relay.dev.carrier_call import CallIds, EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream, Verb
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, asked_of, has_authorization, retry_headers
from relay.dev.carrier_webhooks import Message, Webhook
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import Traits
from relay.dev.carriers.jambonz_document import verbs_of_json
from relay.dev.carriers.jambonz_wire import JambonzWire
from relay.dev.phone_wire import Call, PhoneWire

ACCOUNT_SID: Final = "bd9f0d9a-0000-4000-8000-000000000002"
APPLICATION_SID: Final = "c9c0a9f0-0000-4000-8000-000000000003"
API_KEY: Final = "simulated-jambonz-key"
WEBHOOK_SECRET: Final = "wh_secret_simulated"  # noqa: S105 -- of a simulated account
SIGNATURE_HEADER: Final = "Jambonz-Signature"
SUBPROTOCOL: Final = "audio.drachtio.org"
EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})
RING_S: Final = 60
TIME_LIMIT_S: Final = 14400
DECISION_S: Final = 15
DTMF: Final = "0123456789*#ABCD"

_KNOWN: Final = (
    "from",
    "to",
    "call_hook",
    "call_status_hook",
    "timeout",
    "timeLimit",
    "tag",
    "headers",
    "amd",
    "answerOnBridge",
    "fromHost",
    "speech_synthesis_vendor",
    "speech_synthesis_language",
    "speech_synthesis_voice",
    "speech_recognizer_vendor",
    "speech_recognizer_language",
)
_STATUSES: Final = {"queued": "trying", "initiated": "trying", "canceled": "no-answer"}
_SIP: Final = {
    "trying": (100, "Trying"),
    "ringing": (180, "Ringing"),
    "busy": (486, "Busy Here"),
    "no-answer": (480, "Temporarily Unavailable"),
    "failed": (503, "Service Unavailable"),
}
_AMD: Final = {"human": "amd_human_detected", "unknown": "amd_decision_timeout"}


def signature_of(timestamp: int, body: bytes, *, secret: str) -> str:
    """The value of ``Jambonz-Signature``."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Jambonz:
    """An account of a jambonz; ``secret`` is an API key, ``signing_key`` the account's webhook secret."""

    name = "jambonz"
    title = "jambonz"
    traits = Traits(refuses_numbers=False)
    close_ends_call = True
    refusal_ends_call = True
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)

    def __init__(self, account: str = ACCOUNT_SID, secret: str = API_KEY, signing_key: str = WEBHOOK_SECRET) -> None:
        self.account = account
        self.secret = secret
        self.signing_key = signing_key

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_JAMBONZ_ACCOUNT_SID": self.account,
            "RELAY_JAMBONZ_API_KEY": self.secret,
            "RELAY_JAMBONZ_WEBHOOK_SECRET": self.signing_key,
            "RELAY_JAMBONZ_FROM": number,
            "RELAY_JAMBONZ_BASE_URL": api_url,
        }

    # Signatures

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """The headers of a hook."""
        return {
            SIGNATURE_HEADER: signature_of(int(time.time()), body, secret=secret),
            "Content-Type": "application/json",
        }

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """Nothing: the verb's credentials are in the stream's own headers."""
        return {}

    # Calls and hooks

    def new_ids(self, order: Order) -> CallIds:
        """The call's, and that of its SIP dialog."""
        sid = str(uuid4())
        return CallIds(sid, sid, (str(uuid4()),))

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """What all hooks have as text."""
        return {
            "call_sid": call.sid,
            "account_sid": call.account_sid,
            "application_sid": APPLICATION_SID,
            "direction": "outbound",
            "from": call.order.from_number,
            "to": call.to,
            "call_id": call.ids.others[0],
            "call_status": _STATUSES.get(status, status),
        }

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """``call_status_hook``."""
        if not (url := call.order.url_of(event)):
            return None
        content = self._told(call, status)
        if event == "completed":
            content["duration"] = call.duration_s or 0
            content["call_termination_by"] = "caller" if call.hung_up_by is EndedBy.AGENT else "jambonz"
        return Message(url, body=orjson.dumps(content), status=status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """The ``actionHook`` of ``amd``."""
        found_type = _AMD.get(found.answered_by, "amd_machine_detected")
        body = orjson.dumps(self._told(call, "in-progress") | {"type": found_type})
        return Message(call.order.detection_url, body=body)

    def _told(self, call: SimulatedCall, status: str) -> dict[str, Any]:
        content: dict[str, Any] = self.form(call, status)
        sip_status, sip_reason = _SIP.get(content["call_status"], (200, "OK"))
        if status == "canceled":
            sip_status, sip_reason = 487, "Request Terminated"
        if call.sip_code is not None:
            sip_status = call.sip_code
        content |= {"sip_status": sip_status, "sip_reason": sip_reason}
        return content | ({"customerData": dict(call.order.tags)} if call.order.tags else {})

    # What becomes of an answered call

    def answer(self, call: SimulatedCall, url: str) -> Message:
        """What asks for verbs."""
        return Message(url, body=orjson.dumps(self._told(call, "in-progress")), status="in-progress")

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """Verbs."""
        return verbs_of_json(fetched.reply_body)

    def media_url(self, stream: Stream) -> str:
        """As it is in the verb."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """The stream verb."""
        return JambonzWire(call, stream.rate_hz, passes_dtmf="passDtmf" in stream.options)

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """Nothing: an ``actionHook`` asks for what follows."""
        return None

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """Calls: placed, looked up, listed and ended."""

        async def change(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            if call is None:
                return web.Response(status=404)
            match (await asked_of(request)).json:
                case {"call_status": "completed" | "no-answer" as status}:
                    if not call.is_live or (call.answered_at is None) != (status == "no-answer"):
                        return _error(500, f"call_status {status}: the call is {call.status}")
                    call.hang_up(EndedBy.RELAY)
                    return web.Response(status=202)
                case {"dtmf": {"digit": str(digit)}} if len(digit) == 1:
                    heard = call.hear(digit, DTMF)
                    return web.Response(status=202) if heard else _error(500, f"dtmf: the call is {call.status}")
                case asked:
                    call.violate(f"change of a call: expected call_status, got {sorted(asked)}: not simulated")
                    return _error(400, "call_status: expected completed or no-answer")

        async def look_up(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            return web.Response(status=404) if call is None else web.json_response(self.form(call, call.status))

        async def list_calls(request: web.Request) -> web.StreamResponse:
            found = [self.form(call, call.status) for call in reversed(rest.account.calls)]
            asked = {name: request.query[name] for name in ("direction", "from", "to") if name in request.query}
            return web.json_response([call for call in found if asked.items() <= call.items()])

        calls = "/v1/Accounts/{account}/Calls"
        return [
            web.post(calls, rest.dial),
            web.get(calls, list_calls),
            web.get(f"{calls}/{{call}}", look_up),
            web.put(f"{calls}/{{call}}", change),
        ]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Bearer."""
        if not has_authorization(request, f"Bearer {account.auth_token}"):
            return _error(401, "unauthorized")
        if request.match_info.get("account", account.account_sid) != account.account_sid:
            return _error(403, "insufficient permissions")
        return None

    def dialled(self, asked: Asked) -> str:
        """The number of ``to``."""
        match asked.json:
            case {"to": {"number": str(number)}}:
                return number
        return ""

    def read_order(self, asked: Asked) -> Order:
        """JSON."""
        fields = DialFields(asked.json, _KNOWN)
        to = asked.json.get("to")
        if not isinstance(to, dict) or to.get("type") != "phone":
            raise fields.invalid("to: expected a phone, got another")
        amd, tag = asked.json.get("amd"), asked.json.get("tag", {})
        return Order(
            to=fields.as_number("to", str(to.get("number", "")), plus=True),
            from_number=fields.number("from", plus=True),
            answer_url=_hook(fields, asked.json, "call_hook"),
            status_url=_hook(fields, asked.json, "call_status_hook"),
            events=EVENTS,
            detection_url=str(amd.get("actionHook", "")) if isinstance(amd, dict) else "",
            detection_timeout_s=_detection_s(amd),
            ring_timeout_s=fields.seconds("timeout", RING_S, most_s=600),
            time_limit_s=fields.seconds("timeLimit", TIME_LIMIT_S, most_s=86400),
            tags=MappingProxyType({str(name): str(value) for name, value in tag.items()}),
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """201, and the id."""
        return web.json_response({"sid": call.sid}, status=201)

    def refused(self, refused: OrderRefused) -> web.Response:
        """An error."""
        return _error(refused.status, str(refused))

    def refusal(self, refusal: Refuses) -> web.Response:
        """An error."""
        return _error(refusal.status, refusal.message, retry_headers(refusal))

    def broken(self) -> web.Response:
        """An error."""
        return _error(500, "internal error (simulated)")


def _hook(fields: DialFields, content: Mapping[str, Any], name: str) -> str:
    match content.get(name):
        case {"url": str(url), "method": "POST"} | str(url):
            return url
    raise fields.invalid(f"{name}: expected a URL that is posted to, got another")


def _detection_s(amd: object) -> float:
    match amd:
        case {"timers": {"decisionTimeoutMs": int(decision_ms)}}:
            return decision_ms / 1000
    return DECISION_S


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"msg": message}, status=status, headers=headers)
