"""Owns how one phone of the load comes to its stream: the upgrade, and Twilio's first messages."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

CONNECT_TIMEOUT_S: Final = 60.0
"""A peer may make a whole pipeline for a call, one after the other."""
_TEXT: Final = 0x81
_MASKED: Final = 0x80


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call of the load.

    Args:
        stream_sid: of all its messages, at most 64 characters.
        path: of the upgrade, with its query.
        headers: more of the upgrade, for instance a signature.
        parameters: of the stream, as ``customParameters`` of ``start``.
        opening: the texts that are said first, instead of ``connected`` and ``start``.
    """

    stream_sid: str
    path: str = "/media"
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    opening: Sequence[str] = ()

    @classmethod
    def numbered(cls, index: int) -> Self:
        """The call of that number; its stream's id ends with it, in hexadecimal digits."""
        return cls(f"MZ{index:032x}")

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, for ``Call(**...)``."""
        return asdict(self)


def connect(call: Call, host: str, port: int) -> tuple[socket.socket, bytes]:
    """
    Connect, upgrade and open the stream.

    Returns:
        the socket, which does not block, and what has come behind the answer.

    Raises:
        OSError: the server does not listen, does not answer, or refuses.
    """
    connected = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.sendall(_request(call, host, port))
        rest = _answered(connected)
        connected.sendall(b"".join(_text_frame(text.encode()) for text in call.opening or twilio_opening(call)))
        connected.settimeout(0)
    except BaseException:
        connected.close()
        raise
    return connected, rest


def twilio_opening(call: Call) -> tuple[str, str]:
    """Return ``connected`` and ``start``. Source: twilio.com/docs/voice/media-streams/websocket-messages."""
    start = {
        "accountSid": "AC" + "0" * 32,
        "streamSid": call.stream_sid,
        "callSid": "CA" + call.stream_sid[2:],
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": dict(call.parameters),
    }
    started = {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": call.stream_sid}
    return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}), json.dumps(started)


def _request(call: Call, host: str, port: int) -> bytes:
    headers = {
        "Host": f"{host}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **call.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {call.path} HTTP/1.1\r\n{lines}\r\n".encode()


def _answered(connected: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        if not (data := connected.recv(4096)):
            raise ConnectionError(f"expected a whole answer to the upgrade, got {answer!r}")
        answer += data
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise ConnectionError(f"expected 101, got {answer!r}")
    return rest


def _text_frame(content: bytes) -> bytes:
    size = bytes((_MASKED | len(content),)) if len(content) < 126 else b"\xfe" + len(content).to_bytes(2, "big")
    key = os.urandom(4)
    masked = bytes(each ^ key[at % 4] for at, each in enumerate(content))
    return bytes((_TEXT,)) + size + key + masked
