"""One media connection with the native data path and one without, given the same reads: they must do the same."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from websockets.asyncio.server import Server
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from relay.bridge.media_connection import CONNECTION_OPTIONS, PROTOCOL_OPTIONS, Ending, MediaConnection

UPGRADE: Final = (
    b"GET /media HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PING_NS: Final = 1_000
"""What ``measure_round_trip`` is told, and so what the pong that counts has in it."""

Acts = Mapping[int, Iterable[str]]
"""What happens before a read, by its number: names of ``Run``'s acts."""


def masked(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = b"\x01\x80\xfe\x37",
    length: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """A frame; without a key it is not masked, ``length`` may be a lie and ``length_bytes`` more than it takes."""
    length = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65536 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode, (0x80 if key else 0) | short])
    head += length.to_bytes(length_bytes, "big") if length_bytes else b""
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ mask for byte, mask in zip(payload, itertools.cycle(key), strict=False))


def cut(stream: bytes, *at: int) -> list[bytes]:
    """The stream in reads that end at these places."""
    return [stream[begin:end] for begin, end in itertools.pairwise((0, *sorted(at), len(stream))) if begin < end]


class LibraryAlone(MediaConnection):
    """All bytes go through the library's parser."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scanner = None


class _Transport:
    """Logs what is written. Its socket is none that is connected."""

    def __init__(self, log: list[object]) -> None:
        self._log = log
        self._socket = socket.socket()

    def get_extra_info(self, _: str) -> socket.socket:
        return self._socket

    def close_socket(self) -> None:
        self._socket.close()

    def set_write_buffer_limits(self, *_: Any) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write(self, data: bytes) -> None:
        self._log.append(("write", data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._log.append("eof")


class _NoServer:
    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[None]] = set()

    async def handler(self, connection: MediaConnection) -> None: ...


class Run:
    """One connection's life: its log is all that anybody outside can see of it, in order."""

    def __init__(self, kind: type[MediaConnection]) -> None:
        self.log: list[object] = []
        self.connection = kind(
            ServerProtocol(**PROTOCOL_OPTIONS),
            cast("Server", _NoServer()),
            **cast("dict[str, Any]", CONNECTION_OPTIONS),
        )
        ticks = itertools.count()
        self.clock = lambda: next(ticks)
        self.connection._clock = self.clock
        self.transport = _Transport(self.log)
        self.connection.connection_made(cast("asyncio.Transport", self.transport))

    # Acts

    def accept(self) -> None:
        connection = self.connection
        if isinstance(connection.request, Request) and connection.protocol.state is State.CONNECTING:
            response = connection.protocol.accept(connection.request)
            del response.headers["Date"]
            connection.protocol.send_response(response)
            connection.send_data()

    def attach(self) -> None:
        if self.connection.receiver is None:
            self.connection.attach(self, self.clock)

    def send(self) -> None:
        self.log.append(self.connection.writer.send(b"sent"))

    def ping(self) -> None:
        self.connection.measure_round_trip(PING_NS)

    def close(self) -> None:
        if self.connection.protocol.state is State.OPEN:
            self.connection.protocol.send_close(CloseCode.GOING_AWAY)
            self.connection.send_data()

    # As a receiver, one that answers: so the order of what is written shows, and whether it still is.

    def text_received(self, message: bytes, received_ns: int) -> None:
        self.log.append(("text", message, received_ns))
        self.log.append(self.connection.writer.send(b"to " + message))

    def binary_received(self, message: bytes, received_ns: int) -> None:
        self.log.append(("binary", message, received_ns))
        self.log.append(self.connection.writer.send(b"to " + message, text=False))
        if message == b"close":
            self.close()

    def connection_closed(self, ending: Ending, code: int, detail: str) -> None:
        self.log.append(("closed", ending, code, detail))

    def take(self, read: bytes) -> None:
        connection, protocol = self.connection, self.connection.protocol
        connection.data_received(read)
        round_trips = (connection.pongs, connection.writer.round_trip_ms, connection.writer.round_trip_min_ms)
        self.log.append((protocol.state, connection.received_ns, round_trips, connection._closing is not None))

    def end(self) -> None:
        connection, protocol = self.connection, self.connection.protocol
        connection.eof_received()
        connection.connection_lost(None)
        self.attach()
        self.log.append((protocol.close_code, protocol.close_sent, repr(protocol.parser_exc)))
        self.transport.close_socket()


def outcome(kind: type[MediaConnection], reads: Iterable[bytes], acts: Acts) -> list[object]:
    """All that a connection does with these reads. Needs a running loop."""
    run = Run(kind)
    for number, read in enumerate(reads):
        for act in acts.get(number, ()):
            getattr(run, act)()
        run.take(read)
    run.end()
    return run.log


def compare(
    reads: list[bytes], acts: Acts, kinds: tuple[type[MediaConnection], ...] = (LibraryAlone, MediaConnection)
) -> None:
    """Raise AssertionError if the two do not do the same."""
    expected, got = (outcome(kind, reads, acts) for kind in kinds)
    if expected != got:
        different = next(at for at, pair in enumerate(itertools.zip_longest(expected, got)) if pair[0] != pair[1])
        raise AssertionError(
            f"{reads} with {acts}: after {expected[:different]}\nexpected {expected[different:]}\ngot {got[different:]}"
        )


def opened(reads: Iterable[bytes]) -> tuple[list[bytes], Acts]:
    """The reads of a connection that is open and attached before the first of them."""
    return [UPGRADE, *reads], {1: ("accept", "attach")}


def single_cuts(stream: bytes) -> Iterator[list[bytes]]:
    """The stream whole, in single bytes, and cut in two at every place."""
    yield [stream]
    yield [bytes([byte]) for byte in stream]
    for at in range(1, len(stream)):
        yield cut(stream, at)
