"""Vonage's WebSocket endpoint as it speaks it, from developer.vonage.com/voice/voice-api/concepts/websockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from relay.dev.carriers.audio_wire import AudioWire, object_of, unexpected
from relay.dev.phone_wire import Call, Clear, Command, Mark, Play, ProtocolViolation

DTMF_MS: Final = 260


class VonageWire(AudioWire):
    """
    One stream: binary audio of exactly 20 ms, no ids, and what was to be notified is forgotten with a clear.

    What a relay wants to be notified of is a mark here, by the ``name`` in its payload.
    """

    title = "Vonage WebSocket"
    is_binary = True

    def __init__(self, call: Call, rate_hz: int = 16000) -> None:
        super().__init__(call, "l16le", rate_hz)
        self._payloads: dict[str, Any] = {}

    def connected(self) -> bytes:
        """Nothing."""
        return b""

    def start(self) -> bytes:
        """The first message: the format, and the headers of the NCCO at the same level."""
        start = {"event": "websocket:connected", "content-type": f"audio/l16;rate={self.rate_hz}"}
        return orjson.dumps({**start, **self.call.custom_parameters})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms, binary."""
        return self.encoded(pcm)

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        return orjson.dumps({"event": "websocket:dtmf", "digit": digit, "duration": DTMF_MS})

    def mark(self, name: str) -> bytes:
        """What was to be notified."""
        return orjson.dumps({"event": "websocket:notify", "payload": self._payloads.pop(name)})

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """That it was cleared."""
        for name in names:
            self._payloads.pop(name, None)
        return (orjson.dumps({"event": "websocket:cleared"}),)

    def stop(self) -> bytes:
        """Nothing: the socket is closed."""
        return b""

    def read(self, message: str | bytes) -> Command:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        if isinstance(message, bytes):
            if len(message) != self.frame_bytes:
                # Its own words; it closes the connection then.
                raise ProtocolViolation(f"unexpected frame size {len(message)}, when required {self.frame_bytes}")
            return Play(self.decoded(message, what="audio"))
        content = object_of(message)
        match content:
            case {"action": "notify", "payload": dict(payload)}:
                name = str(payload.get("name", orjson.dumps(payload).decode()))
                self._payloads[name] = payload
                return Mark(name)
            case {"action": "clear"}:
                return Clear()
        raise unexpected(content, "notify with a payload or clear")
