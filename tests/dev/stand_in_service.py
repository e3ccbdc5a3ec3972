"""A stand-in for relay's service in front of the simulated carrier: documents, callbacks and a media WebSocket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.until import Changes

NUMBER, OWN_NUMBER = "+15550100001", "+15550100000"
ALL_EVENTS = ("initiated", "ringing", "answered", "completed")
Media = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What came, and whether Twilio's own SDK says that it is signed."""

    path: str
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes
    is_signed: bool


async def read_to_the_end(websocket: web.WebSocketResponse) -> None:
    async for _ in websocket:
        pass


async def close_at_once(websocket: web.WebSocketResponse) -> None:
    await websocket.receive()
    await websocket.close()


def stream(url: str, then: str = "") -> str:
    redirect = f"<Redirect>{then}</Redirect>" if then else ""
    return f'<Response><Connect><Stream url="{url}"/></Connect>{redirect}</Response>'


def answers(**how: Any) -> Outcome:
    return Outcome(callee=Answers(**how))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@asynccontextmanager
async def thinking() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The URL of a service that never answers, and what is set when it is asked."""
    asked = asyncio.Event()

    async def think(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.get_running_loop().create_future()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", think)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", asked
    finally:
        await runner.cleanup()


class StandInService:
    """
    Answers ``/answer/N`` with the N-th document, or with one that opens the media stream, and 204 to callbacks.

    Args:
        carrier: whose webhooks these are.
    """

    def __init__(self, carrier: SimulatedCarrier) -> None:
        self.carrier = carrier
        self.requests: list[Request] = []
        self.messages: list[dict[str, Any]] = []
        self.documents: list[str] = []
        self.media: Media = read_to_the_end
        self.callback_status = 204
        self.media_transport: asyncio.Transport | None = None
        """Of the newest media stream."""
        self.public = ""
        """The origin that is signed and told to the carrier; empty: where it listens."""
        self._changes = Changes()
        self._port = 0

    @property
    def url(self) -> str:
        return self.public or f"http://127.0.0.1:{self._port}"

    @property
    def media_url(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/media/t0k3n"

    @property
    def statuses(self) -> list[str]:
        return [request.form["CallStatus"] for request in self.at("/status")]

    def at(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path.startswith(path)]

    def order(self, **changes: str) -> list[tuple[str, str]]:
        """The form of a call to place."""
        form = {"To": NUMBER, "From": OWN_NUMBER, "Url": f"{self.url}/answer/0", "StatusCallback": f"{self.url}/status"}
        return [*(form | changes).items(), *(("StatusCallbackEvent", event) for event in ALL_EVENTS)]

    async def dial(self, **changes: str) -> tuple[int, dict[str, Any]]:
        return await self.request("POST", "Calls.json", data=self.order(**changes))

    async def whole_call(self, **changes: str) -> None:
        await self.dial(**changes)
        await self.carrier.until_idle()

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Ask the carrier's REST interface; returns the status and the JSON."""
        headers = {"Authorization": basic(self.carrier.account_sid, self.carrier.auth_token)}
        url = f"{self.carrier.api_url}/2010-04-01/Accounts/{self.carrier.account_sid}/{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, **options) as reply,
        ):
            return reply.status, await reply.json()

    async def until(self, met: Callable[[StandInService], bool], *, timeout_s: float = 10.0) -> None:
        await self._changes.until(lambda: met(self), "stand-in service", timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                web.post("/answer/{number}", self._answer),
                web.post("/status", self._callback),
                web.post("/detection", self._callback),
                web.get("/media/t0k3n", self._media),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What a carrier connects just as a server of aiohttp's ends may be left open by it.
        try:
            await self.carrier.hang_up_all()
        finally:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, self.url + str(request.rel_url))
        number = int(request.match_info["number"])
        if not self.documents:
            return web.Response(text=stream(self.media_url), content_type="text/xml")
        if number >= len(self.documents):
            return web.Response(status=404)
        return web.Response(text=self.documents[number], content_type="text/xml")

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, self.url + str(request.rel_url))
        return web.Response(status=self.callback_status)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        await self._note(request, self.media_url)
        self.media_transport = request.transport
        websocket = _Kept(self)
        await websocket.prepare(request)
        await self.media(websocket)
        return websocket

    async def _note(self, request: web.Request, url: str) -> None:
        body = await request.read()
        form = MultiDict((name, str(value)) for name, value in (await request.post()).items())
        signature = request.headers.get("X-Twilio-Signature", "")
        is_signed = RequestValidator(self.carrier.auth_token).validate(url, form, signature)
        self.requests.append(Request(str(request.rel_url), dict(form), dict(request.headers), body, is_signed))
        self._changes.changed()

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._changes.changed()

    def events(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]


class _Kept(web.WebSocketResponse):
    """Shows the service all that is received."""

    def __init__(self, service: StandInService) -> None:
        super().__init__()
        self._service = service

    async def receive(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 -- aiohttp's own signature
        message = await super().receive(timeout)
        if message.type is aiohttp.WSMsgType.TEXT:
            self._service.received(orjson.loads(message.data))
        return message
