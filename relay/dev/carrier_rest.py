"""The simulated carrier's REST interface, as far as all carriers have one: calls are placed, looked up and ended."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web

from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_order import Order, OrderRefused
from relay.dev.carrier_outcomes import Accepts, LosesReply, Loss, Outcome, Refuses

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


@dataclass(frozen=True, slots=True)
class Asked:
    """The body of a request, as the carrier may read it, and its query."""

    content_type: str
    body: bytes = field(repr=False)
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def form(self) -> list[tuple[str, str]]:
        """Its fields in order, blank ones too."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @property
    def json(self) -> dict[str, Any]:
        """Its object; empty if it has none."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


class RestDialect(Protocol):
    """How a carrier's REST interface reads and answers."""

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        """What it serves; ``rest`` has what is the same everywhere."""

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        """The refusal of a request without the account's secret, or to another account."""

    def dialled(self, asked: Asked) -> str:
        """The number in a request to dial, E.164 if it can be read so; empty without one."""

    def read_order(self, asked: Asked) -> Order:
        """
        The order in a request to dial.

        Raises:
            OrderRefused: it is none.
        """

    def placed(self, call: SimulatedCall) -> web.Response:
        """The answer to a dial that was taken."""

    def refused(self, refused: OrderRefused) -> web.Response:
        """The answer to a dial that is no order."""

    def refusal(self, refusal: Refuses) -> web.Response:
        """The answer to a dial that the script refuses."""

    def broken(self) -> web.Response:
        """HTTP 500."""


def application(account: Account, dialect: RestDialect) -> web.Application:
    """The web application that serves one account."""
    rest = Rest(account, dialect)
    app = web.Application(middlewares=[rest.authorise])
    app.add_routes(dialect.routes(rest))
    return app


def is_basic(request: web.Request, user: str, password: str) -> bool:
    """Whether a request has these credentials (RFC 7617)."""
    return has_authorization(request, "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def has_authorization(request: web.Request, expected: str) -> bool:
    """Whether a request has this ``Authorization``."""
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(expected.encode(), given)


def retry_headers(refusal: Refuses) -> dict[str, str]:
    """When to come again, if the refusal says so."""
    return {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}


class Rest:
    """What is the same over all carriers; a dialect's routes lead here."""

    def __init__(self, account: Account, dialect: RestDialect) -> None:
        self.account = account
        self._dialect = dialect
        self._refused: Counter[str] = Counter()

    @web.middleware
    async def authorise(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let through what has the account's secret."""
        return self._dialect.authorise(request, self.account) or await handler(request)

    async def dial(self, request: web.Request) -> web.StreamResponse:
        """Place a call, as the script of its number has it."""
        asked = await asked_of(request)
        to = self._dialect.dialled(asked)
        self.account.dial_requests.append(to)
        try:
            order = self._dialect.read_order(asked)
        except OrderRefused as refused:
            return self._dialect.refused(refused)
        finally:
            self.account.noticed()
        reply = self.account.outcome(to).reply
        if isinstance(reply, Refuses) and (reply.times is None or self._refused[to] < reply.times):
            self._refused[to] += 1
            return self._dialect.refusal(reply)
        if isinstance(reply, LosesReply):
            if reply.places_call:
                self.account.place(order)
            return await self._lose(request, reply.how)
        placed = self._dialect.placed(self.account.place(order))
        await asyncio.sleep(reply.late_s if isinstance(reply, Accepts) else 0)
        return placed

    def call(self, request: web.Request) -> SimulatedCall | None:
        """The call whose id is ``call`` in the path, if there is one."""
        sid = request.match_info["call"]
        return next((call for call in self.account.calls if call.sid == sid), None)

    async def _lose(self, request: web.Request, how: Loss) -> web.StreamResponse:
        match how:
            case Loss.ERROR_500:
                return self._dialect.broken()
            case Loss.HANG:
                await asyncio.get_running_loop().create_future()  # until the client goes, or the carrier closes
            case Loss.RESET:
                if request.transport is not None:
                    linger = struct.pack("ii", 1, 0)  # 0 s: what is closed is reset
                    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    request.transport.abort()
        return web.Response()  # goes nowhere


async def asked_of(request: web.Request) -> Asked:
    """The whole body of a request, and its query."""
    return Asked(request.content_type, await request.read(), request.query)
