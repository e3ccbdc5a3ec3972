"""What stands between a store and its server and loses what a test says: the network at its worst."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.transfers.redis_servers import RedisServer


class RedisProxy:
    """
    Passes everything on, but for answers that are to be lost.

    ``is_silent``: what comes is not passed on, unless something of ``silent_but_for`` is in it; a connection of which
    something was kept back passes nothing on any more, ever, and is not closed either.
    ``one_way_s``: how far the server is.
    """

    def __init__(self, server: RedisServer, socket: Path) -> None:
        self._server = server
        self.socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self._losing = b""
        self._to_lose = 0
        self.lost = 0
        self.is_silent = False
        self.silent_but_for: tuple[bytes, ...] = ()
        self.one_way_s = 0.0

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def lose_answer_to(self, command: bytes, *, times: int = 1) -> None:
        """Break the connection when the server has done the next command with this in it, before it is answered."""
        self._losing, self._to_lose = command, times

    @classmethod
    @contextlib.asynccontextmanager
    async def before(cls, server: RedisServer) -> AsyncIterator[RedisProxy]:
        with tempfile.TemporaryDirectory(prefix="relay-test-") as directory:
            proxy = cls(server, Path(directory) / "socket")
            listener = await asyncio.start_unix_server(proxy._serve, proxy.socket)
            try:
                yield proxy
            finally:
                listener.close()
                for task in proxy._tasks:
                    task.cancel()
                await asyncio.gather(*proxy._tasks, return_exceptions=True)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        from_server, to_server = await asyncio.open_unix_connection(str(self._server.socket))
        is_losing = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_requests(from_client, to_server, is_losing))
                group.create_task(self._pass_answers(from_server, to_client, is_losing))
        except* (EOFError, OSError):
            pass
        finally:
            to_client.close()
            to_server.close()
            self._tasks.discard(task)

    async def _pass_requests(
        self, from_client: asyncio.StreamReader, to_server: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        is_dead = False
        while data := await from_client.read(65_536):
            if self._to_lose and self._losing in data:
                self._to_lose -= 1
                is_losing.set()
            if not is_dead and (not self.is_silent or any(command in data for command in self.silent_but_for)):
                self._write(to_server, data)
            else:
                is_dead = True
        raise EOFError

    async def _pass_answers(
        self, from_server: asyncio.StreamReader, to_client: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        while data := await from_server.read(65_536):
            if is_losing.is_set():
                self.lost += 1
                break
            self._write(to_client, data)
        raise EOFError

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not self.one_way_s:
            writer.write(data)
        else:
            asyncio.get_running_loop().call_later(self.one_way_s, _write_if_open, writer, data)


def _write_if_open(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)
