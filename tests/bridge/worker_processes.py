"""Worker processes as a front starts them, and what they say; killed afterwards if they have not ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from relay.bridge.handoff import Channel
from relay.bridge.messages import FROM_WORKER, Assign, Configure, HandOver, Ready, RoomSpec, Statistics, Told
from relay.bridge.settings import BridgeSettings
from tests.bridge.pairs import Ear
from tests.bridge.peers import RawPeer

ROOT = Path(__file__).parents[2]
WORKER = ("-m", "relay.app.worker")
TIMEOUT_S = 15.0
GONE_S = 2.0
"""A worker whose front is gone has exited by then."""

T = TypeVar("T")


@dataclass
class WorkerUnderTest:
    """A worker, the front's end of its pair, and the carrier's port that its calls come in at."""

    process: subprocess.Popen[bytes]
    channel: Channel
    ear: Ear
    logged: Path
    listener: socket.socket
    carriers: list[RawPeer] = field(default_factory=list)

    async def until_ready(self, configuration: Configure | None = None) -> Ready:
        self.channel.send(configuration or Configure(log_format="json"))
        return await self.first(Ready)

    async def assign(self, room_url: str, **others: Any) -> None:
        """It is ready, and has a transfer whose customer is called ``customer``."""
        await self.until_ready()
        self.channel.send(assigned(room_url, **others))

    async def first(self, kind: type[T]) -> T:
        """The first message of this kind."""
        await self.ear.changes.until(lambda: bool(self._all(kind)), kind.__name__, timeout_s=TIMEOUT_S)
        return self._all(kind)[0]

    async def told(self, kind: type[T]) -> T:
        """The first event of this kind that the transfer is told."""

        def events() -> list[T]:
            return [each.event for each in self._all(Told) if isinstance(each.event, kind)]

        await self.ear.changes.until(lambda: bool(events()), kind.__name__, timeout_s=TIMEOUT_S)
        return events()[0]

    def kinds(self) -> list[type]:
        """What it has said so far, statistics aside; of what it told, the events."""
        said = [each.event if isinstance(each, Told) else each for each in self.ear.heard]
        return [type(each) for each in said if not isinstance(each, Statistics)]

    async def call(self, provider: str = "twilio") -> RawPeer:
        """A carrier connects, the bytes of its request are read here, and its socket is handed over."""
        loop = asyncio.get_running_loop()
        connecting = asyncio.ensure_future(RawPeer.open(self.listener.getsockname()[1]))
        ours, _ = await loop.sock_accept(self.listener)
        request = await loop.sock_recv(ours, 65536)
        self.channel.send(HandOver(request, provider), ours.detach())
        self.carriers.append(await connecting)
        return self.carriers[-1]

    async def exited(self, *, within_s: float = TIMEOUT_S) -> int:
        """Its exit code."""
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        descriptor = os.pidfd_open(self.process.pid)
        loop.add_reader(descriptor, lambda: None if over.done() else over.set_result(None))
        try:
            async with asyncio.timeout(within_s):
                await over
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return self.process.wait()

    def _all(self, kind: type[T]) -> list[T]:
        return [each for each in self.ear.heard if isinstance(each, kind)]


def assigned(room_url: str, *, token: str | None = None, **others: Any) -> Assign:
    """A transfer of nobody's."""
    room = RoomSpec(kind="local", url=room_url, token=token)
    settings = BridgeSettings(tick_s=0.1)
    return Assign(room=room, transfer_id="t-1", settings=settings, customer_id="customer", **others)


@contextlib.asynccontextmanager
async def worker(arguments: Sequence[str] = WORKER, *, stderr_to: int | None = None) -> AsyncIterator[WorkerUnderTest]:
    """
    A worker that was started, by Python with these arguments and its descriptor, and has been told nothing.

    ``stderr_to``: the descriptor that it logs to; without one it is kept.
    """
    ours, theirs = socket.socketpair()
    ear = Ear()
    channel = Channel(ours, incoming=FROM_WORKER, on_message=ear.message, on_closed=ear.over)
    with (
        tempfile.NamedTemporaryFile() as stderr,
        socket.create_server(("127.0.0.1", 0)) as listener,
        _start(arguments, theirs, stderr.fileno() if stderr_to is None else stderr_to) as process,
    ):
        theirs.close()
        listener.settimeout(0)
        started = WorkerUnderTest(process, channel, ear, Path(stderr.name), listener)
        try:
            yield started
        except BaseException:
            print(started.logged.read_text())
            raise
        finally:
            process.kill()
            channel.close()
            for carrier in started.carriers:
                await carrier.close()


def _start(arguments: Sequence[str], end: socket.socket, stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments, str(end.fileno())],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("RELAY_")},
        pass_fds=(end.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
