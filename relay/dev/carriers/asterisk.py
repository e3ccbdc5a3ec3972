"""
An Asterisk with chan_websocket: calls over ARI, its events over a WebSocket, media that the relay asks for.

Written from rest-api/api-docs of asterisk/asterisk and docs.asterisk.org alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import orjson
from aiohttp import web

from relay.dev.carrier_call import CallIds, SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, is_basic, retry_headers
from relay.dev.carrier_webhooks import Deliver, Message
from relay.dev.carriers.asterisk_channels import AriApplication, basic, channel_json, event_json
from relay.dev.carriers.asterisk_wire import AsteriskWire
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import AsksForNoDocument, Traits
from relay.dev.phone_wire import Call, PhoneWire

USER: Final = "relay"
PASSWORD: Final = "s3cret-of-ari"  # noqa: S105 -- of a simulated Asterisk
MEDIA_USER: Final = "relay-media"
MEDIA_PASSWORD: Final = "s3cret-of-media"  # noqa: S105 -- of a simulated Asterisk
RING_S: Final = 30

DTMF: Final = "0123456789*#ABCD"
_KNOWN: Final = ("endpoint", "app", "appArgs", "callerId", "timeout", "channelId", "formats", "originator")
_ENDPOINT: Final = re.compile(r"PJSIP/\+?([0-9]+)@[A-Za-z0-9_-]+")
_STATES: Final = {"queued": "Down", "ringing": "Ringing", "in-progress": "Up"}
_CAUSES: Final = {  # by Twilio's status: Q.850
    "completed": (16, "Normal Clearing"),
    "canceled": (16, "Normal Clearing"),
    "busy": (17, "User busy"),
    "no-answer": (19, "User alerting, no answer"),
    "failed": (31, "Normal, unspecified"),
}
_FAILED: Final = {  # by SIP's code
    404: (1, "Unallocated (unassigned) number"),
    503: (34, "Circuit/channel congestion"),
    603: (21, "Call Rejected"),
}


class Asterisk(AsksForNoDocument):
    """
    An Asterisk; ``account`` and ``secret`` are a user of ari.conf.

    ``relay_url`` is what websocket_client.conf leads to: the relay's origin.
    """

    name = "asterisk"
    title = "Asterisk"
    traits = Traits(refuses_numbers=False, says=False, detects=False)
    close_ends_call = False
    refusal_ends_call = True
    opens_on_demand = True
    subprotocols: tuple[str, ...] = ("media",)
    signing_key = ""

    def __init__(self, account: str = USER, secret: str = PASSWORD) -> None:
        self.account = account
        self.secret = secret
        self.relay_url = ""
        self._application = AriApplication(self.stream_of)
        self.deliver: Deliver | None = self._application.say

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_ASTERISK_ARI_URL": f"{api_url}/ari",
            "RELAY_ASTERISK_ARI_USER": self.account,
            "RELAY_ASTERISK_ARI_PASSWORD": self.secret,
            "RELAY_ASTERISK_ENDPOINT": "PJSIP/{number}@trunk",
            "RELAY_ASTERISK_MEDIA_USER": MEDIA_USER,
            "RELAY_ASTERISK_MEDIA_PASSWORD": MEDIA_PASSWORD,
            "RELAY_ASTERISK_FROM": number,
        }

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """No webhooks."""
        return {}

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """No signature: the credentials of websocket_client.conf are in the stream's own headers."""
        return {}

    def left_over(self) -> Sequence[str]:
        """Channels of media, and bridges."""
        return self._application.left_over()

    # Calls and events

    def new_ids(self, order: Order) -> CallIds:
        """What the relay has chosen."""
        self._application.take(order.call_id)
        return CallIds(order.call_id, order.call_id)

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """Nothing is the same in all events but the channel."""
        return {"id": call.sid}

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """The channel's states, and that it is in the application's hands once it is answered."""
        match event:
            case "initiated":
                said = [event_json("ChannelCreated", call.sid, "Down")]
            case "ringing":
                said = [event_json("ChannelStateChange", call.sid, "Ringing")]
            case "answered":
                said = [event_json("ChannelStateChange", call.sid, "Up"), event_json("StasisStart", call.sid, "Up")]
            case _:
                cause, text = _FAILED.get(call.sip_code or 0, _CAUSES[status])
                state = "Down" if call.answered_at is None else "Up"
                said = [event_json("ChannelDestroyed", call.sid, state, cause=cause, cause_txt=text)]
                self._application.forget(call.sid)
        return Message("", body=b"\n".join(map(orjson.dumps, said)), status=status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """ARI finds no machines."""
        return None

    # What becomes of an answered call

    def media_url(self, stream: Stream) -> str:
        """That of websocket_client.conf, with the call's own query."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """chan_websocket."""
        return AsteriskWire(call, stream.options["format"], channel_id=stream.options["channel_id"])

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """The media's channel is in the application's hands when it is connected, and gone at its end."""
        channel_id = stream.options["channel_id"]
        if news == "opened":
            self._application.connected(channel_id)
            said = event_json("StasisStart", channel_id, "Up")
        else:
            if news == "closed" and call.is_live and not self._application.was_joined(channel_id):
                call.violate(f"bridge: expected media {channel_id} to be joined with its phone, got none")
            self._application.gone(channel_id)
            cause = 16 if news == "closed" else 3
            said = event_json("ChannelDestroyed", channel_id, "Up", cause=cause, cause_txt="")
        return Message("", body=orjson.dumps(said))

    def stream_of(self, query: Mapping[str, str]) -> Stream:
        """
        What a request for ``externalMedia`` asks for.

        Raises:
            ValueError: it cannot be opened so.
        """
        wanted = {"transport": "websocket", "encapsulation": "none"}
        if any(query.get(name) != value for name, value in wanted.items()):
            raise ValueError(f"externalMedia: expected {wanted}, got another transport")
        found = re.fullmatch(r"f\(json\)v\((.*)\)", query.get("transport_data", ""))
        if found is None:
            raise ValueError(f"transport_data: expected f(json)v(...), got {query.get('transport_data')!r}")
        return Stream(
            f"{self.relay_url.replace('http', 'ws', 1)}/carriers/asterisk/media?{found[1].replace(',', '&')}",
            headers=MappingProxyType({"Authorization": basic(MEDIA_USER, MEDIA_PASSWORD)}),
            options=MappingProxyType({"format": query.get("format", ""), "channel_id": query.get("channelId", "")}),
        )

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """Channels, bridges and events."""

        async def send_dtmf(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            if call is None or not call.is_live:
                return _error(404, "Channel not found")
            if not call.hear(request.query.get("dtmf"), DTMF):
                return _error(400, "DTMF is required")
            return web.Response(status=204)

        own = [web.post("/ari/channels", rest.dial), web.post("/ari/channels/{call}/dtmf", send_dtmf)]
        return [*own, *self._application.routes(rest, _state_of)]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Basic."""
        if is_basic(request, account.account_sid, account.auth_token):
            return None
        return _error(401, "Authentication required")

    def dialled(self, asked: Asked) -> str:
        """The number in the endpoint."""
        found = _ENDPOINT.fullmatch(asked.query.get("endpoint", ""))
        return f"+{found[1]}" if found else ""

    def read_order(self, asked: Asked) -> Order:
        """The query, with variables in the body."""
        fields = DialFields(asked.query, _KNOWN)
        call_id = fields.required("channelId")
        if self._application.has(call_id):
            raise OrderRefused(0, "Channel with given unique ID already exists", status=409)
        variables = asked.json.get("variables", {})
        longest = str(variables.get("TIMEOUT(absolute)", "86400")) if isinstance(variables, dict) else "86400"
        if fields.required("app") != self._application.name:
            fields.violations.append("app: expected one whose events are heard, got another")
        return Order(
            to=fields.as_number("endpoint", self.dialled(asked), plus=True),
            from_number=fields.required("callerId"),
            answer_url="",
            ring_timeout_s=fields.seconds("timeout", RING_S, most_s=86400),
            time_limit_s=int(longest) if longest.isdecimal() else 86400,
            call_id=call_id,
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """The channel."""
        return web.json_response(channel_json(call.sid, "Down"))

    def refused(self, refused: OrderRefused) -> web.Response:
        """ARI's error."""
        return _error(refused.status, str(refused))

    def refusal(self, refusal: Refuses) -> web.Response:
        """ARI's error."""
        return _error(refusal.status, refusal.message, retry_headers(refusal))

    def broken(self) -> web.Response:
        """ARI's error."""
        return _error(500, "Allocation failed")


def _state_of(call: SimulatedCall) -> str:
    return _STATES.get(call.status, "Down")


def _error(status: int, message: str, headers: Mapping[str, Any] | None = None) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)
