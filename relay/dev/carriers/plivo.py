"""
Plivo: JSON to dial, a request UUID before the call's own, Plivo XML, forms signed with V3.

Written from plivo.com/docs/voice (the call resource, the XML ``<Stream>``, signature validation) alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from relay.dev.carrier_call import CallIds, EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream, Verb, read_response
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, is_basic, retry_headers
from relay.dev.carrier_webhooks import Message, Webhook
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import Traits
from relay.dev.carriers.plivo_document import PLIVO_XML
from relay.dev.carriers.plivo_signature import NONCE_HEADER, SIGNATURE_HEADER, signature_of
from relay.dev.carriers.plivo_wire import PlivoWire
from relay.dev.phone_wire import Call, PhoneWire

AUTH_ID: Final = "MA" + 17 * "0" + "1"
AUTH_TOKEN: Final = "simulatedplivo" + 26 * "0"
RING_S: Final = 120
TIME_LIMIT_S: Final = 14400

_KNOWN: Final = (
    "from",
    "to",
    "answer_url",
    "answer_method",
    "ring_url",
    "ring_method",
    "hangup_url",
    "hangup_method",
    "ring_timeout",
    "time_limit",
    "machine_detection",
    "machine_detection_time",
    "machine_detection_url",
    "machine_detection_method",
    "machine_detection_maximum_speech_length",
    "machine_detection_initial_silence",
    "machine_detection_maximum_words",
    "machine_detection_initial_greeting",
    "machine_detection_silence",
)
_ENDS: Final = {  # by Twilio's status: CallStatus, HangupCause, HangupCauseName, HangupCauseCode
    "completed": ("completed", "NORMAL_CLEARING", "Normal Hangup", "4000"),
    "busy": ("busy", "USER_BUSY", "Busy Line", "3010"),
    "no-answer": ("no-answer", "NO_ANSWER", "No Answer", "3000"),
    "canceled": ("cancel", "ORIGINATOR_CANCEL", "Cancelled", "1000"),
    "failed": ("failed", "NORMAL_UNSPECIFIED", "Unknown", "0"),
}
_FAILED: Final = {  # by SIP's code
    404: ("failed", "UNALLOCATED_NUMBER", "Unallocated number", "3050"),
    503: ("failed", "NORMAL_CIRCUIT_CONGESTION", "Network congestion from carrier", "3090"),
    603: ("failed", "CALL_REJECTED", "Rejected", "3020"),
}
_SOURCES: Final = {EndedBy.RELAY: "API Request", EndedBy.AGENT: "Callee"}
_STREAM_EVENTS: Final = {"opened": "StartStream", "closed": "StopStream", "failed": "DroppedStream"}


class Plivo:
    """
    An account of Plivo's.

    Args:
        account, secret: Auth ID and Auth Token.
        forgets_requests: a request is not found any longer when its phone rings, and the call has its UUID. What Plivo
            does its pages do not say.
        signs_upgrade_as: how the URL that a media stream's upgrade is signed for begins, ``wss`` or ``https``: which it
            is with Plivo itself its pages do not say. None: as the document has it.
    """

    name = "plivo"
    title = "Plivo"
    traits = Traits(refuses_numbers=False)
    close_ends_call = True
    refusal_ends_call = True
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = ()
    signing_key = ""

    def __init__(
        self,
        account: str = AUTH_ID,
        secret: str = AUTH_TOKEN,
        *,
        forgets_requests: bool = False,
        signs_upgrade_as: str | None = None,
    ) -> None:
        self._forgets_requests = forgets_requests
        self.account = account
        self.secret = secret
        self._signs_upgrade_as = signs_upgrade_as

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_PLIVO_AUTH_ID": self.account,
            "RELAY_PLIVO_AUTH_TOKEN": self.secret,
            "RELAY_PLIVO_FROM": number,
            "RELAY_PLIVO_API_URL": api_url,
        }

    # Signatures

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """The headers of a form."""
        nonce = _nonce()
        return {
            SIGNATURE_HEADER: signature_of("POST", url, form.items(), nonce=nonce, auth_token=secret),
            NONCE_HEADER: nonce,
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """The headers of a media stream's upgrade."""
        nonce = _nonce()
        scheme, _, place = url.partition(":")
        signed = f"{self._signs_upgrade_as or scheme}:{place}"
        return {SIGNATURE_HEADER: signature_of("GET", signed, nonce=nonce, auth_token=secret), NONCE_HEADER: nonce}

    # Calls and callbacks

    def new_ids(self, order: Order) -> CallIds:
        """One that the dial is answered with, and the call's own."""
        request = str(uuid4())
        return CallIds(request if self._forgets_requests else str(uuid4()), request)

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """What all webhooks have; numbers are without +."""
        return {
            "CallUUID": call.sid,
            "From": call.order.from_number.removeprefix("+"),
            "To": call.to.removeprefix("+"),
            "Direction": "outbound",
            "ALegUUID": call.sid,
            "ALegRequestUUID": call.ids.placed,
            "RequestUUID": call.ids.placed,
            "CallStatus": _ENDS.get(status, (status,))[0],
        }

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """Ringing and the end have a URL each; that it was answered, the request for the document says."""
        url = call.order.event_urls.get(event, "")
        if not url:
            return None
        form = self.form(call, status)
        if event == "ringing":
            return Message(url, form | {"Event": "Ring"}, status=status)
        said, cause, name, code = _FAILED.get(call.sip_code or 0, _ENDS[status])
        form |= {"Event": "Hangup", "CallStatus": said, "Duration": str(call.duration_s or 0)}
        form |= {"BillDuration": str(60 * -(-(call.duration_s or 0) // 60)), "HangupCause": cause}
        form |= {"HangupCauseName": name, "HangupCauseCode": code}
        source = "Plivo" if call.hung_up_by is None else _SOURCES.get(call.hung_up_by, "Plivo")
        return Message(url, form | {"HangupSource": source}, status=status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """The result of asynchronous detection."""
        machine = "true" if found.answered_by.startswith("machine") or found.answered_by == "fax" else "false"
        form = self.form(call, "in-progress") | {"Event": "MachineDetection", "Machine": machine}
        return Message(call.order.detection_url, form | {"IfMachine": "continue"})

    # What becomes of an answered call

    def answer(self, call: SimulatedCall, url: str) -> Message:
        """What asks for XML."""
        return Message(url, self.form(call, "in-progress") | {"Event": "StartApp"}, status="in-progress")

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """Plivo XML."""
        return read_response(fetched.reply_body, PLIVO_XML)

    def media_url(self, stream: Stream) -> str:
        """As it is in the document."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """Audio Streaming."""
        return PlivoWire(call, stream.encoding, stream.rate_hz)

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """The ``statusCallbackUrl`` of a ``<Stream>``."""
        url = stream.options.get("statusCallbackUrl", "")
        form = self.form(call, "in-progress") | {"Event": _STREAM_EVENTS[news]}
        return Message(url, form) if url else None

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """The call resource, and that of requests that were not answered yet."""

        async def hang_up(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            if call is None or not call.is_live:
                return _error(404, "not found")
            call.hang_up(EndedBy.RELAY)
            return web.Response(status=204)

        async def cancel(request: web.Request) -> web.StreamResponse:
            placed = request.match_info["request"]
            call = next((call for call in rest.account.calls if call.ids.placed == placed), None)
            # Of one that was answered Plivo's pages say nothing: it may be that nothing is found.
            is_forgotten = self._forgets_requests and call is not None and call.status == "ringing"
            if call is None or not call.is_live or call.answered_at is not None or is_forgotten:
                return _error(404, "not found")
            call.hang_up(EndedBy.RELAY)
            return web.Response(status=204)

        account = "/v1/Account/{account}"
        return [
            web.post(f"{account}/Call/", rest.dial),
            web.delete(f"{account}/Call/{{call}}/", hang_up),
            web.delete(f"{account}/Request/{{request}}/", cancel),
        ]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Basic."""
        if not is_basic(request, account.account_sid, account.auth_token):
            return _error(401, "authentication failed (simulated)")
        if request.match_info.get("account", account.account_sid) != account.account_sid:
            return _error(404, "not found")
        return None

    def dialled(self, asked: Asked) -> str:
        """``to``, with a +."""
        to = str(_fields(asked).get("to", ""))
        return to if to.startswith("+") or not to else f"+{to}"

    def read_order(self, asked: Asked) -> Order:
        """JSON, or a form."""
        fields = DialFields(_fields(asked), _KNOWN)
        fields.post_only("answer_method", "ring_method", "hangup_method", "machine_detection_method")
        urls = {"ringing": fields.text("ring_url"), "completed": fields.text("hangup_url")}
        detection = fields.expect("machine_detection", ("true",), "")
        if fields.text("machine_detection_url") and not detection:
            fields.violations.append("machine_detection: expected true with machine_detection_url, got none")
        return Order(
            to=fields.number("to", plus=False),
            from_number=fields.number("from", plus=False),
            answer_url=fields.required("answer_url"),
            event_urls=MappingProxyType({event: url for event, url in urls.items() if url}),
            detection_url=fields.text("machine_detection_url") if detection else "",
            detection_timeout_s=_detection_s(fields),
            ring_timeout_s=fields.seconds("ring_timeout", RING_S, most_s=3600),
            time_limit_s=fields.seconds("time_limit", TIME_LIMIT_S, most_s=86400),
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """201, and no call UUID yet."""
        content = {"api_id": str(uuid4()), "message": "call fired", "request_uuid": call.ids.placed}
        return web.json_response(content, status=201)

    def refused(self, refused: OrderRefused) -> web.Response:
        """Plivo's error."""
        return _error(refused.status, str(refused))

    def refusal(self, refusal: Refuses) -> web.Response:
        """Plivo's error."""
        return _error(refusal.status, refusal.message, retry_headers(refusal))

    def broken(self) -> web.Response:
        """Plivo's error."""
        return _error(500, "internal error (simulated)")


def _detection_s(fields: DialFields) -> float:
    return fields.seconds("machine_detection_time", 5000, least_s=2000, most_s=10_000, unit="ms") / 1000


def _nonce() -> str:
    return f"{random.getrandbits(66):020d}"[-20:]


def _fields(asked: Asked) -> Mapping[str, Any]:
    return asked.json if asked.content_type == "application/json" else dict(asked.form)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"api_id": str(uuid4()), "error": message}, status=status, headers=headers)
