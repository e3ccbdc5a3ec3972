"""Twilio: a form to dial, TwiML, signed forms as callbacks; see twilio.com/docs/voice/api/call-resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from relay.dev.carrier_call import CallIds, EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream, Verb, verbs_of
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order, OrderRefused, order_of
from relay.dev.carrier_outcomes import Detection, Refuses
from relay.dev.carrier_rest import Account, Asked, Rest, asked_of, is_basic, retry_headers
from relay.dev.carrier_signature import SIGNATURE_HEADER, TwilioSeal
from relay.dev.carrier_webhooks import Message, Webhook
from relay.dev.carriers.dialect import Traits
from relay.dev.phone_wire import Call, PhoneWire, Wire

ACCOUNT_SID: Final = "AC" + 31 * "0" + "1"
AUTH_TOKEN: Final = "simulated" + 23 * "0"
API_VERSION: Final = "2010-04-01"
LIST_FILTERS: Final = {"To": "to", "From": "from", "Status": "status"}


class Twilio(TwilioSeal):
    """An account of Twilio's; and what those share who offer the same interface."""

    name = "twilio"
    title = "Twilio"
    traits = Traits()
    close_ends_call = True
    refusal_ends_call = True
    opens_on_demand = False
    deliver = None
    subprotocols: tuple[str, ...] = ()
    signature_header = SIGNATURE_HEADER
    base_path = ""
    """Before the version, in the path of the REST interface."""
    signing_key = ""

    def __init__(self, account: str = ACCOUNT_SID, secret: str = AUTH_TOKEN) -> None:
        super().__init__(self.signature_header)
        self.account = account
        self.secret = secret

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_TWILIO_ACCOUNT_SID": self.account,
            "RELAY_TWILIO_AUTH_TOKEN": self.secret,
            "RELAY_TWILIO_FROM": number,
            "RELAY_TWILIO_API_URL": api_url,
        }

    # Calls and callbacks

    def new_ids(self, order: Order) -> CallIds:
        """Twilio's."""
        sid = f"CA{uuid4().hex}"
        return CallIds(sid, sid)

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """What all webhooks have."""
        return {
            "AccountSid": call.account_sid,
            "ApiVersion": API_VERSION,
            "CallSid": call.sid,
            "CallStatus": status,
            "Direction": "outbound-api",
            "From": call.order.from_number,
            "To": call.to,
            "Caller": call.order.from_number,
            "Called": call.to,
        }

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """A status callback."""
        url = call.order.url_of(event)
        if not url:
            return None
        form = self.form(call, status) | {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(call.told),
            "Timestamp": format_datetime(datetime.now(UTC)),
        }
        if call.duration_s is not None:
            form["CallDuration"] = str(call.duration_s)
        if call.sip_code is not None:
            form[self.sip_code_field] = str(call.sip_code)
        return Message(url, form, status=status)

    sip_code_field = "SipResponseCode"

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """The result of asynchronous answering-machine detection."""
        form = {
            "AccountSid": call.account_sid,
            "CallSid": call.sid,
            "AnsweredBy": found.answered_by,
            "MachineDetectionDuration": str(round(1000 * found.after_s)),
        }
        return Message(call.order.detection_url, form)

    # What becomes of an answered call

    def answer(self, call: SimulatedCall, url: str) -> Message:
        """What asks for TwiML."""
        return Message(url, self.form(call, "in-progress"), status="in-progress")

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """TwiML."""
        return verbs_of(fetched.reply_body)

    def media_url(self, stream: Stream) -> str:
        """As it is in the document."""
        return stream.url

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """Media Streams."""
        return Wire(call)

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """Nothing: ``statusCallback`` of a ``<Stream>`` is not simulated."""
        return None

    # REST

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """The call resource."""
        return _CallResource(rest).routes(self.base_path)

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """Basic, with the account and its secret."""
        if not is_basic(request, account.account_sid, account.auth_token):
            return error(401, 20003, "Authenticate")
        if request.match_info.get("account", account.account_sid) != account.account_sid:
            return _not_found(request)
        return None

    def dialled(self, asked: Asked) -> str:
        """``To``."""
        return dict(asked.form).get("To", "")

    def read_order(self, asked: Asked) -> Order:
        """A form."""
        return order_of(asked.form)

    def placed(self, call: SimulatedCall) -> web.Response:
        """201, and the call as it is."""
        return web.json_response(call_json(call), status=201)

    def refused(self, refused: OrderRefused) -> web.Response:
        """Twilio's error."""
        return error(refused.status, refused.code, str(refused))

    def refusal(self, refusal: Refuses) -> web.Response:
        """Twilio's error."""
        return error(refusal.status, refusal.code, refusal.message, retry_headers(refusal))

    def broken(self) -> web.Response:
        """Twilio's error."""
        return error(500, 20500, "An internal server error has occurred (simulated)")


class _CallResource:
    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def routes(self, base_path: str) -> list[web.RouteDef]:
        calls = f"{base_path}/{API_VERSION}/Accounts/{{account}}/Calls"
        return [
            web.post(f"{calls}.json", self._rest.dial),
            web.get(f"{calls}.json", self.list_calls),
            web.post(f"{calls}/{{call}}.json", self.change),
            web.get(f"{calls}/{{call}}.json", self.look_up),
        ]

    async def list_calls(self, request: web.Request) -> web.StreamResponse:
        account = self._rest.account
        known = LIST_FILTERS.keys() | {"PageSize", "Page"}
        if unknown := sorted(set(request.query) - known):
            account.violations.append(f"list of calls: expected filters of {sorted(known)}, got {unknown}")
        wanted = {field: request.query[name] for name, field in LIST_FILTERS.items() if name in request.query}
        found = [call_json(call) for call in reversed(account.calls)]
        found = [call for call in found if all(call[field] == value for field, value in wanted.items())]
        page = {"page": 0, "page_size": max(50, len(found)), "start": 0, "end": max(0, len(found) - 1)}
        return web.json_response({"calls": found, **page, "next_page_uri": None, "uri": str(request.rel_url)})

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        call = self._rest.call(request)
        return _not_found(request) if call is None else web.json_response(call_json(call))

    async def change(self, request: web.Request) -> web.StreamResponse:
        form = dict((await asked_of(request)).form)
        call = self._rest.call(request)
        if call is None:
            return _not_found(request)
        if unknown := sorted(form.keys() - {"Status"}):
            call.violate(f"change of a call: expected Status, got {unknown}: unknown or not simulated")
        status = form.get("Status")
        if status not in {"completed", "canceled"}:
            return error(400, 20001, f"Status: expected completed or canceled, got {status!r}")
        if not call.is_live:
            return error(400, 21220, f"Call is not in-progress, got a call that is {call.status}")
        if status == "completed" or call.answered_at is None:  # canceled leaves a call that was answered as it is
            call.hang_up(EndedBy.RELAY)
        return web.json_response(call_json(call))


def call_json(call: SimulatedCall) -> dict[str, Any]:
    """The call resource of a call."""
    duration = None
    if call.answered_at is not None and call.ended_at is not None:
        duration = str(round((call.ended_at - call.answered_at).total_seconds()))
    return {
        "sid": call.sid,
        "account_sid": call.account_sid,
        "api_version": API_VERSION,
        "status": call.status,
        "direction": "outbound-api",
        "from": call.order.from_number,
        "to": call.to,
        "date_created": _date(call.created_at),
        "start_time": _date(call.answered_at),
        "end_time": _date(call.ended_at),
        "duration": duration,
        "uri": f"/{API_VERSION}/Accounts/{call.account_sid}/Calls/{call.sid}.json",
    }


def error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as the REST interface has it."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more_info, "status": status}
    return web.json_response(body, status=status, headers=headers)


def _date(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)


def _not_found(request: web.Request) -> web.Response:
    return error(404, 20404, f"The requested resource {request.path} was not found")
