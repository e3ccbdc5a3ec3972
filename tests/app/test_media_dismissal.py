"""A media stream that is let in to be closed, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from relay.app import media_dismissal
from relay.app.media_dismissal import MediaDismissal
from tests.threats.raw import connected, upgrade

OPCODE_CLOSE_1000 = b"\x88\x02\x03\xe8"


class Door(asyncio.Protocol):
    """Reads a request, and dismisses who sent it."""

    def __init__(self, subprotocol: str | None) -> None:
        self._subprotocol = subprotocol
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received:
            MediaDismissal(self._transport, self._received, subprotocol=self._subprotocol)


@asynccontextmanager
async def door(subprotocol: str | None = None) -> AsyncIterator[int]:
    """The port where everybody is dismissed."""
    server = await asyncio.get_running_loop().create_server(lambda: Door(subprotocol), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_who_is_dismissed_is_let_in_and_told_that_it_is_over() -> None:
    async def scenario() -> None:
        async with door() as port, connect(f"ws://127.0.0.1:{port}/", close_timeout=1) as carrier:
            with pytest.raises(ConnectionClosed) as closed:
                await carrier.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000
            await carrier.wait_closed()

    uvloop.run(scenario())


def test_what_comes_before_the_carrier_has_seen_the_close_is_dropped() -> None:
    async def scenario() -> None:
        async with door() as port, connected(port) as carrier:
            carrier.send(upgrade("/"))
            assert (await carrier.head()).startswith(b"HTTP/1.1 101 ")
            carrier.send(b"\x81\x82aaaa" + bytes(2) + b"\x82\x82aaaa" + bytes(2))
            carrier.send(b"\x88\x82" + bytes(4) + b"\x03\xe8")
            assert await carrier.rest() == OPCODE_CLOSE_1000

    uvloop.run(scenario())


@pytest.mark.parametrize("more", [0, 4, 20], ids=["whole frames", "half a frame", "a frame and the answer"])
def test_what_comes_together_with_the_upgrade_is_dropped(more: int) -> None:
    async def scenario() -> None:
        frames = b"\x81\x82aaaa" + bytes(2) + b"\x82\x82aaaa" + bytes(2)
        later = frames[:8] + b"\x88\x82" + bytes(4) + b"\x03\xe8"
        async with asyncio.timeout(5), door() as port, connected(port) as carrier:
            carrier.send(upgrade("/") + frames + later[:more])
            assert (await carrier.head()).startswith(b"HTTP/1.1 101 ")
            carrier.send(later[more:])
            assert await carrier.rest() == OPCODE_CLOSE_1000

    uvloop.run(scenario())


@pytest.mark.parametrize("sent", [b"", b"\xff" * 50], ids=["nothing", "no WebSocket"])
def test_a_carrier_that_does_not_answer_the_close_is_dropped(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(media_dismissal, "CLOSE_TIMEOUT_S", 0.1)
        async with asyncio.timeout(5), door() as port, connected(port) as carrier:
            carrier.send(upgrade("/"))
            await carrier.head()
            carrier.send(sent)
            assert (await carrier.rest()).startswith(OPCODE_CLOSE_1000)

    uvloop.run(scenario())


@pytest.mark.parametrize(("wanted", "selected"), [("media", "media"), ("others", None), (None, None)])
def test_the_subprotocol_is_selected_if_it_is_offered(wanted: str | None, selected: str | None) -> None:
    async def scenario() -> None:
        offered = [Subprotocol("x"), Subprotocol("media")]
        async with door(wanted) as port, connect(f"ws://127.0.0.1:{port}/", subprotocols=offered) as carrier:
            assert carrier.subprotocol == selected

    uvloop.run(scenario())
