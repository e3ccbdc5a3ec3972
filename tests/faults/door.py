"""The door to the room server: whoever wants to join waits there until a test says what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

from relay.dev.until import Changes

FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TIMEOUT_S = 10.0


class Door:
    """
    ``async with Door() as door``, and ``door.origin`` for the rooms of relay alone: it takes connections.

    Not one byte is answered before ``let_in``, ``refuse`` or ``slam``, which are for all who wait and all who come.
    """

    def __init__(self) -> None:
        self.knocks = 0
        """Connections so far."""
        self._changes = Changes()
        self._fate: asyncio.Future[bytes | int] = asyncio.get_running_loop().create_future()
        self._visits: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        if not self._fate.done():
            self.slam()
        await asyncio.gather(*self._visits)
        await self._server.wait_closed()

    async def until_knock(self) -> None:
        """Return when somebody has come."""
        await self._changes.until(lambda: self.knocks > 0, "a knock", timeout_s=TIMEOUT_S)

    def let_in(self, port: int) -> None:
        """Connect them to a room server."""
        self._fate.set_result(port)

    def refuse(self) -> None:
        """Answer that they may not."""
        self._fate.set_result(FORBIDDEN)

    def slam(self) -> None:
        """Close the connection without an answer."""
        self._fate.set_result(b"")

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        assert visit is not None
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        self.knocks += 1
        self._changes.changed()
        with contextlib.closing(writer):
            request = await reader.readuntil(b"\r\n\r\n")
            gone = asyncio.create_task(reader.read(1))
            either: list[asyncio.Future[Any]] = [self._fate, gone]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            was_gone = gone.done()
            gone.cancel()
            await asyncio.wait([gone])
            fate = b"" if was_gone else self._fate.result()
            if isinstance(fate, int):
                await _join(request, reader, writer, fate)
            else:
                writer.write(fate)


async def _join(request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, to_there = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(to_there):
        to_there.write(request)
        ways = [asyncio.create_task(_carry(*way)) for way in ((reader, to_there), (there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
