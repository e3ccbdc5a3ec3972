"""
Exotel's Connect Voice AI: a form to dial, with the stream in it; status callbacks without a signature; no document.

Written from developer.exotel.com (connect to a voice bot, call details, status callbacks) and support.exotel.com
3000108630 alone. A call that rings cannot be ended, and nothing tells that it rings. They say that closing the stream
ends the call, and not that refusing it does: here it does not.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit
from uuid import uuid4

import orjson
from aiohttp import web

from relay.dev.carrier_call import CallIds, SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, is_basic, retry_headers
from relay.dev.carrier_webhooks import Message
from relay.dev.carriers.dial_fields import DialFields
from relay.dev.carriers.dialect import AsksForNoDocument, Traits
from relay.dev.carriers.exotel_wire import ExotelWire, local_form
from relay.dev.phone_wire import Call, PhoneWire

ACCOUNT_SID: Final = "exoaccount1"
API_KEY: Final = "exotel_api_key"
API_TOKEN: Final = "exotel_api_token"  # noqa: S105 -- of a simulated account
RING_S: Final = 30
TIME_LIMIT_S: Final = 14400
URL_MAX: Final = 599
PARAMETERS_MAX: Final = 3
PARAMETER_MAX: Final = 256
RATE_NAMES: Final = ("sample-rate", "sample_rate")
RATES_HZ: Final = {"8000": 8000, "16000": 16000, "24000": 24000}

_KNOWN: Final = (
    "From",
    "CallerId",
    "StreamUrl",
    "StreamType",
    "StreamName",
    "Record",
    "RecordingChannels",
    "TimeOut",
    "TimeLimit",
    "CustomField",
    "StatusCallback",
    "StatusCallbackContentType",
)
_EVENTS: Final = {"terminal": "completed", "answered": "answered"}
_ANSWERED_BY: Final = {"human": "HUMAN", "unknown": "NotSure"}
_INDIA: Final = timezone(timedelta(hours=5, minutes=30))


class Exotel(AsksForNoDocument):
    """
    An account of Exotel's; ``secret`` is the API token.

    Args:
        account, api_key, secret: Account SID, API key and API token.
        camel: how a stream's messages write their names; see ``ExotelWire``.
    """

    name = "exotel"
    title = "Exotel"
    traits = Traits(
        tells_ringing=False,
        tells_why=False,
        refuses_numbers=False,
        stops_ringing=False,
        says=False,
        detects=False,
        reopens=False,
    )
    close_ends_call = True
    refusal_ends_call = False
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = ()
    signing_key = ""

    def __init__(
        self, account: str = ACCOUNT_SID, secret: str = API_TOKEN, *, api_key: str = API_KEY, camel: bool = False
    ) -> None:
        self.account = account
        self.secret = secret
        self.api_key = api_key
        self._camel = camel

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_EXOTEL_ACCOUNT_SID": self.account,
            "RELAY_EXOTEL_API_KEY": self.api_key,
            "RELAY_EXOTEL_API_TOKEN": self.secret,
            "RELAY_EXOTEL_FROM": number,
            "RELAY_EXOTEL_API_URL": api_url,
        }

    # Signatures

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """No signature."""
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        return {"Content-Type": kind}

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """No signature: credentials of the URL are in the stream's own headers."""
        return {}

    # Calls and callbacks

    def new_ids(self, order: Order) -> CallIds:
        """Exotel's."""
        sid = uuid4().hex
        return CallIds(sid, sid)

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """What all callbacks have; who is called first is From."""
        now = datetime.now(UTC)
        return {
            "CallSid": call.sid,
            "Status": status,
            "DateCreated": _date(call.created_at),
            "DateUpdated": _date(now),
            "From": local_form(call.to),
            "To": local_form(call.order.from_number),
            "PhoneNumberSid": local_form(call.order.from_number),
            "Direction": "outbound-api",
            **call.order.tags,
        }

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """``answered`` and ``terminal``."""
        url = call.order.url_of(event)
        if not url or event not in _EVENTS.values():
            return None
        content: dict[str, Any] = self.form(call, status) | {"EventType": "answered"}
        if event == "completed":
            duration = str(call.duration_s or 0)
            content |= {"EventType": "terminal", "StartTime": _date(call.created_at), "EndTime": _date(call.ended_at)}
            found = "NA" if call.detected is None else _ANSWERED_BY.get(call.detected.answered_by, "Machine")
            legs = {"OnCallDuration": duration, "Status": status, "AnsweredBy": found}
            content |= {"ConversationDuration": duration, "Legs": [legs]}
        if call.order.callback_type == "application/json":
            return Message(url, body=orjson.dumps(content), status=status)
        return Message(url, _flat(content), status=status)

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """Nothing before the end."""
        return None

    # What becomes of an answered call

    def media_url(self, stream: Stream) -> str:
        """As it is in the dial, without credentials."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """AgentStream."""
        return ExotelWire(call, stream.rate_hz, camel=self._camel)

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """Nothing."""
        return None

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """Calls: placed, and looked up."""

        async def look_up(request: web.Request) -> web.StreamResponse:
            call = rest.call(request)
            return _error(404, "Not Found") if call is None else web.json_response({"Call": _call_json(call)})

        calls = "/v1/Accounts/{account}/Calls"
        return [web.post(f"{calls}/connect.json", rest.dial), web.get(f"{calls}/{{call}}.json", look_up)]

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Basic, with the API key and token."""
        if not is_basic(request, self.api_key, account.auth_token):
            return _error(401, "Unauthorized")
        if request.match_info.get("account", account.account_sid) != account.account_sid:
            return _error(404, "Not Found")
        return None

    def dialled(self, asked: Asked) -> str:
        """``From``: who is called first."""
        return dict(asked.form).get("From", "")

    def read_order(self, asked: Asked) -> Order:
        """A form."""
        form = dict(asked.form)
        told = [form.pop(name) for name in sorted(form) if name.startswith("StatusCallbackEvents[")]
        fields = DialFields(form, _KNOWN)
        if unknown := sorted(set(told) - _EVENTS.keys()):
            fields.violations.append(f"StatusCallbackEvents: expected {', '.join(_EVENTS)}, got {unknown}")
        if fields.text("StreamType") != "bidirectional":
            fields.violations.append("StreamType: expected bidirectional, got another: nothing is heard")
        if len(fields.text("CustomField")) > 128 or len(fields.text("StreamName")) > 32:
            raise fields.invalid("CustomField, StreamName: expected at most 128 and 32 characters, got more")
        return Order(
            to=fields.number("From", plus=True),
            from_number=fields.required("CallerId"),
            answer_url="",
            status_url=fields.text("StatusCallback"),
            events=frozenset(_EVENTS[event] for event in told if event in _EVENTS) or frozenset({"completed"}),
            ring_timeout_s=fields.seconds("TimeOut", RING_S, most_s=14400),
            time_limit_s=fields.seconds("TimeLimit", TIME_LIMIT_S, most_s=TIME_LIMIT_S),
            stream=_stream(fields),
            callback_type=fields.expect("StatusCallbackContentType", ("application/json",)),
            tags=MappingProxyType({"CustomField": form["CustomField"]} if "CustomField" in form else {}),
            violations=tuple(fields.violations),
        )

    def placed(self, call: SimulatedCall) -> web.Response:
        """The call: it says that it is in progress before anybody has picked up."""
        return web.json_response({"Call": _call_json(call) | {"Status": "in-progress"}})

    def refused(self, refused: OrderRefused) -> web.Response:
        """Exotel's error."""
        return _error(refused.status, str(refused))

    def refusal(self, refusal: Refuses) -> web.Response:
        """Exotel's error."""
        return _error(refusal.status, refusal.message, retry_headers(refusal))

    def broken(self) -> web.Response:
        """Exotel's error."""
        return _error(500, "internal error (simulated)")


def _stream(fields: DialFields) -> Stream:
    given = fields.required("StreamUrl")
    url = urlsplit(given)
    if url.scheme not in {"ws", "wss"} or not url.hostname:
        raise fields.invalid("StreamUrl: expected wss://, got another")
    if len(given) > URL_MAX:
        raise fields.invalid(f"StreamUrl: expected at most {URL_MAX} characters, got {len(given)}")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    rates = [query[name] for name in RATE_NAMES if name in query]
    parameters = {name: value for name, value in query.items() if name not in RATE_NAMES}
    if len(parameters) > PARAMETERS_MAX or any(len(value) > PARAMETER_MAX for value in parameters.values()):
        raise fields.invalid(f"StreamUrl: expected at most {PARAMETERS_MAX} parameters of {PARAMETER_MAX} characters")
    if rates and rates[0] not in RATES_HZ:
        raise fields.invalid(f"StreamUrl: expected a rate of {', '.join(RATES_HZ)}, got {rates[0]!r}")
    headers = {}
    if url.username is not None:
        credentials = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode("ascii")
    host = url.netloc.rpartition("@")[2]
    return Stream(
        urlunsplit((url.scheme, host, url.path, url.query, "")),
        MappingProxyType(parameters),
        headers=MappingProxyType(headers),
        encoding="l16le",
        rate_hz=RATES_HZ[rates[0]] if rates else 8000,
    )


def _call_json(call: SimulatedCall) -> dict[str, Any]:
    return {
        "Sid": call.sid,
        "AccountSid": call.account_sid,
        "Status": "in-progress" if call.status == "ringing" else call.status,
        "From": local_form(call.to),
        "To": local_form(call.order.from_number),
        "PhoneNumberSid": local_form(call.order.from_number),
        "Direction": "outbound-api",
        "DateCreated": _date(call.created_at),
        "StartTime": _date(call.answered_at),
        "EndTime": _date(call.ended_at),
    }


def _flat(content: Mapping[str, Any]) -> dict[str, str]:
    flat = {name: str(value) for name, value in content.items() if name != "Legs"}
    for number, leg in enumerate(content.get("Legs", ())):
        flat |= {f"Legs[{number}][{name}]": value for name, value in leg.items()}
    return flat


def _date(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(_INDIA).strftime("%Y-%m-%d %H:%M:%S")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    content = {"RestException": {"Status": status, "Message": message, "Code": 0}}
    return web.json_response(content, status=status, headers=headers)
