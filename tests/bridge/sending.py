"""The direction from room to agent over a real socket, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from websockets.frames import Opcode

from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.room_to_agent import RoomToAgent
from relay.providers.base import MediaAdapter
from tests.bridge import messages
from tests.bridge.made_up import START, BinaryAdapter
from tests.bridge.peers import RawPeer, relay
from tests.signals import pcm, tone

MS = 1_000_000


def frames_of(said: bytes) -> list[bytes]:
    return [said[at : at + 640] for at in range(0, len(said) - 639, 640)]


SPEECH = frames_of(pcm(tone(220, 16000, 160_000, amplitude=8000)))


@dataclass
class Sending:
    """A direction, the carrier that hears it, and time."""

    agent: RoomToAgent
    carrier: RawPeer
    connection: MediaConnection
    faults: Faults
    now_ns: int = 0

    def send(self, *frames: bytes, apart_ms: int = 20) -> None:
        for frame in frames:
            self.now_ns += apart_ms * MS
            self.agent.send(frame, self.now_ns)

    async def frames(self, count: int) -> list[tuple[Opcode, bytes]]:
        """The next ``count`` messages as they came."""
        read = [await self.carrier.receive() for _ in range(count)]
        return [(each.opcode, bytes(each.data)) for each in read]

    async def heard(self, count: int) -> list[dict[str, Any]]:
        return [orjson.loads(bytes((await self.carrier.receive()).data)) for _ in range(count)]


@contextlib.asynccontextmanager
async def sending(
    adapter: MediaAdapter,
    *,
    receive_buffer_bytes: int | None = None,
    queue_max_ms: int = 60_000,
    room_rate_hz: int = 16000,
) -> AsyncIterator[Sending]:
    (started,) = adapter.parse(START if isinstance(adapter, BinaryAdapter) else messages.start())
    async with relay() as served:
        carrier = await RawPeer.connect(served, receive_buffer_bytes=receive_buffer_bytes)
        connection = await served.connection()
        faults = Faults(structlog.get_logger())
        try:
            agent = RoomToAgent(
                connection,
                adapter,
                started.format,  # type: ignore[union-attr] # it is a StreamStarted
                room_rate_hz=room_rate_hz,
                queue_max_ms=queue_max_ms,  # frames follow each other here faster than kernels acknowledge
                profile="balanced",
                faults=faults,
                clock=lambda: 0,
            )
            yield Sending(agent, carrier, connection, faults)
        finally:
            connection.abort()
            await carrier.close()
