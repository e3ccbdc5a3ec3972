"""
Telnyx Call Control: JSON to dial, with the stream in it, and JSON events signed with ed25519; no document.

Written from developers.telnyx.com (calls, webhooks, media streaming over WebSockets) alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from relay.dev.carrier_call import CallIds, EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, asked_of, has_authorization, retry_headers
from relay.dev.carrier_webhooks import Message
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import AsksForNoDocument, Traits
from relay.dev.carriers.telnyx_order import TOKEN_HEADER, detection_s, is_base64, stream_of
from relay.dev.carriers.telnyx_signature import SEED, SIGNATURE_HEADER, TIMESTAMP_HEADER, public_key_of, signature_of
from relay.dev.carriers.telnyx_wire import TelnyxWire
from relay.dev.phone_wire import Call, PhoneWire

CONNECTION_ID: Final = "1234567890"
API_KEY: Final = "KEYsimulated"
RING_S: Final = 30
TIME_LIMIT_S: Final = 14400
EVENTS: Final = frozenset({"initiated", "answered", "completed"})
"""That it rings, no webhook of the calls' page tells."""
INVALID_NUMBER: Final = 10016
ENDED: Final = 90018
DTMF: Final = "0123456789ABCD*#wW"

_KNOWN: Final = (
    "connection_id",
    "to",
    "from",
    "webhook_url",
    "webhook_url_method",
    "client_state",
    "command_id",
    "timeout_secs",
    "time_limit_secs",
    "answering_machine_detection",
    "answering_machine_detection_config",
    "stream_url",
    "stream_track",
    "stream_codec",
    "stream_bidirectional_mode",
    "stream_bidirectional_codec",
    "stream_bidirectional_sampling_rate",
    "stream_auth_token",
    "stream_bidirectional_target_legs",
    "stream_establish_before_call_originate",
    "send_silence_when_idle",
)
_DETECTS: Final = ("premium", "detect", "detect_beep", "detect_words", "greeting_end", "disabled")
_FOUND: Final = {"human": ("human", "human_residence"), "fax": ("machine", "fax_detected")}
_CAUSES: Final = {  # by Twilio's status: hangup_cause, sip_hangup_cause
    "completed": ("normal_clearing", "200"),
    "busy": ("user_busy", "486"),
    "no-answer": ("timeout", "487"),
    "canceled": ("originator_cancel", "487"),
    "failed": ("unspecified", "403"),
}
_FAILED: Final = {404: ("not_found", "404"), 503: ("unspecified", "503"), 603: ("call_rejected", "603")}
_SOURCES: Final = {EndedBy.RELAY: "caller", EndedBy.AGENT: "callee"}
_STREAM_EVENTS: Final = {"opened": "streaming.started", "closed": "streaming.stopped", "failed": "streaming.failed"}


class Telnyx(AsksForNoDocument):
    """A connection of Telnyx's, with an API key and the key that its webhooks are signed with."""

    name = "telnyx"
    title = "Telnyx"
    traits = Traits(tells_ringing=False, says=False, reopens=False)
    close_ends_call = False
    refusal_ends_call = True
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = ()

    def __init__(self, account: str = CONNECTION_ID, secret: str = API_KEY, signing_key: str = SEED) -> None:
        self.account = account
        self.secret = secret
        self.signing_key = signing_key

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_TELNYX_CONNECTION_ID": self.account,
            "RELAY_TELNYX_API_KEY": self.secret,
            "RELAY_TELNYX_PUBLIC_KEY": public_key_of(self.signing_key),
            "RELAY_TELNYX_FROM": number,
            "RELAY_TELNYX_API_URL": api_url,
        }

    # Signatures

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """The headers of an event."""
        timestamp = str(int(time.time()))
        return {
            SIGNATURE_HEADER: signature_of(timestamp, body, seed=secret),
            TIMESTAMP_HEADER: timestamp,
            "Content-Type": "application/json",
        }

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """Nothing: the token of the dial is in the stream's own headers."""
        return {}

    # Calls and events

    def new_ids(self, order: Order) -> CallIds:
        """Control id, leg id and session id."""
        control_id = "v3:" + secrets.token_urlsafe(40)
        return CallIds(control_id, control_id, (str(uuid4()), str(uuid4())))

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """The payload that all events have."""
        leg_id, session_id = call.ids.others
        payload = {"call_control_id": call.sid, "call_leg_id": leg_id, "call_session_id": session_id}
        payload |= {"connection_id": call.account_sid, "from": call.order.from_number, "to": call.to}
        return payload | dict(call.order.tags)

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """``call.initiated``, ``call.answered`` and ``call.hangup``."""
        if event == "initiated":
            return self._event(call, "call.initiated", {"state": "bridging", "direction": "outgoing"}, status)
        if event == "answered":
            return self._event(call, "call.answered", {"state": "answered"}, status)
        if event != "completed":
            return None
        cause, sip_code = _FAILED.get(call.sip_code or 0, _CAUSES[status])
        if call.hung_up_by is EndedBy.TIME_LIMIT:
            cause = "time_limit"
        source = "unknown" if call.hung_up_by is None else _SOURCES.get(call.hung_up_by, "unknown")
        payload = {"state": "hangup", "hangup_cause": cause, "hangup_source": source, "sip_hangup_cause": sip_code}
        return self._event(call, "call.hangup", payload, status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """``call.machine.detection.ended``, or the premium one."""
        premium = call.order.detection_url == "premium"
        plain, better = _FOUND.get(found.answered_by, ("machine", "machine"))
        if found.answered_by == "unknown":
            plain = better = "not_sure"
        event = "call.machine.premium.detection.ended" if premium else "call.machine.detection.ended"
        return self._event(call, event, {"result": better if premium else plain}, "")

    def _event(self, call: SimulatedCall, event: str, payload: Mapping[str, Any], status: str) -> Message | None:
        url = call.order.status_url
        if not url:
            return None
        data = {
            "event_type": event,
            "id": str(uuid4()),
            "occurred_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "payload": {**self.form(call, status), **payload},
            "record_type": "event",
        }
        body = orjson.dumps({"data": data, "meta": {"attempt": 1, "delivered_to": url}})
        return Message(url, body=body, status=status)

    # What becomes of an answered call

    def media_url(self, stream: Stream) -> str:
        """As it is in the dial."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """Media streaming, both ways, as ``rtp``."""
        return TelnyxWire(
            call,
            stream.encoding,
            stream.rate_hz,
            token=stream.headers.get(TOKEN_HEADER, ""),
            client_state=stream.options.get("client_state", ""),
        )

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """``streaming.started``, ``streaming.stopped`` and ``streaming.failed``."""
        payload: dict[str, Any] = {"stream_params": {"stream_url": stream.url}}
        if news == "failed":
            payload["failure_reason"] = "connection_failed"
        return self._event(call, _STREAM_EVENTS[news], payload, "")

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """Calls, and the two actions that are simulated."""

        async def list_active(_: web.Request) -> web.StreamResponse:
            calls = [_active_json(call) for call in rest.account.calls if call.is_live]
            meta = {
                "total_items": len(calls),
                "cursors": {"after": None, "before": None},
                "next": None,
                "previous": None,
            }
            return web.json_response({"data": calls, "meta": meta})

        async def hang_up(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            if call is None:
                return _error(404, 10005, "Resource not found")
            if not call.is_live:
                return _error(422, ENDED, "Call has already ended")
            call.hang_up(EndedBy.RELAY)
            return web.json_response({"data": {"result": "ok"}})

        async def send_dtmf(request: web.Request) -> web.StreamResponse:
            call, asked = rest.call(request), (await asked_of(request)).json
            if call is None:
                return _error(404, 10005, "Resource not found")
            if not call.is_live:
                return _error(422, ENDED, "Call has already ended")
            if asked.keys() - {"digits", "duration_millis"} or not call.hear(asked.get("digits"), DTMF):
                return _error(422, 10004, "digits", pointer="/digits")
            return web.json_response({"data": {"result": "ok"}})

        return [
            web.post("/v2/calls", rest.dial),
            web.post("/v2/calls/{call}/actions/send_dtmf", send_dtmf),
            web.post("/v2/calls/{call}/actions/hangup", hang_up),
            web.get(f"/v2/connections/{self.account}/active_calls", list_active),
        ]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Bearer."""
        if has_authorization(request, f"Bearer {account.auth_token}"):
            return None
        return _error(401, 10009, "Authentication failed")

    def dialled(self, asked: Asked) -> str:
        """``to``."""
        return str(asked.json.get("to", ""))

    def read_order(self, asked: Asked) -> Order:
        """JSON."""
        fields = DialFields(asked.json, _KNOWN, codes=(10004, INVALID_NUMBER), status=422)
        if fields.required("connection_id") != self.account:
            raise fields.invalid("connection_id: expected the account's own, got another")
        fields.post_only("webhook_url_method")
        detects = fields.expect("answering_machine_detection", _DETECTS, "disabled")
        client_state = fields.text("client_state")
        if not is_base64(client_state):
            raise fields.invalid(f"client_state: expected base64, got {client_state[:20]!r}")
        return Order(
            to=fields.number("to", plus=True),
            from_number=fields.number("from", plus=True),
            answer_url="",
            status_url=fields.text("webhook_url"),
            events=EVENTS,
            detection_url="" if detects == "disabled" else detects,
            detection_timeout_s=detection_s(asked),
            ring_timeout_s=fields.seconds("timeout_secs", RING_S, least_s=5, most_s=600),
            time_limit_s=fields.seconds("time_limit_secs", TIME_LIMIT_S, least_s=30, most_s=14400),
            stream=stream_of(fields, client_state),
            tags=MappingProxyType({"client_state": client_state} if client_state else {}),
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """The three ids."""
        leg_id, session_id = call.ids.others
        data = {"call_control_id": call.sid, "call_leg_id": leg_id, "call_session_id": session_id}
        return web.json_response({"data": {**data, "is_alive": False, "record_type": "call"}})

    def refused(self, refused: OrderRefused) -> web.Response:
        """Telnyx's error."""
        return _error(refused.status, refused.code, str(refused), pointer=f"/{str(refused).partition(':')[0]}")

    def refusal(self, refusal: Refuses) -> web.Response:
        """Telnyx's error; a number that cannot be dialled is 422."""
        if refusal.status == 400:
            return _error(422, INVALID_NUMBER, refusal.message, pointer="/to")
        return _error(refusal.status, 10011, refusal.message, headers=retry_headers(refusal))

    def broken(self) -> web.Response:
        """Telnyx's error."""
        return _error(500, 10007, "Unexpected error (simulated)")


def _active_json(call: SimulatedCall) -> dict[str, Any]:
    leg_id, session_id = call.ids.others
    ids = {"call_control_id": call.sid, "call_leg_id": leg_id, "call_session_id": session_id}
    return {**ids, **call.order.tags, "call_duration": 0, "record_type": "call"}


def _error(
    status: int, code: int, title: str, *, pointer: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    error = {"code": str(code), "title": title, "detail": title, "source": {"pointer": pointer}}
    return web.json_response({"errors": [error]}, status=status, headers=headers)
