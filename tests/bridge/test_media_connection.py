"""The carrier's WebSocket, against real sockets and hostile bytes."""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from relay.bridge.media_connection import FRAGMENTS_MAX, Ending
from tests.bridge.peers import RawPeer, relay

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_messages_since_the_handshake_are_kept_in_order(run: Run) -> None:
    async def test() -> None:
        async with relay() as served, connect(served.url) as carrier:
            connection = await served.connection(attach=False)
            for number in range(5):
                await carrier.send(f"message {number}")
            await (await carrier.ping())
            assert served.receiver.messages.empty()
            connection.attach(served.receiver)
            await carrier.send("message 5")
            assert [await served.receiver.message() for _ in range(6)] == [b"message %d" % n for n in range(6)]

    run(test())


@pytest.mark.parametrize("attach", [True, False], ids=["attached", "early"])
def test_text_and_binary_are_told_apart_whole_in_fragments_and_early(run: Run, attach: bool) -> None:  # noqa: FBT001 - a case
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            connection = await served.connection(attach=attach)
            peer.send_frames(
                Frame(Opcode.TEXT, b"text"),
                Frame(Opcode.BINARY, b"binary"),
                Frame(Opcode.BINARY, b"bi", fin=False),
                Frame(Opcode.CONT, b"nary"),
                Frame(Opcode.TEXT, b"te", fin=False),
                Frame(Opcode.CONT, b"xt"),
                Frame(Opcode.PING, b"read"),
            )
            assert (await peer.receive()).opcode is Opcode.PONG
            if not attach:
                connection.attach(served.receiver)
            read = [await served.receiver.message() for _ in range(4)]
            assert read == [b"text", b"binary", b"binary", b"text"]
            assert served.receiver.opcodes == [Opcode.TEXT, Opcode.BINARY, Opcode.BINARY, Opcode.TEXT]
            await peer.close()

    run(test())


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("a.example", ["a.example"], "a.example"),
        ("a.example", ["b.example", "a.example"], "a.example"),
        ("a.example", ["b.example"], None),
        ("a.example", None, None),
        (None, ["a.example"], None),
    ],
)
def test_subprotocol_is_selected_if_it_is_offered_and_no_other_ever(
    run: Run, wanted: str | None, offered: list[str] | None, chosen: str | None
) -> None:
    async def test() -> None:
        subprotocols = None if offered is None else [Subprotocol(each) for each in offered]
        async with relay(subprotocol=wanted) as served, connect(served.url, subprotocols=subprotocols) as carrier:
            assert carrier.subprotocol == chosen
            await served.connection()

    run(test())


def test_nobody_taking_the_stream_ends_it_before_memory_does(run: Run) -> None:
    async def test() -> None:
        async with relay() as served, connect(served.url) as carrier:
            await served.connection(attach=False)
            with contextlib.suppress(ConnectionClosedError):
                for _ in range(1000):
                    await carrier.send("x")
            with pytest.raises(ConnectionClosedError) as closed:
                await carrier.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == CloseCode.TRY_AGAIN_LATER

    run(test())


def test_f39_message_in_segments_of_one_byte_is_whole(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            await served.connection()
            for byte in Frame(Opcode.TEXT, b'{"event":"media"}' * 20).serialize(mask=True):
                peer.writer.write(bytes([byte]))
                await peer.writer.drain()
                await asyncio.sleep(0)
            assert await served.receiver.message() == b'{"event":"media"}' * 20
            await peer.close()

    run(test())


def test_fragments_are_joined_with_control_frames_between(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            await served.connection()
            peer.send_frames(
                Frame(Opcode.TEXT, b"one ", fin=False),
                Frame(Opcode.PING, b"?"),
                Frame(Opcode.CONT, b"two ", fin=False),
                Frame(Opcode.CONT, b"three"),
                Frame(Opcode.TEXT, b"next"),
            )
            assert await served.receiver.message() == b"one two three"
            assert await served.receiver.message() == b"next"
            await peer.close()

    run(test())


@pytest.mark.long
def test_t14_empty_fragments_without_end_are_refused(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            await served.connection()
            peer.send_frames(Frame(Opcode.TEXT, b"", fin=False), *[Frame(Opcode.CONT, b"", fin=False)] * FRAGMENTS_MAX)
            ending, code, _ = await served.receiver.closed
            assert (ending, code) == (Ending.WE_CLOSED, CloseCode.POLICY_VIOLATION)
            await peer.close()

    run(test())


def test_t14_huge_message_closes_its_own_connection(run: Run) -> None:
    async def test() -> None:
        async with relay() as served, connect(served.url) as carrier:
            await served.connection()
            await carrier.send("x" * 65537)
            ending, code, _ = await served.receiver.closed
            assert (ending, code) == (Ending.WE_CLOSED, CloseCode.MESSAGE_TOO_BIG)
            assert served.receiver.messages.empty()

    run(test())


def test_t15_compression_is_not_negotiated(run: Run) -> None:
    async def test() -> None:
        async with relay() as served, connect(served.url, compression="deflate") as carrier:
            assert carrier.response is not None
            assert "Sec-WebSocket-Extensions" not in carrier.response.headers
            assert "Server" not in carrier.response.headers

    run(test())


def test_t1_request_that_is_not_authorised_is_refused_before_the_upgrade(run: Run) -> None:
    def authorise(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path == "/media" else connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")

    async def test() -> None:
        async with relay(authorise) as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.url + "/guess")
            assert refused.value.response.status_code == 403
            assert served.connections.empty()
            async with connect(served.url):
                await served.connection()

    run(test())


def test_round_trip_is_measured_by_the_pong_that_was_asked_for(run: Run) -> None:
    async def test() -> None:
        async with relay() as served, connect(served.url) as carrier:
            connection = await served.connection()
            await carrier.pong(b"unasked")
            await carrier.send("after the pong")
            await served.receiver.message()
            assert (connection.pongs, connection.writer.round_trip_ms) == (0, 0.0)
            connection.measure_round_trip(time.monotonic_ns())
            assert connection.writer.send(b"after the ping")
            await carrier.recv()
            await carrier.send("after the answer")
            await served.receiver.message()
            assert connection.pongs == 1
            assert connection.writer.round_trip_min_ms == connection.writer.round_trip_ms

    run(test())


@pytest.mark.parametrize(("code", "detail"), [(1000, ""), (1011, "carrier broke")])
def test_carrier_that_closes_is_heard(run: Run, code: int, detail: str) -> None:
    async def test() -> None:
        async with relay() as served:
            carrier = await connect(served.url)
            await served.connection()
            await carrier.close(code, detail)
            assert await served.receiver.closed == (Ending.PEER_CLOSED, code, detail)

    run(test())


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["fin", "rst"])
def test_f14_socket_that_drops_is_a_loss(run: Run, linger: bytes | None) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            await served.connection()
            if linger is not None:
                peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            peer.writer.close()
            ending, code, _ = await served.receiver.closed
            assert (ending, code) == (Ending.LOST, CloseCode.ABNORMAL_CLOSURE)
            await peer.close()

    run(test())


@pytest.mark.long
def test_bytes_that_are_no_frame_are_the_carriers_fault(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served)
            await served.connection()
            peer.writer.write(b"\xff" * 64)
            ending, code, _ = await served.receiver.closed
            assert (ending, code) == (Ending.WE_CLOSED, CloseCode.PROTOCOL_ERROR)
            await peer.close()

    run(test())


def test_server_that_stops_says_so(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            carrier = await connect(served.url)
            connection = await served.connection()
            connection.server.close()
            assert await served.receiver.closed == (Ending.WE_CLOSED, CloseCode.GOING_AWAY, "")
            assert not connection.writer.send(b"too late")
            await carrier.wait_closed()

    run(test())


def test_queue_of_a_peer_that_stops_reading_is_seen_in_the_kernel_too(run: Run) -> None:
    async def test() -> None:
        async with relay() as served:
            peer = await RawPeer.connect(served, receive_buffer_bytes=4096)
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined] # transports that read have it
            connection = await served.connection()
            assert connection.queued_bytes() == 0
            sent = 0
            while connection.queued_bytes() < 5_000:
                assert connection.writer.send(b"x" * 300)
                sent += 304
                await asyncio.sleep(0)
            assert connection.transport.get_write_buffer_size() == 0
            assert connection.queued_bytes() < sent
            connection.abort()
            await peer.close()

    run(test())
