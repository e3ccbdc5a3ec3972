"""Both ends of a socket pair between a front and a worker, in one process, and every descriptor accounted for."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay.bridge.handoff import OUTBOX_MAX_BYTES, Channel
from relay.bridge.messages import FROM_FRONT, FROM_WORKER, Assign, Configure, HandOver, Message, Ready, RoomSpec, encode
from relay.dev.until import Changes

TIMEOUT_S = 5.0
ASSIGN = Assign(transfer_id="t-1", room=RoomSpec(kind="local", url="http://127.0.0.1/rooms/blue"))


def open_descriptors() -> dict[int, int]:
    """Of each descriptor that this process holds, what it is of."""
    found = {}
    for descriptor in range(1024):
        with contextlib.suppress(OSError):
            found[descriptor] = os.fstat(descriptor).st_ino
    return found


@dataclass
class Ear:
    """Keeps what one end is told; descriptors are closed by whoever holds the ear."""

    heard: list[Any] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    on_message: Callable[[Any], None] | None = None

    def message(self, message: Any, descriptor: int | None) -> None:
        assert isinstance(message, HandOver) == (descriptor is not None)
        self.heard.append(message)
        if descriptor is not None:
            self.descriptors.append(descriptor)
        self.changes.changed()
        if self.on_message is not None:
            self.on_message(message)

    def over(self, detail: str) -> None:
        self.closed.append(detail)
        self.changes.changed()

    async def until_heard(self, count: int) -> None:
        await self.changes.until(lambda: len(self.heard) >= count, f"{count} messages", timeout_s=TIMEOUT_S)

    async def until_over(self) -> str:
        await self.changes.until(lambda: bool(self.closed), "the end of the pair", timeout_s=TIMEOUT_S)
        await asyncio.sleep(0)  # a second time would come now
        assert len(self.closed) == 1
        return self.closed[0]

    def close_descriptors(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())


@dataclass
class Pair:
    """Two channels, ready for whatever comes after ``Assign``."""

    front: Channel
    worker: Channel
    at_front: Ear
    at_worker: Ear


@contextlib.asynccontextmanager
async def pair(*, send_buffer_bytes: int | None = None) -> AsyncIterator[Pair]:
    """Two channels, one of a front and one of its worker; no descriptor may be left afterwards."""
    before = open_descriptors()
    ours, theirs = socket.socketpair()
    if send_buffer_bytes is not None:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    at_front, at_worker = Ear(), Ear()
    front = Channel(ours, incoming=FROM_WORKER, on_message=at_front.message, on_closed=at_front.over)
    worker = Channel(theirs, incoming=FROM_FRONT, on_message=at_worker.message, on_closed=at_worker.over)
    front.send(Configure())
    front.send(ASSIGN)
    worker.send(Ready(1))
    await at_worker.until_heard(2)
    await at_front.until_heard(1)
    at_front.heard.clear()
    at_worker.heard.clear()
    try:
        yield Pair(front, worker, at_front, at_worker)
    finally:
        front.close()
        worker.close()
        at_front.close_descriptors()
        at_worker.close_descriptors()
        assert open_descriptors().items() <= before.items()


@dataclass
class Raw:
    """A worker's channel, and a front that writes any bytes and any descriptors."""

    front: socket.socket
    worker: Channel
    ear: Ear

    def write(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        sent = self.front.sendmsg([data], [rights] if descriptors else [])
        assert sent == len(data)


@contextlib.asynccontextmanager
async def raw(*, outbox_max_bytes: int = OUTBOX_MAX_BYTES) -> AsyncIterator[Raw]:
    """As ``pair``; of the front there is only its end."""
    before = open_descriptors()
    front, theirs = socket.socketpair()
    ear = Ear()
    worker = Channel(
        theirs, incoming=FROM_FRONT, on_message=ear.message, on_closed=ear.over, outbox_max_bytes=outbox_max_bytes
    )
    with front:
        front.sendall(framed(Configure()) + framed(ASSIGN))
        await ear.until_heard(2)
        ear.heard.clear()
        yield Raw(front, worker, ear)
        worker.close()
        ear.close_descriptors()
    assert open_descriptors().items() <= before.items()


def framed(message: Message | bytes) -> bytes:
    """The bytes that carry a message."""
    encoded = message if isinstance(message, bytes) else encode(message)
    return struct.pack(">I", len(encoded)) + encoded


@contextlib.contextmanager
def carrier_socket() -> Iterator[tuple[int, socket.socket]]:
    """A descriptor to hand over, whose closing is the test's subject, and the other end of what it is of."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    with theirs:
        yield ours.detach(), theirs


def is_open_elsewhere(theirs: socket.socket) -> bool:
    """Whether anybody holds the other end."""
    try:
        return theirs.recv(1) != b""
    except BlockingIOError:
        return True


def duplicates(number: int) -> list[int]:
    """As many descriptors of one file."""
    return [os.open(os.devnull, os.O_RDONLY) for _ in range(number)]


def close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
