"""The simulated carrier's REST interface, as Twilio's: calls are placed, looked up, listed and ended."""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web

from relay.dev.carrier_call import API_VERSION, EndedBy, SimulatedCall
from relay.dev.carrier_order import Order, OrderRefused, order_of
from relay.dev.carrier_outcomes import Accepts, LosesReply, Loss, Outcome, Refuses

LIST_FILTERS: Final = {"To": "to", "From": "from", "Status": "status"}
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Account(Protocol):
    """Whose calls these are."""

    account_sid: str
    auth_token: str
    calls: list[SimulatedCall]
    dial_requests: list[str]
    violations: list[str]

    def outcome(self, to: str) -> Outcome:
        """What happens to a number."""

    def place(self, order: Order) -> SimulatedCall:
        """Place a call."""

    def noticed(self) -> None:
        """Something was asked for."""


def application(account: Account) -> web.Application:
    """The web application that serves one account."""
    rest = _Rest(account)
    app = web.Application(middlewares=[rest.authorise])
    calls = f"/{API_VERSION}/Accounts/{{account}}/Calls"
    app.add_routes(
        [
            web.post(f"{calls}.json", rest.dial),
            web.get(f"{calls}.json", rest.list_calls),
            web.post(f"{calls}/{{call}}.json", rest.change),
            web.get(f"{calls}/{{call}}.json", rest.look_up),
        ]
    )
    return app


class _Rest:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._refused: Counter[str] = Counter()

    @web.middleware
    async def authorise(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        credentials = f"{self._account.account_sid}:{self._account.auth_token}".encode()
        expected = b"Basic " + base64.b64encode(credentials)
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected, given):
            return _error(401, 20003, "Authenticate")
        if request.match_info.get("account", self._account.account_sid) != self._account.account_sid:
            return _error(404, 20404, f"The requested resource {request.path} was not found")
        return await handler(request)

    async def dial(self, request: web.Request) -> web.StreamResponse:
        form = await _form_of(request)
        to = dict(form).get("To", "")
        self._account.dial_requests.append(to)
        try:
            order = order_of(form)
        except OrderRefused as refused:
            return _error(400, refused.code, str(refused))
        finally:
            self._account.noticed()
        reply = self._account.outcome(to).reply
        if isinstance(reply, Refuses) and (reply.times is None or self._refused[to] < reply.times):
            self._refused[to] += 1
            return _refusal(reply)
        if isinstance(reply, LosesReply):
            if reply.places_call:
                self._account.place(order)
            return await _lose(request, reply.how)
        queued = _call_json(self._account.place(order))
        await asyncio.sleep(reply.late_s if isinstance(reply, Accepts) else 0)
        return web.json_response(queued, status=201)

    async def list_calls(self, request: web.Request) -> web.StreamResponse:
        known = LIST_FILTERS.keys() | {"PageSize", "Page"}
        if unknown := sorted(set(request.query) - known):
            self._account.violations.append(f"list of calls: expected filters of {sorted(known)}, got {unknown}")
        wanted = {field: request.query[name] for name, field in LIST_FILTERS.items() if name in request.query}
        found = [_call_json(call) for call in reversed(self._account.calls)]
        found = [call for call in found if all(call[field] == value for field, value in wanted.items())]
        page = {"page": 0, "page_size": max(50, len(found)), "start": 0, "end": max(0, len(found) - 1)}
        return web.json_response({"calls": found, **page, "next_page_uri": None, "uri": str(request.rel_url)})

    async def look_up(self, request: web.Request) -> web.StreamResponse:
        call = self._call(request)
        return _not_found(request) if call is None else web.json_response(_call_json(call))

    async def change(self, request: web.Request) -> web.StreamResponse:
        form = dict(await _form_of(request))
        call = self._call(request)
        if call is None:
            return _not_found(request)
        if unknown := sorted(form.keys() - {"Status"}):
            call.violate(f"change of a call: expected Status, got {unknown}: unknown or not simulated")
        status = form.get("Status")
        if status not in {"completed", "canceled"}:
            return _error(400, 20001, f"Status: expected completed or canceled, got {status!r}")
        if not call.is_live:
            return _error(400, 21220, f"Call is not in-progress, got a call that is {call.status}")
        if status == "completed" or call.answered_at is None:  # canceled leaves a call that was answered as it is
            call.hang_up(EndedBy.RELAY)
        return web.json_response(_call_json(call))

    def _call(self, request: web.Request) -> SimulatedCall | None:
        sid = request.match_info["call"]
        return next((call for call in self._account.calls if call.sid == sid), None)


async def _form_of(request: web.Request) -> list[tuple[str, str]]:
    return parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True)


def _call_json(call: SimulatedCall) -> dict[str, Any]:
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


def _date(at: datetime | None) -> str | None:
    return None if at is None else format_datetime(at)


def _error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more_info, "status": status}
    return web.json_response(body, status=status, headers=headers)


def _not_found(request: web.Request) -> web.Response:
    return _error(404, 20404, f"The requested resource {request.path} was not found")


def _refusal(refusal: Refuses) -> web.Response:
    headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
    return _error(refusal.status, refusal.code, refusal.message, headers)


async def _lose(request: web.Request, how: Loss) -> web.StreamResponse:
    match how:
        case Loss.ERROR_500:
            return _error(500, 20500, "An internal server error has occurred (simulated)")
        case Loss.HANG:
            await asyncio.get_running_loop().create_future()  # until the client goes, or the carrier closes
        case Loss.RESET:
            if request.transport is not None:
                linger = struct.pack("ii", 1, 0)  # 0 s: what is closed is reset
                request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.transport.abort()
    return web.Response()  # goes nowhere
