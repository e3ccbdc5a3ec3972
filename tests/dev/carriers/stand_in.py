"""A stand-in for a relay in front of any simulated carrier: takes all webhooks, answers with a document, has media."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from relay.dev.carrier import SimulatedCarrier
from relay.dev.until import Changes


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        """Its fields, or its JSON."""
        if "json" in self.headers.get("Content-Type", ""):
            content: dict[str, Any] = json.loads(self.body)
            return content
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(slots=True)
class Media:
    """A media stream that was opened."""

    path: str
    headers: dict[str, str]
    subprotocol: str | None
    messages: list[str | bytes] = field(default_factory=list)
    socket: web.WebSocketResponse | None = None


class StandIn:
    """Listens on a port of its own; the document is the same for each that asks."""

    def __init__(self, carrier: SimulatedCarrier) -> None:
        self.carrier = carrier
        self.document = ""
        self.subprotocols: tuple[str, ...] = ()
        self.refuses_media = False
        self.received: list[Received] = []
        self.media: list[Media] = []
        self._changes = Changes()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def media_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/media"

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path.startswith(path)]

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, dict[str, str]]:
        """Ask the carrier; returns the status, the JSON if there is some, and the headers."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.carrier.api_url + path, **options) as reply,
        ):
            text = await reply.text()
            return reply.status, json.loads(text) if text else None, dict(reply.headers)

    async def until(self, met: Callable[[StandIn], bool]) -> None:
        await self._changes.until(lambda: met(self), "stand-in", timeout_s=10.0)

    async def until_media(self) -> Media:
        await self.until(lambda here: bool(here.media) and bool(here.media[-1].messages))
        return self.media[-1]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", self._media), web.post("/{path:.*}", self._webhook)])
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

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        self.received.append(Received(str(request.rel_url), dict(request.headers), await request.read()))
        self._changes.changed()
        return web.Response(text=self.document if request.path in {"/answer", "/call"} else "")

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_media:
            return web.Response(status=403)
        socket = web.WebSocketResponse(protocols=self.subprotocols)
        await socket.prepare(request)
        media = Media(str(request.rel_url), dict(request.headers), socket.ws_protocol, socket=socket)
        self.media.append(media)
        async for message in socket:
            media.messages.append(message.data)
            self._changes.changed()
        return socket
