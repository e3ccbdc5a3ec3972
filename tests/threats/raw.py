"""HTTP requests and WebSocket upgrades byte by byte, as no client would send them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of

Headers: TypeAlias = Iterable[tuple[str, str]]

UPGRADE: Final[Mapping[str, str]] = {
    "Host": "relay.example.com",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}

ANSWER_S: Final = 10.0


def request(
    target: str, headers: Headers = (), *, method: str = "GET", version: str = "HTTP/1.1", body: bytes = b""
) -> bytes:
    """A request as it is written."""
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def upgrade(target: str, *more: tuple[str, str], without: str = "", **how: str) -> bytes:
    """A WebSocket upgrade; ``more`` headers, and one of the usual ones left out."""
    return request(target, [*((n, v) for n, v in UPGRADE.items() if n != without), *more], **how)  # type: ignore[arg-type] # method and version


def signed_upgrade(media_url: str, auth_token: str) -> bytes:
    """The upgrade that a carrier sends for this public URL."""
    return upgrade(urlsplit(media_url).path, (SIGNATURE_HEADER, signature_of(media_url, auth_token=auth_token)))


class Connection:
    """A TCP connection to the service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        """Write."""
        self._writer.write(data)

    async def drained(self) -> None:
        """Return when little is left to be written, or the service has gone."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def head(self) -> bytes:
        """The head of the next answer; what there is of it if the connection ends before."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except ConnectionError:
            return b""

    async def status(self) -> int:
        """The status of the next answer; 0 if there is none."""
        words = (await self.head()).split(b" ", 2)
        return int(words[1]) if len(words) > 1 else 0

    async def rest(self) -> bytes:
        """All that comes until the service closes."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection, dropped afterwards."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def status_of(port: int, data: bytes) -> int:
    """The status of what is answered to ``data``, on a connection of its own; an attacker is answered, too."""
    async with asyncio.timeout(ANSWER_S), connected(port) as connection:
        connection.send(data)
        return await connection.status()


async def statuses_of(port: int, requests: Iterable[bytes], *, at_once: int = 50) -> list[int]:
    """The statuses of requests, each on a connection of its own, ``at_once`` of them at a time."""
    waiting = iter(requests)  # shared: each attacker takes the next

    async def attack() -> list[int]:
        return [await status_of(port, data) for data in waiting]

    return list(itertools.chain(*await asyncio.gather(*(attack() for _ in range(at_once)))))
