"""Clients that send too much or too slowly, on real connections: each is sent away, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop

from relay.app import http_protocol
from relay.app.http_protocol import HEAD_MAX_BYTES
from tests.app.served import listening
from tests.threats.raw import UPGRADE, Connection, connected, request

TIMEOUT_S = 0.2
TEST_MAX_S = 20.0
GET = request("/", [("Host", "relay")])
POST = request("/", [("Host", "relay"), ("Content-Length", "5")], method="POST", body=b"hello")
SENT_MAX_BYTES = 500 * HEAD_MAX_BYTES
"""Far more than what the kernel takes for a connection that nobody reads any longer."""


class Application:
    """Answers with the size of the body, so many times as ``may_answer`` says."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Semaphore(100)
        self.headers: list[tuple[bytes, bytes]] = []
        self.left = asyncio.Event()
        """A client went before its request was whole."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers = scope["headers"]
        size_bytes, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            size_bytes += len(message["body"])
            more = message["more_body"]
        await self.may_answer.acquire()
        body = str(size_bytes).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


Scenario = Callable[[int, Application], Awaitable[None]]


def run(scenario: Scenario, ws: type[asyncio.Protocol] | None = None) -> None:
    async def whole() -> None:
        app = Application()
        async with asyncio.timeout(TEST_MAX_S), listening(app, ws=ws) as url:
            await scenario(urlsplit(url).port or 0, app)

    uvloop.run(whole())


async def flood(connection: Connection, piece: bytes) -> None:
    """Send it again and again until the server closes."""
    sent_bytes = 0
    gone = asyncio.create_task(connection.rest())
    while not gone.done():
        assert sent_bytes <= SENT_MAX_BYTES
        connection.send(piece)
        sent_bytes += len(piece)
        await connection.drained()
    assert b" 200 " not in await gone


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nHost: relay\r\n", b"X-Many: " + 4000 * b"a" + b"\r\n"),
        (b"GET / HTTP/1.1\r\nHost: relay\r\nX-Long: ", 4000 * b"a"),
        (b"GET /", 4000 * b"a"),
        (b"", 2000 * b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: relay\r\nTransfer-Encoding: chunked\r\n\r\n5;", 4000 * b"a"),
        (
            b"POST / HTTP/1.1\r\nHost: relay\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X-Many: " + 4000 * b"a" + b"\r\n",
        ),
    ],
    ids=["headers", "one header", "a path", "nothing", "a chunk's extension", "trailers"],
)
def test_what_is_no_body_has_a_bound(begin: bytes, piece: bytes) -> None:
    async def scenario(port: int, app: Application) -> None:
        app.may_answer = asyncio.Semaphore(0)
        async with connected(port) as client:
            client.send(begin)
            await flood(client, piece)
        app.may_answer.release()

    run(scenario)


def test_who_sends_too_many_headers_is_told() -> None:
    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            client.send(b"GET / HTTP/1.1\r\nX-Long: ".ljust(HEAD_MAX_BYTES + 1, b"a"))
            assert await client.status() == 431

    run(scenario)


def test_headers_below_the_bound_and_bodies_of_any_size_are_read() -> None:
    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            for _ in range(3):
                client.send(request("/", [("Host", "relay"), ("X-Long", (HEAD_MAX_BYTES // 2) * "a")]))
                assert await client.status() == 200
                assert await client.reader.readexactly(1) == b"0"
            size_bytes = 10 * HEAD_MAX_BYTES
            client.send(request("/", [("Host", "relay"), ("Content-Length", str(size_bytes))], method="POST"))
            for _ in range(10):
                client.send(HEAD_MAX_BYTES * b"a")
                await client.drained()
            assert await client.status() == 200
            assert await client.reader.readexactly(6) == str(size_bytes).encode()

    run(scenario)


def test_spaces_around_a_header_are_no_part_of_it() -> None:
    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: relay\r\nX-Spaces: \t a b \t \r\nX-None:\r\n\r\n")
            assert await client.status() == 200
        assert app.headers == [(b"host", b"relay"), (b"x-spaces", b"a b"), (b"x-none", b"")]

    run(scenario)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_TIMEOUT_S", TIMEOUT_S)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n", GET[:-2], POST[:-1], b"\r\n"], ids=["nothing", "line", "head", "body", "CRLF"]
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
@pytest.mark.long
def test_a_request_that_does_not_end_in_time_ends_the_connection(
    sent: bytes,
    is_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            if not is_first:
                client.send(GET)
                assert await client.status() == 200
                assert await client.reader.readexactly(1) == b"0"
            began_s = asyncio.get_running_loop().time()
            client.send(sent)
            assert await client.rest() == b""
            assert asyncio.get_running_loop().time() - began_s < 10 * TIMEOUT_S
            if sent == POST[:-1]:
                await app.left.wait()

    run(scenario)


@pytest.mark.usefixtures("hurry")
def test_a_client_that_sends_bit_by_bit_gains_no_time() -> None:
    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            gone = asyncio.create_task(client.rest())
            head = iter(GET[:-2] + 1000 * b"X-A: b\r\n")
            while not gone.done():
                client.send(bytes([next(head)]))
                await asyncio.wait([gone], timeout=TIMEOUT_S / 50)
            assert await gone == b""

    run(scenario)


@pytest.mark.usefixtures("hurry")
def test_an_answer_may_take_as_long_as_it_likes() -> None:
    """Also with the next request sent already."""

    async def scenario(port: int, app: Application) -> None:
        app.may_answer = asyncio.Semaphore(0)
        async with connected(port) as client:
            client.send(GET + GET)
            for _ in range(2):
                status = asyncio.create_task(client.status())
                done, _ = await asyncio.wait([status], timeout=2 * TIMEOUT_S)
                assert done == set()
                app.may_answer.release()
                assert await status == 200
                assert await client.reader.readexactly(1) == b"0"

    run(scenario)


@pytest.mark.usefixtures("hurry")
def test_a_connection_that_was_given_away_is_not_closed_here() -> None:
    got: list[asyncio.Transport] = []

    class Keeps(asyncio.Protocol):
        def __init__(self, **_: Any) -> None: ...

        def connection_made(self, transport: Any) -> None:
            got.append(transport)

    async def scenario(port: int, app: Application) -> None:
        async with connected(port) as client:
            client.send(request("/", UPGRADE.items()))
            rest = asyncio.create_task(client.rest())
            done, _ = await asyncio.wait([rest], timeout=3 * TIMEOUT_S)
            assert done == set()
            got[0].write(b"still here")
            got[0].close()
            assert await rest == b"still here"

    run(scenario, Keeps)
