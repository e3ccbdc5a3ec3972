"""A stand-in for relay at the other end of the phone's socket: keeps what came, and says what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from relay.dev.until import Changes

FRAME = bytes([0x10]) * 160
"""20 ms of loud PCMU."""


class StandInRelay:
    """A WebSocket server for one phone, on a port of its own."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ended: ConnectionClosed | None = None
        self.path = ""
        self._changes = Changes()
        self._connection: ServerConnection | None = None
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None, close_timeout=1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/media/t0k3n"

    @property
    def connection(self) -> ServerConnection:
        assert self._connection is not None
        return self._connection

    @property
    def events(self) -> list[str]:
        return [message["event"] for message in self.messages]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]

    async def until(self, met: Callable[[StandInRelay], bool], *, timeout_s: float = 10.0) -> None:
        await self._changes.until(lambda: met(self), "stand-in relay", timeout_s=timeout_s)

    async def until_ended(self) -> ConnectionClosed:
        await self.until(lambda _: self.ended is not None)
        assert self.ended is not None
        return self.ended

    async def send(self, event: str, **content: object) -> None:
        sid = self.of("start")[0]["streamSid"]
        await self.connection.send(json.dumps({"event": event, "streamSid": sid, **content}))

    async def play(self, payload: bytes = FRAME) -> None:
        await self.send("media", media={"payload": base64.b64encode(payload).decode()})

    async def mark(self, name: str) -> None:
        await self.send("mark", mark={"name": name})

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.path = connection.request.path if connection.request else ""
        try:
            while True:
                self.messages.append(json.loads(await connection.recv()))
                self._changes.changed()
        except ConnectionClosed as closed:
            self.ended = closed
            self._changes.changed()
            if closed.rcvd is not None:
                await asyncio.shield(connection.wait_closed())
