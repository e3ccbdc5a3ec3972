"""The carrier's WebSocket: hands over each message as it is read, and writes without waiting."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.typing import Subprotocol

from relay._codec import FrameScanner
from relay.bridge.media_writer import MediaWriter
from relay.bridge.socket_queue import prepare, unacknowledged_bytes
from relay.providers.fields import MESSAGE_MAX_BYTES

OPEN_TIMEOUT_S: Final = 3.0
CLOSE_TIMEOUT_S: Final = 2.0
USER_TIMEOUT_MS: Final = 10_000
FRAGMENTS_MAX: Final = 64
EARLY_MESSAGES_MAX: Final = 64
PROTOCOL_OPTIONS: Final[Mapping[str, Any]] = {"max_size": MESSAGE_MAX_BYTES}
CONNECTION_OPTIONS: Final[Mapping[str, Any]] = {
    "close_timeout": CLOSE_TIMEOUT_S,
    "ping_interval": None,  # the bridge pings: a carrier that never answers one must not lose its call by it
}
HANDSHAKE_OPTIONS: Final[Mapping[str, Any]] = {"server_header": None}
_OPEN: Final = State.OPEN  # a member of an enum is 0.1 us away
_CLOSING: Final = State.CLOSING


class Ending(Enum):
    """How a connection ended."""

    PEER_CLOSED = auto()
    WE_CLOSED = auto()
    """With a close frame of our own: on purpose, or because the peer broke the WebSocket protocol."""
    LOST = auto()


class MediaReceiver(Protocol):
    """What a media connection reports to. Must not raise."""

    def text_received(self, message: bytes, received_ns: int) -> None:
        """One whole text message, still as UTF-8 bytes, and when the socket was readable."""

    def binary_received(self, message: bytes, received_ns: int) -> None:
        """One whole binary message, and when the socket was readable."""

    def connection_closed(self, ending: Ending, code: int, detail: str) -> None:
        """The connection is over. Comes once."""


class MediaConnection(ServerConnection):
    """
    One carrier's media stream.

    Handshake, ping, pong, close and every odd frame are the library's. A message in one whole frame of one read, which
    is how audio comes, never gets there (``FrameScanner``); what the library does parse is taken from it before it
    would be queued for a task to wake up and fetch. What is reported, and what is written in which order, is as if the
    library had parsed it all.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.receiver: MediaReceiver | None = None
        # The library's log of every frame is the library's to write.
        self._scanner = None if self.protocol.debug else FrameScanner(MESSAGE_MAX_BYTES)
        self.received_ns = 0
        self._clock: Callable[[], int] = time.monotonic_ns
        self.pongs = 0
        self.writer: MediaWriter
        """From when there is a socket: whoever is given a connection has it."""
        self._descriptor = -1
        self._ping_sent_ns = 0
        self._early: list[tuple[Opcode, bytes, int]] = []
        self._fragments: list[bytes] = []
        self._fragments_of = Opcode.TEXT
        self._closing: asyncio.TimerHandle | None = None
        self._closed: tuple[Ending, int, str] | None = None

    def attach(self, receiver: MediaReceiver, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Report to ``receiver`` from now on, by its clock, beginning with what came since the handshake."""
        self.receiver = receiver
        self._clock = clock
        early, self._early = self._early, []
        for opcode, message, received_ns in early:
            if opcode is Opcode.TEXT:
                receiver.text_received(message, received_ns)
            else:
                receiver.binary_received(message, received_ns)
        if self._closed is not None:
            receiver.connection_closed(*self._closed)

    # Reading

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        super().connection_made(transport)
        connected = cast("socket.socket", transport.get_extra_info("socket"))
        self._descriptor = connected.fileno()
        prepare(connected, user_timeout_ms=USER_TIMEOUT_MS)
        self.writer = MediaWriter(self.protocol, self.transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket."""
        self.received_ns = self._clock()
        if self._scanner is None:
            super().data_received(data)
        elif (
            self.receiver is None
            or self.protocol.state is not _OPEN
            or not self._scanner.deliver(data, self.receiver, self.received_ns)
        ):
            self._divide(data, self._scanner)
        elif self.protocol.close_sent is None:
            return  # what the library has not seen, nor the receiver closed for, leaves it open
        if self.protocol.state is _CLOSING:
            self._bound_closing()

    def _divide(self, data: bytes, scanner: FrameScanner) -> None:
        # The library answers all of a read before any of it is processed: messages become events of its own, in line.
        protocol, given, begin = self.protocol, 0, 0
        while begin < len(data) and not protocol.eof_sent:
            message = scanner.take(data, begin) if protocol.state is _OPEN else None
            if message is None:
                begin = scanner.follow(data, begin)
                continue
            if given < begin:
                protocol.receive_data(data[given:begin])
                given = begin
            begin = scanner.end
            if protocol.state is _OPEN:  # else it goes the way of what closed it
                protocol.events.append(Frame(Opcode.TEXT if scanner.text else Opcode.BINARY, message))
                given = begin
        super().data_received(data[given:])
        if protocol.eof_sent:  # what else comes is not read; and a handshake may still call the connection open
            self._scanner = None

    def process_event(self, event: Event) -> None:
        """Take one frame from the library's parser."""
        if self.request is None or not isinstance(event, Frame):
            super().process_event(event)
            return
        opcode = event.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if event.fin:
                self._deliver(opcode, bytes(event.data))
            else:
                self._fragments, self._fragments_of = [bytes(event.data)], opcode
        elif opcode is Opcode.CONT:
            self._take_fragment(event)
        elif opcode is Opcode.PONG:
            self._take_pong(bytes(event.data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        super().connection_lost(exc)
        if self._closing is not None:
            self._closing.cancel()
        protocol = self.protocol
        if protocol.close_rcvd is not None and protocol.close_rcvd_then_sent is not False:
            ending, close = Ending.PEER_CLOSED, protocol.close_rcvd
        elif protocol.close_sent is not None:
            ending, close = Ending.WE_CLOSED, protocol.close_sent
        else:
            ending, close = Ending.LOST, Close(CloseCode.ABNORMAL_CLOSURE, "" if exc is None else str(exc))
        self._closed = (ending, close.code, close.reason)
        if self.receiver is not None:
            self.receiver.connection_closed(*self._closed)

    def _deliver(self, opcode: Opcode, message: bytes) -> None:
        if self.receiver is None:
            self._keep_early(opcode, message)
        elif opcode is Opcode.TEXT:
            self.receiver.text_received(message, self.received_ns)
        else:
            self.receiver.binary_received(message, self.received_ns)

    def _keep_early(self, opcode: Opcode, message: bytes) -> None:
        if len(self._early) < EARLY_MESSAGES_MAX:
            self._early.append((opcode, message, self.received_ns))
        else:
            self._fail(CloseCode.TRY_AGAIN_LATER, "nobody took the stream")

    def _take_fragment(self, event: Frame) -> None:
        # The library bounds the message's bytes, not its fragments: empty ones are free.
        self._fragments.append(bytes(event.data))
        if event.fin:
            fragments, self._fragments = self._fragments, []
            self._deliver(self._fragments_of, b"".join(fragments))
        elif len(self._fragments) > FRAGMENTS_MAX:
            self._fail(CloseCode.POLICY_VIOLATION, f"more than {FRAGMENTS_MAX} fragments in a message")

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.protocol.fail(code, reason)
        self.send_data()

    def _bound_closing(self) -> None:
        # The library bounds a close that was asked for, not one that the peer's bytes made necessary.
        if self._closing is None:
            self._closing = self.loop.call_later(CLOSE_TIMEOUT_S, self.abort)

    # Writing

    def queued_bytes(self) -> int:
        """Bytes written that the peer has not acknowledged: in this process and in the kernel."""
        if self._descriptor < 0 or self.transport.is_closing():
            return 0
        return self.transport.get_write_buffer_size() + unacknowledged_bytes(self._descriptor)

    def abort(self) -> None:
        """Drop the connection and all that is queued on it."""
        self.transport.abort()

    # Round trip

    def measure_round_trip(self, now_ns: int) -> None:
        """Send a ping; the pong updates the writer's round trip and counts in ``pongs``."""
        if self.protocol.state is _OPEN:
            self._ping_sent_ns = now_ns
            self.protocol.send_ping(now_ns.to_bytes(8, "big"))
            self.send_data()

    def _take_pong(self, data: bytes) -> None:
        if data != self._ping_sent_ns.to_bytes(8, "big"):
            return  # unasked, which the protocol allows, or late
        self.writer.note_round_trip((self.received_ns - self._ping_sent_ns) / 1e6)
        self.pongs += 1


def selected(subprotocol: str | None, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """
    The subprotocol to answer an upgrade with: ``subprotocol`` if it is offered, else none.

    A server must not name one that was not offered (RFC 6455, 4.2.2). To refuse whoever does not offer it would refuse
    carriers that do without; one that does not closes by itself.
    """
    return next((each for each in offered if each == subprotocol), None)


async def serve_media(
    handler: Callable[[MediaConnection], Awaitable[None]],
    *,
    host: str,
    port: int,
    authorise: Callable[[ServerConnection, Request], Awaitable[Response | None] | Response | None] | None = None,
    subprotocol: str | None = None,
) -> Server:
    """
    Listen for carriers' media streams.

    Args:
        handler: serves one connection until it is over.
        host: the address to listen on.
        port: 0 for any that is free.
        authorise: decides on a request before it is upgraded; a response refuses it.
        subprotocol: the one to select, see ``selected``.
    """
    return await serve(
        cast("Callable[[ServerConnection], Awaitable[None]]", handler),
        host,
        port,
        create_connection=MediaConnection,
        process_request=authorise,
        select_subprotocol=lambda _, offered: selected(subprotocol, offered),
        compression=None,  # audio does not compress, and a compressed message is a bomb
        open_timeout=OPEN_TIMEOUT_S,
        **PROTOCOL_OPTIONS,
        **CONNECTION_OPTIONS,
        **HANDSHAKE_OPTIONS,
    )
