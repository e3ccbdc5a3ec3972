"""Asterisk's chan_websocket as it speaks it with ``f(json)``, from docs.asterisk.org and its source."""

from __future__ import annotations

from typing import Any, Final

import orjson

from relay.dev.carrier_document import Encoding
from relay.dev.carriers.audio_wire import AudioWire, object_of, unexpected
from relay.dev.phone_playout import FRAME_MS, FRAME_SAMPLES
from relay.dev.phone_wire import Call, Clear, Command, Mark, Play, ProtocolViolation

FORMATS: Final[dict[str, tuple[Encoding, int]]] = {
    "ulaw": ("pcmu", 8000),
    "alaw": ("pcma", 8000),
    "slin": ("l16le", 8000),
    "slin16": ("l16le", 16000),
    "slin24": ("l16le", 24000),
}
COMMAND_MAX_BYTES: Final = 128
MESSAGE_MAX_BYTES: Final = 65500
XOFF_FRAMES: Final = 900
XON_FRAMES: Final = 800
"""The queue is full from ``XOFF_FRAMES`` of 20 ms on, and until there are less than these."""

_SILENT: Final = frozenset({"ANSWER", "CONTINUE_MEDIA", "PAUSE_MEDIA", "GET_STATUS", "REPORT_QUEUE_DRAINED"})


class AsteriskWire(AudioWire):
    """
    One stream: binary audio in whole frames, and marks that are lost with a flush.

    Buffering (``START_MEDIA_BUFFERING``) is not simulated, nor that what goes beyond a full queue is dropped.

    Args:
        call: the phone's.
        format_name: Asterisk's name of the codec.
        channel_id: of the media's own channel.
        connection_id: the section of websocket_client.conf.
    """

    title = "Asterisk chan_websocket"
    is_binary = True

    def __init__(
        self, call: Call, format_name: str = "ulaw", *, channel_id: str = "1767225601.7", connection_id: str = "relay"
    ) -> None:
        super().__init__(call, *FORMATS[format_name])
        self._format_name = format_name
        self._channel_id = channel_id
        self._connection_id = connection_id
        self._is_full = False

    def connected(self) -> bytes:
        """Nothing."""
        return b""

    def start(self) -> bytes:
        """The first message."""
        start = {
            "connection_id": self._connection_id,
            "channel": f"WebSocket/{self._connection_id}/0x7f0000000001",
            "channel_id": self._channel_id,
            "format": self._format_name,
            "optimal_frame_size": self.frame_bytes,
            "ptime": FRAME_MS,
            "channel_variables": dict(self.call.custom_parameters),
        }
        return orjson.dumps({"event": "MEDIA_START", **start})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms, binary."""
        return self.encoded(pcm)

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        return self._event("DTMF_END", digit=digit)

    def mark(self, name: str) -> bytes:
        """A mark was played."""
        return self._event("MEDIA_MARK_PROCESSED", correlation_id=name)

    def queued(self, samples: int) -> bytes:
        """That the queue is full, and that it is no longer; each once."""
        frames = samples // FRAME_SAMPLES
        if frames >= XOFF_FRAMES if not self._is_full else frames < XON_FRAMES:
            self._is_full = not self._is_full
            return self._event("MEDIA_XOFF" if self._is_full else "MEDIA_XON")
        return b""

    def stop(self) -> bytes:
        """Nothing: the socket is closed."""
        return b""

    def fault(self, what: str) -> bytes:
        """A message that was not taken."""
        return self._event("ERROR", error_text=what[:100])

    def _event(self, event: str, **content: str) -> bytes:
        return orjson.dumps({"event": event, "channel_id": self._channel_id, **content})

    def read(self, message: str | bytes) -> Command | None:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        if isinstance(message, bytes):
            return self._play(message)
        if len(message.encode()) > COMMAND_MAX_BYTES:
            raise ProtocolViolation(f"command: expected at most {COMMAND_MAX_BYTES} bytes, got {len(message.encode())}")
        content: dict[str, Any] = object_of(message)
        match content:
            case {"command": "MARK_MEDIA", "correlation_id": str(name)}:
                return Mark(name)
            case {"command": "FLUSH_MEDIA"}:
                return Clear()
            case {"command": str(command)} if command in _SILENT:
                return None
        raise unexpected(content, "MARK_MEDIA with a correlation_id, FLUSH_MEDIA or CONTINUE_MEDIA")

    def _play(self, message: bytes) -> Play:
        if len(message) > MESSAGE_MAX_BYTES:
            raise ProtocolViolation(f"audio: expected at most {MESSAGE_MAX_BYTES} bytes, got {len(message)}")
        if not message or len(message) % self.frame_bytes:
            raise ProtocolViolation(f"audio: expected whole frames of {self.frame_bytes} bytes, got {len(message)}")
        return Play(self.decoded(message, what="audio"))
