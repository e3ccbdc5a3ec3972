"""Owns one simulated call's socket: the handshake, and what a carrier must answer."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field

from benchmarks.bridge import wire

_TEXT, _CLOSE, _PING = 1, 8, 9
_REQUEST = (
    b"GET /media HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass(slots=True)
class Heard:
    """What came on one stream: each media message, and when."""

    messages: list[bytes] = field(default_factory=list)
    arrived_ns: list[int] = field(default_factory=list)


class Stream:
    """One call: counts its media messages, keeps them in ``heard`` if there is one, answers pings and marks."""

    def __init__(self, index: int, port: int, *, heard: Heard | None = None) -> None:
        self._index = index
        self.heard = heard
        self.suffix = wire.media_suffix(index)
        self.received = 0
        self._rest = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._shake_hands()
        self.socket.settimeout(0)
        self.socket.send(wire.opening(index))

    def _shake_hands(self) -> None:
        self.socket.sendall(_REQUEST)
        answer = b""
        while b"\r\n\r\n" not in answer:
            if not (data := self.socket.recv(4096)):
                raise ConnectionError(f"expected a whole answer to the handshake, got {answer!r}")
            answer += data
        head, _, self._rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(f"expected 101, got {head!r}")

    def send_media(self, prefix: bytes) -> None:
        """
        Write one frame.

        Raises:
            BlockingIOError: the server has read nothing for as long as the kernel's buffers last.
        """
        self.socket.send(prefix + self.suffix)

    def readable(self) -> None:
        """
        Take what has come.

        Raises:
            ConnectionError: the server has ended the stream.
        """
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("expected the stream to go on, got its end")
        if self._rest:
            data = self._rest + data
        self._rest = data[self._take_frames(data) :]

    def _take_frames(self, data: bytes) -> int:
        at = 0
        while len(data) - at >= 4:
            size_bytes, begin = data[at + 1], at + 2
            if size_bytes == 126:
                size_bytes, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            end = begin + size_bytes
            if end > len(data):
                break
            self._take(data[at] & 0x0F, data[begin:end])
            at = end
        return at

    def _take(self, opcode: int, content: bytes) -> None:
        if opcode == _TEXT:
            if content.startswith(b'{"event":"media"'):
                self.received += 1
                if self.heard is not None:
                    self.heard.arrived_ns.append(time.monotonic_ns())
                    self.heard.messages.append(content)
            elif content.startswith(b'{"event":"mark"'):
                self.socket.send(wire.mark_frame(json.loads(content)["mark"]["name"], self._index))
        elif opcode == _PING:
            self.socket.send(wire.pong_frame(content))
        elif opcode == _CLOSE:
            raise ConnectionError(f"expected the stream to go on, got a close frame: {content!r}")
