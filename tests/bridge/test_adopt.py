"""A carrier's connection that is handed over: accepted by a plain listener, adopted with the bytes read so far."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from relay.bridge.adopt import adopt
from relay.bridge.media_connection import Ending, MediaConnection
from relay.transfers.ports import MediaSocket
from tests.bridge.peers import Receiver, open_sockets

Run = Callable[[Coroutine[Any, Any, None]], None]


@dataclass
class Carrier:
    """A carrier's end of a TCP connection, and relay's end as it was accepted."""

    ours: socket.socket
    theirs: socket.socket
    protocol: ClientProtocol = field(default_factory=lambda: ClientProtocol(parse_uri("ws://relay/media")))
    served: list[MediaConnection] = field(default_factory=list)
    receiver: Receiver = field(default_factory=Receiver)

    def request(self) -> bytes:
        self.protocol.send_request(self.protocol.connect())
        return b"".join(self.protocol.data_to_send())

    def adopt(
        self, request: bytes, *, subprotocol: str | None = None, open_timeout_s: float = 3.0
    ) -> asyncio.Task[None]:
        media = MediaSocket(self.ours.detach(), request, "twilio")
        return adopt(media, self._handle, subprotocol=subprotocol, open_timeout_s=open_timeout_s)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.theirs, data)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.theirs, 65536)

    async def answer(self) -> Response:
        """Return the answer to the upgrade request."""
        while self.protocol.handshake_exc is None and self.protocol.state is State.CONNECTING:
            self.protocol.receive_data(await self.read())
        answer = self.protocol.events_received()[0]
        assert isinstance(answer, Response)
        return answer

    async def _handle(self, connection: MediaConnection) -> None:
        self.served.append(connection)
        connection.attach(self.receiver)
        await connection.wait_closed()


@contextlib.asynccontextmanager
async def carrier() -> AsyncIterator[Carrier]:
    """Connect over TCP; every descriptor must be closed afterwards."""
    before = open_sockets()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.settimeout(0)
    with theirs, ours:
        yield Carrier(ours, theirs)
    for _ in range(3):
        await asyncio.sleep(0)
    assert open_sockets() == before


def text(message: bytes) -> bytes:
    return Frame(Opcode.TEXT, message).serialize(mask=True)


def test_adopted_connection_is_served_both_ways_until_the_peer_closes(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            task = peer.adopt(peer.request())
            answer = await peer.answer()
            assert answer.status_code == 101
            assert "Server" not in answer.headers
            assert "Sec-WebSocket-Extensions" not in answer.headers
            await peer.send(text(b"hello"))
            assert await peer.receiver.message() == b"hello"
            assert peer.served[0].writer.send(b"and back")
            assert await peer.read() == b"\x81\x08and back"
            await peer.send(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
            peer.theirs.shutdown(socket.SHUT_WR)
            assert await peer.receiver.closed == (Ending.PEER_CLOSED, CloseCode.NORMAL_CLOSURE, "")
            await task

    run(test())


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("a.example", b"a.example", "a.example"),
        ("a.example", b"secret.b, a.example", "a.example"),
        ("a.example", b"secret.b", None),
        ("a.example", None, None),
        (None, b"a.example", None),
    ],
)
def test_subprotocol_is_selected_if_it_is_offered_and_else_the_upgrade_is_answered_without_one(
    run: Run, wanted: str | None, offered: bytes | None, chosen: str | None
) -> None:
    async def test() -> None:
        async with carrier() as peer:
            request = peer.request()
            if offered is not None:
                request = request[:-2] + b"sec-websocket-protocol: " + offered + b"\r\n\r\n"
            with structlog.testing.capture_logs() as logged:
                task = peer.adopt(request, subprotocol=wanted)
                head = (await peer.read()).decode()
            assert head.startswith("HTTP/1.1 101 ")
            assert [line for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Protocol")] == (
                [] if chosen is None else [f"Sec-WebSocket-Protocol: {chosen}"]
            )
            assert [each["event"] for each in logged] == ["subprotocol_not_offered"] * (wanted != chosen)
            assert "secret" not in str(logged)
            peer.theirs.close()
            await task

    run(test())


def test_request_in_pieces_is_read_whole(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            request = peer.request()
            task = peer.adopt(request[:25])
            for at in range(25, len(request)):
                await peer.send(request[at : at + 1])
                await asyncio.sleep(0)
            assert (await peer.answer()).status_code == 101
            task.cancel()
            await asyncio.wait([task])

    run(test())


def test_frames_behind_the_request_are_the_first_messages(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            half = text(b"two")
            task = peer.adopt(peer.request() + text(b"one") + half[:4])
            await peer.send(half[4:] + text(b"three"))
            assert [await peer.receiver.message() for _ in range(3)] == [b"one", b"two", b"three"]
            task.cancel()
            await asyncio.wait([task])

    run(test())


def test_carrier_that_went_before_it_was_adopted_is_noticed_at_once(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            request = peer.request()
            peer.theirs.close()
            async with asyncio.timeout(1):
                await peer.adopt(request)
            assert peer.receiver.closed.done() == bool(peer.served)

    run(test())


def test_half_a_request_of_a_carrier_that_went_serves_nobody(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            peer.theirs.close()
            async with asyncio.timeout(1):
                await peer.adopt(peer.request()[:40])
            assert peer.served == []

    run(test())


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET /media HTTP/1.1\r\nHost: relay\r\n\r\n"],
    ids=["no HTTP", "no upgrade"],
)
def test_request_that_is_no_upgrade_is_answered_and_closed(run: Run, request_bytes: bytes) -> None:
    async def test() -> None:
        async with carrier() as peer:
            task = peer.adopt(request_bytes, open_timeout_s=0.1)
            answer = b""
            while data := await peer.read():
                answer += data
            assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 426 "))
            assert answer.count(b"HTTP/1.1 ") == 1
            await task
            assert peer.served == []

    run(test())


def test_t16_handshake_that_never_completes_is_dropped(run: Run) -> None:
    async def test() -> None:
        async with carrier() as peer:
            async with asyncio.timeout(1):
                await peer.adopt(peer.request()[:-2], open_timeout_s=0.1)
            with contextlib.suppress(ConnectionResetError):
                assert await peer.read() == b""
            assert peer.served == []

    run(test())


def test_handler_that_fails_closes_its_own_connection(run: Run) -> None:
    async def broken(connection: MediaConnection) -> None:
        raise ZeroDivisionError(connection)

    async def test() -> None:
        async with carrier() as peer:
            task = adopt(MediaSocket(peer.ours.detach(), peer.request(), "twilio"), broken)
            assert (await peer.answer()).status_code == 101
            async with asyncio.timeout(1):
                await task

    run(test())


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_cancelled_at_any_moment_it_leaves_no_descriptor(run: Run, steps: int) -> None:
    async def test() -> None:
        async with carrier() as peer:
            task = peer.adopt(peer.request())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    run(test())


def test_descriptor_that_is_no_socket_is_closed(run: Run) -> None:
    async def test() -> None:
        reading, writing = os.pipe()
        os.close(writing)

        async def nobody(connection: MediaConnection) -> None:
            raise AssertionError(connection)

        with pytest.raises(OSError, match=r"not a socket|non-socket"):
            await adopt(MediaSocket(reading, b"", "twilio"), nobody)
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(reading)

    run(test())
