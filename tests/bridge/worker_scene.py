"""What a worker is driven in: a room with a customer in it, and a carrier that talks."""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import orjson
from websockets.frames import Frame, Opcode

from relay.bridge.messages import (
    Join,
)
from relay.dev.room_server import RoomServer
from relay.rooms.local import LocalRoom
from relay.transfers import ports
from tests.bridge import messages
from tests.bridge.peers import RawPeer
from tests.bridge.worker_processes import GONE_S, WorkerUnderTest
from tests.rooms.listener import Listener

TONE = (b"\x00" * 4 + b"\x80" * 4) * 20
"""20 ms of 1 kHz in mu-law, as loud as it gets."""
RINGBACK_HZ = 440


class Scene:
    """A room with a customer in it, whom a worker's bridge joins."""

    def __init__(self, server: RoomServer, customer: LocalRoom, ear: Listener, room: str) -> None:
        self.server, self.customer, self.ear, self.room = server, customer, ear, room
        self.url = server.room_url(room)

    async def until_alone(self) -> None:
        """Nobody but the customer is there."""
        names = self.server.names
        await self.server.changes.until(lambda: names(self.room) == ["customer"], "relay's leaving", timeout_s=GONE_S)


@contextlib.asynccontextmanager
async def scene(server: RoomServer, room: str = "call") -> AsyncIterator[Scene]:
    ear = Listener(700)
    customer = LocalRoom(server.room_url(room), name="customer")
    await customer.join(ear)
    try:
        yield Scene(server, customer, ear, room)
    finally:
        await customer.leave()


async def in_room(test: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async with RoomServer(port=0) as server, scene(server) as here:
        await test(here)


async def talking(here: WorkerUnderTest, scene: Scene, **others: Any) -> RawPeer:
    """A call whose two sides hear each other."""
    await here.assign(scene.url, **others)
    here.channel.send(Join())
    await here.told(ports.RoomJoined)
    carrier = await here.call()
    carrier.send(messages.start(), *(messages.media(chunk, TONE) for chunk in range(1, 26)))
    await here.told(ports.BothHeard)
    return carrier


async def heard(carrier: RawPeer) -> bytes:
    """The next 20 ms that the agent hears."""
    while True:
        frame = await carrier.receive()
        said = orjson.loads(frame.data) if frame.opcode is Opcode.TEXT else {}
        if "media" in said:
            return base64.b64decode(said["media"]["payload"])


async def talk_on(carrier: RawPeer, chunk: int) -> None:
    """Say as much as is heard, from this chunk on."""
    while True:
        await heard(carrier)
        carrier.send(messages.media(chunk))
        chunk += 1


async def closed(carrier: RawPeer) -> int:
    """The code of the close frame that the carrier gets; it answers, and closes its end."""
    while True:
        frame = await carrier.receive()
        if frame.opcode is Opcode.CLOSE:
            carrier.send_frames(Frame(Opcode.CLOSE, frame.data))
            carrier.writer.write_eof()
            return int(struct.unpack(">H", frame.data[:2])[0])
