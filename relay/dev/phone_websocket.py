"""The simulated carrier's WebSocket client: every byte, read and end of it under control."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from websockets.client import ClientProtocol
from websockets.exceptions import NegotiationError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from relay.dev.phone_link import Link

MESSAGE_MAX_BYTES = 2**24
"""35 min of PCMU in base64: a relay that sends as much is wrong, but it is heard, not cut off."""


@dataclass(frozen=True, slots=True)
class Network:
    """What the path between carrier and relay is like."""

    jitter_ms: Callable[[int], float] | None = None
    """How late a frame of this number is; none overtakes another."""
    drift_ppm: float = 0.0
    """How fast the carrier's clock is."""
    segment_bytes: int | None = None
    """The largest TCP segment sent."""
    receive_buffer_bytes: int | None = None
    """SO_RCVBUF: a small one lets the relay notice soon that nobody reads. Linux doubles it."""


@dataclass(frozen=True, slots=True)
class Closed:
    """How the connection ended: 1006 without a close frame from the relay."""

    code: int
    reason: str = ""
    error: OSError | None = None


class WebSocket:
    """
    One connection to the relay.

    Args:
        url: ``ws://``; the carrier's TLS ends before relay.
        headers: added to the upgrade request.
        subprotocols: offered; the relay must select one, if there are any.
        received: called with each whole message: str for text, bytes for binary and for text that is not UTF-8.
        closed: called once, when the socket is closed, after it was open.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        subprotocols: Sequence[str] = (),
        received: Callable[[str | bytes], None],
        closed: Callable[[Closed], None],
    ) -> None:
        self._uri: WebSocketURI = parse_uri(url)
        if self._uri.secure:
            raise ValueError(f"simulated phone: expected a ws:// URL, got {url!r}")
        self._headers = headers
        self._received, self._closed = received, closed
        offered = [Subprotocol(name) for name in subprotocols]
        self._protocol = ClientProtocol(self._uri, subprotocols=offered or None, max_size=MESSAGE_MAX_BYTES)
        self._must_select = bool(offered)
        self._message = bytearray()
        self._text = False
        self._opened: asyncio.Future[None] | None = None
        self.link: Link | None = None

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return self.link is not None and not self.link.closed and self._protocol.state is State.OPEN

    async def connect(self, network: Network, *, timeout_s: float) -> None:
        """
        Connect and upgrade.

        Raises:
            InvalidHandshake: the relay refused; ``InvalidStatus`` has its response. Or it selected no subprotocol.
            OSError: no TCP connection, or it was lost.
            TimeoutError: not within ``timeout_s``.
        """
        self._opened = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await _connected(self._uri.host, self._uri.port, network.receive_buffer_bytes)
                self.link = Link(connection, received=self._read, lost=self._lost, segment_bytes=network.segment_bytes)
                request = self._protocol.connect()
                request.headers.update(self._headers)
                self._protocol.send_request(request)
                self._flush()
                await self._opened
        except BaseException:
            if self.link is not None:
                self.link.close()
            raise

    def send_text(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        """Send a text message, if the connection is open; ``written`` is told when."""
        if self.open:
            self._protocol.send_text(message)
            self._flush(delay_ns=delay_ns, written=written)

    def send_binary(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        """Send a binary message; as ``send_text``."""
        if self.open:
            self._protocol.send_binary(message)
            self._flush(delay_ns=delay_ns, written=written)

    def send_close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the relay ends it."""
        if self.open:
            self._protocol.send_close(code, reason)
            self._flush()

    def _flush(self, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        for data in self._protocol.data_to_send():
            if self.link is not None:
                self.link.send(data, delay_ns=delay_ns, written=written)

    def _read(self, data: bytes) -> None:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Response) and self._opened is not None and not self._opened.done():
                self._upgraded(self._opened)
        self._flush()

    def _upgraded(self, opened: asyncio.Future[None]) -> None:
        if self._protocol.handshake_exc is not None:
            opened.set_exception(self._protocol.handshake_exc)
        elif self._must_select and self._protocol.subprotocol is None:
            opened.set_exception(NegotiationError("expected a subprotocol of those offered, got none"))
        else:
            opened.set_result(None)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if frame.fin:
            message, self._message = bytes(self._message), bytearray()
            self._received(_decoded(message) if self._text else message)

    def _lost(self, error: OSError | None) -> None:
        opened = self._opened
        if opened is not None and not opened.done():
            opened.set_exception(self._protocol.handshake_exc or error or ConnectionError("closed before the upgrade"))
        elif self._protocol.handshake_exc is None:
            close = self._protocol.close_rcvd or Close(CloseCode.ABNORMAL_CLOSURE, "")
            self._closed(Closed(int(close.code), close.reason, error))


def _decoded(message: bytes) -> str | bytes:
    try:
        return message.decode()
    except UnicodeDecodeError:
        return message


async def _connected(host: str, port: int, receive_buffer_bytes: int | None) -> socket.socket:
    loop = asyncio.get_running_loop()
    family, kind, proto, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
    connection = socket.socket(family, kind, proto)
    try:
        connection.settimeout(0)  # not blocking
        if receive_buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await loop.sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
