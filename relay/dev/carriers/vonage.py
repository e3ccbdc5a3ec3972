"""
Vonage's Voice API: JSON to dial with an application's token, NCCO, events signed with tokens, binary audio.

Written from developer.vonage.com (Voice API, NCCO, webhooks, WebSockets, JWTs) alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from relay.dev.carrier_call import CallIds, EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream, Verb
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, asked_of, retry_headers
from relay.dev.carrier_webhooks import Message, Webhook
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import Traits
from relay.dev.carriers.vonage_document import verbs_of_ncco
from relay.dev.carriers.vonage_tokens import complaint_about, private_key, signed_token, webhook_token
from relay.dev.carriers.vonage_wire import VonageWire
from relay.dev.phone_wire import Call, PhoneWire

APPLICATION_ID: Final = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
SIGNATURE_SECRET: Final = "simulated" + 32 * "0"
EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})
RING_S: Final = 60
TIME_LIMIT_S: Final = 7200
DTMF: Final = "0123456789*#p"

_KNOWN: Final = (
    "to",
    "from",
    "answer_url",
    "answer_method",
    "event_url",
    "event_method",
    "machine_detection",
    "advanced_machine_detection",
    "ringing_timer",
    "length_timer",
)
_STATUSES: Final = {"queued": "started", "initiated": "started", "in-progress": "answered", "canceled": "cancelled"}
_FAILED: Final[Mapping[int, Mapping[str, Any]]] = {  # by SIP's code
    404: {"status": "rejected", "detail": "invalid_number"},
    503: {"status": "failed", "detail": "internal_error", "sip_code": 503},
    603: {"status": "rejected", "detail": "declined"},
}
_STREAM_STATUSES: Final = {"opened": "answered", "closed": "disconnected", "failed": "failed"}


class Vonage:
    """An application of Vonage's; ``secret`` is its private key, ``signing_key`` the account's signature secret."""

    name = "vonage"
    title = "Vonage"
    traits = Traits(reopens=False)
    close_ends_call = True
    refusal_ends_call = True
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = ()

    def __init__(
        self, account: str = APPLICATION_ID, secret: str | None = None, signing_key: str = SIGNATURE_SECRET
    ) -> None:
        self.account = account
        self.secret = private_key() if secret is None else secret
        self.signing_key = signing_key

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_VONAGE_APPLICATION_ID": self.account,
            "RELAY_VONAGE_PRIVATE_KEY": self.secret,
            "RELAY_VONAGE_SIGNATURE_SECRET": self.signing_key,
            "RELAY_VONAGE_FROM": number,
            "RELAY_VONAGE_API_URL": api_url,
        }

    # Signatures

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """The headers of an event, or of a request for an NCCO."""
        claims = {"api_key": "abcd1234", "application_id": self.account}
        token = webhook_token(body, secret=secret, claims=claims)
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """Nothing: what the NCCO says is in the stream's own headers."""
        return {}

    # Calls and events

    def new_ids(self, order: Order) -> CallIds:
        """A call's, a conversation's, and that of the WebSocket, which is a call too."""
        uuid = str(uuid4())
        return CallIds(uuid, uuid, (f"CON-{uuid4()}", str(uuid4())))

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """What all events have; numbers are without +."""
        return {
            "from": call.order.from_number.removeprefix("+"),
            "to": call.to.removeprefix("+"),
            "uuid": call.sid,
            "conversation_uuid": call.ids.others[0],
            "status": _STATUSES.get(status, status),
            "direction": "outbound",
            "timestamp": _now(),
        }

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """Everything goes to ``event_url``."""
        if not (url := call.order.url_of(event)):
            return None
        content: dict[str, Any] = self.form(call, status)
        if failed := _FAILED.get(call.sip_code or 0):
            content |= failed
        elif status == "no-answer":
            content |= {"status": "unanswered", "detail": "timeout"}
        elif status == "failed":
            content |= {"detail": "cannot_route"}
        elif status == "completed":
            content |= {"duration": str(call.duration_s or 0), "rate": "0.01", "price": "0.01", "network": "US-FIXED"}
            content |= {"start_time": _time(call.answered_at), "end_time": _time(call.ended_at)}
        return Message(url, body=orjson.dumps(content), status=status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """``human`` or ``machine``; the call's id has another name here."""
        if found.answered_by == "unknown":
            return None
        status = "human" if found.answered_by == "human" else "machine"
        content = self.form(call, status)
        content["call_uuid"] = content.pop("uuid")
        return Message(call.order.detection_url, body=orjson.dumps(content))

    # What becomes of an answered call

    def answer(self, call: SimulatedCall, url: str) -> Message:
        """What asks for an NCCO."""
        content = {
            "from": call.order.from_number.removeprefix("+"),
            "to": call.to.removeprefix("+"),
            "uuid": call.sid,
            "conversation_uuid": call.ids.others[0],
            "region_url": "https://api-us.nexmo.com",
        }
        return Message(url, body=orjson.dumps(content), status="in-progress")

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """NCCO."""
        claims = {"application_id": self.account}
        return verbs_of_ncco(fetched.reply_body, token=lambda: signed_token(claims, secret=self.signing_key))

    def media_url(self, stream: Stream) -> str:
        """As it is in the NCCO."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """A WebSocket endpoint."""
        return VonageWire(call, stream.rate_hz)

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """The WebSocket is a call with an id of its own, and has events of its own."""
        url = stream.options.get("eventUrl") or call.order.status_url
        if not url or (news == "closed" and not call.is_live):  # what a hang-up ends is not disconnected
            return None
        content = {
            "from": call.order.from_number.removeprefix("+"),
            "to": stream.url,
            "uuid": call.ids.others[1],
            "conversation_uuid": call.ids.others[0],
            "status": _STREAM_STATUSES[news],
            "direction": "outbound",
            "headers": dict(stream.parameters),
            "timestamp": _now(),
        }
        return Message(url, body=orjson.dumps(content))

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """Calls: placed, looked up, listed and ended."""

        async def change(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            if call is None or not call.is_live:
                return _error(404, "Not Found", "The call does not exist, or has ended")
            if (asked := (await asked_of(request)).json) != {"action": "hangup"}:
                call.violate(f"change of a call: expected hangup, got {asked}: unknown or not simulated")
                return _error(400, "Bad Request", "action")
            call.hang_up(EndedBy.RELAY)
            return web.Response(status=204)

        async def look_up(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            return _error(404, "Not Found", "No such call") if call is None else web.json_response(_call_json(call))

        async def list_calls(request: web.Request) -> web.StreamResponse:
            status = request.query.get("status")
            found = [_call_json(call) for call in reversed(rest.account.calls)]
            found = [call for call in found if status in {None, call["status"]}]
            return web.json_response({"count": len(found), "page_size": 100, "_embedded": {"calls": found}})

        async def send_dtmf(request: web.Request) -> web.StreamResponse:
            call, asked = rest.call(request), (await asked_of(request)).json
            if call is None or not call.is_live:
                return _error(404, "Not Found", "The call does not exist, or has ended")
            if asked.keys() != {"digits"} or not call.hear(asked["digits"], DTMF):
                return _error(400, "Bad Request", "digits", parameter="digits")
            return web.json_response({"message": "DTMF sent", "uuid": call.sid})

        return [
            web.post("/v1/calls", rest.dial),
            web.put("/v1/calls/{call}/dtmf", send_dtmf),
            web.get("/v1/calls", list_calls),
            web.get("/v1/calls/{call}", look_up),
            web.put("/v1/calls/{call}", change),
        ]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """A token that is signed with the application's key."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        complaint = complaint_about(token, private_pem=account.auth_token, application_id=account.account_sid)
        if scheme != "Bearer" or complaint:
            return _error(401, "Unauthorized", complaint or "expected Bearer")
        return None

    def dialled(self, asked: Asked) -> str:
        """The one number of ``to``, with a +."""
        match asked.json:
            case {"to": [{"number": str(number)}]}:
                return number if number.startswith("+") else f"+{number}"
        return ""

    def read_order(self, asked: Asked) -> Order:
        """JSON."""
        fields = DialFields(asked.json, _KNOWN)
        fields.post_only("answer_method", "event_method")
        answer_url, event_url = _one_url(fields, asked.json, "answer_url"), _one_url(fields, asked.json, "event_url")
        to, from_number = (_number(fields, asked.json, name) for name in ("to", "from"))
        detects = asked.json.get("machine_detection") or asked.json.get("advanced_machine_detection")
        if (
            detects
            and detects != "continue"
            and (not isinstance(detects, dict) or detects.get("behavior") != "continue")
        ):
            fields.violations.append("machine detection: expected to continue, got another: not simulated")
        return Order(
            to=to,
            from_number=from_number,
            answer_url=answer_url,
            status_url=event_url,
            events=EVENTS,
            detection_url=event_url if detects else "",
            ring_timeout_s=fields.seconds("ringing_timer", RING_S, most_s=120),
            time_limit_s=fields.seconds("length_timer", TIME_LIMIT_S, most_s=86400),
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """201, and both ids."""
        content = {"uuid": call.sid, "status": "started", "direction": "outbound"}
        return web.json_response(content | {"conversation_uuid": call.ids.others[0]}, status=201)

    def refused(self, refused: OrderRefused) -> web.Response:
        """Vonage's error, which names the parameter."""
        name = str(refused).partition(":")[0]
        return _error(refused.status, "Bad Request", str(refused), parameter=name)

    def refusal(self, refusal: Refuses) -> web.Response:
        """Vonage's error; one of 400 is about the number."""
        parameter = "to" if refusal.status == 400 else ""
        return _error(refusal.status, "Refused", refusal.message, parameter=parameter, headers=retry_headers(refusal))

    def broken(self) -> web.Response:
        """Vonage's error."""
        return _error(500, "Internal Error", "simulated")


def _one_url(fields: DialFields, content: Mapping[str, Any], name: str) -> str:
    match content.get(name):
        case [str(url)]:
            return url
    raise fields.invalid(f"{name}: expected a list of one URL, got another")


def _number(fields: DialFields, content: Mapping[str, Any], name: str) -> str:
    match content.get(name):
        case {"type": "phone", "number": str(number)} | [{"type": "phone", "number": str(number)}]:
            return fields.as_number(name, number, plus=False)
    raise fields.invalid(f"{name}: expected a phone with a number, got another")


def _call_json(call: SimulatedCall) -> dict[str, Any]:
    return {
        "uuid": call.sid,
        "conversation_uuid": call.ids.others[0],
        "status": _STATUSES.get(call.status, call.status),
        "direction": "outbound",
        "to": {"type": "phone", "number": call.to.removeprefix("+")},
        "from": {"type": "phone", "number": call.order.from_number.removeprefix("+")},
        "start_time": _time(call.answered_at),
        "end_time": _time(call.ended_at),
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _error(
    status: int, title: str, detail: str, *, parameter: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    content: dict[str, Any] = {"type": "https://developer.vonage.com/api-errors", "title": title, "detail": detail}
    if parameter:
        content["invalid_parameters"] = [{"name": parameter, "reason": detail}]
    return web.json_response(content, status=status, headers=headers)
