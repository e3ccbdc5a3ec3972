"""A media server with one receiver, and a carrier's client that can write any bytes: both on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from relay.bridge.media_connection import Ending, MediaConnection, serve_media


@dataclass
class Receiver:
    """Keeps what a connection reports."""

    messages: asyncio.Queue[tuple[bytes, int]] = field(default_factory=asyncio.Queue)
    opcodes: list[Opcode] = field(default_factory=list)
    closed: asyncio.Future[tuple[Ending, int, str]] = field(
        default_factory=lambda: asyncio.get_event_loop().create_future()
    )

    def text_received(self, message: bytes, received_ns: int) -> None:
        self.opcodes.append(Opcode.TEXT)
        self.messages.put_nowait((message, received_ns))

    def binary_received(self, message: bytes, received_ns: int) -> None:
        self.opcodes.append(Opcode.BINARY)
        self.messages.put_nowait((message, received_ns))

    def connection_closed(self, ending: Ending, code: int, detail: str) -> None:
        self.closed.set_result((ending, code, detail))

    async def message(self) -> bytes:
        return (await self.messages.get())[0]


@dataclass
class Relay:
    """A media server that takes one connection when told to."""

    url: str
    port: int
    receiver: Receiver
    connections: asyncio.Queue[MediaConnection]

    async def connection(self, *, attach: bool = True) -> MediaConnection:
        taken = await self.connections.get()
        if attach:
            taken.attach(self.receiver)
        return taken


@contextlib.asynccontextmanager
async def relay(
    authorise: Callable[[ServerConnection, Request], Response | None] | None = None,
    serve: Callable[[MediaConnection], Awaitable[None]] = MediaConnection.wait_closed,
    subprotocol: str | None = None,
) -> AsyncIterator[Relay]:
    """A media server on a free port; ``serve`` is what its handler does with a connection."""
    connections: asyncio.Queue[MediaConnection] = asyncio.Queue()

    async def handle(connection: MediaConnection) -> None:
        connections.put_nowait(connection)
        await serve(connection)

    server = await serve_media(handle, host="127.0.0.1", port=0, authorise=authorise, subprotocol=subprotocol)
    port = next(iter(server.sockets)).getsockname()[1]
    try:
        yield Relay(f"ws://127.0.0.1:{port}/media", port, Receiver(), connections)
    finally:
        server.close()
        await server.wait_closed()


def open_sockets() -> set[int]:
    """Inodes of the sockets that this process holds."""
    inodes = set()
    for descriptor in range(1024):
        with contextlib.suppress(OSError):
            found = os.fstat(descriptor)
            if stat.S_ISSOCK(found.st_mode):
                inodes.add(found.st_ino)
    return inodes


class RawPeer:
    """A client that writes any bytes: the library's own protocol without its connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol) -> None:
        self.reader, self.writer, self.protocol = reader, writer, protocol
        self.received: list[Frame] = []

    @classmethod
    async def connect(
        cls, relay: Relay, *, receive_buffer_bytes: int | None = None, subprotocol: str | None = None
    ) -> RawPeer:
        return await cls.open(relay.port, receive_buffer_bytes=receive_buffer_bytes, subprotocol=subprotocol)

    @classmethod
    async def open(
        cls, port: int, *, receive_buffer_bytes: int | None = None, subprotocol: str | None = None
    ) -> RawPeer:
        """Connect to whatever listens there, and complete the handshake."""
        connected = socket.socket()
        if receive_buffer_bytes is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        connected.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=connected)
        offered = None if subprotocol is None else [Subprotocol(subprotocol)]
        protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/media"), subprotocols=offered)
        protocol.send_request(protocol.connect())
        peer = cls(reader, writer, protocol)
        peer.flush()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        protocol.events_received()
        return peer

    def flush(self) -> None:
        self.writer.write(b"".join(self.protocol.data_to_send()))

    def send(self, *messages: bytes) -> None:
        """Write text messages."""
        self.send_frames(*(Frame(Opcode.TEXT, message) for message in messages))

    def send_binary(self, *messages: bytes) -> None:
        """Write binary messages."""
        self.send_frames(*(Frame(Opcode.BINARY, message) for message in messages))

    async def receive(self) -> Frame:
        """The next frame of the server, control frames included."""
        while not self.received:
            data = await self.reader.read(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.protocol.receive_data(data)
            self.received += [event for event in self.protocol.events_received() if isinstance(event, Frame)]
        return self.received.pop(0)

    def send_frames(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.serialize(mask=True) for frame in frames))

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
