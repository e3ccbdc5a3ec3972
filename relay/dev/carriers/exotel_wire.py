"""Exotel's AgentStream as it speaks it, from developer.exotel.com (Voicebot and Stream applets' protocol page)."""

from __future__ import annotations

import base64
import uuid
from typing import Any, Final

import orjson

from relay.dev.carriers.audio_wire import AudioWire, expect_id, object_of, unexpected
from relay.dev.phone_playout import FRAME_MS
from relay.dev.phone_wire import Call, Clear, Command, Mark, Play, ProtocolViolation

CHUNK_MULTIPLE_BYTES: Final = 320
CHUNK_MIN_BYTES: Final = 3200
CHUNK_MAX_BYTES: Final = 100_000
DTMF_MS: Final = 100

_CAMEL: Final = {
    "sequence_number": "sequenceNumber",
    "stream_sid": "streamSid",
    "call_sid": "callSid",
    "account_sid": "accountSid",
    "custom_parameters": "customParameters",
    "media_format": "mediaFormat",
    "sample_rate": "sampleRate",
    "bit_rate": "bitRate",
}


class ExotelWire(AudioWire):
    """
    One stream: 100 ms of linear audio in a message, numbers as strings.

    Args:
        call: whose.
        rate_hz: 8000, 16000 or 24000.
        stream_sid: invented unless given.
        camel: names as in its samples for Connect Voice AI (``streamSid``), and not as on its protocol page.
    """

    title = "Exotel AgentStream"
    message_frames = 5

    def __init__(self, call: Call, rate_hz: int = 8000, *, stream_sid: str = "", camel: bool = False) -> None:
        super().__init__(call, "l16le", rate_hz)
        self.stream_sid = stream_sid or uuid.uuid4().hex
        self._camel = camel
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        """The first message."""
        return orjson.dumps({"event": "connected"})

    def start(self) -> bytes:
        """The second message."""
        start = {
            "stream_sid": self.stream_sid,
            "call_sid": self.call.call_sid,
            "account_sid": self.call.account_sid,
            "from": local_form(self.call.to),
            "to": local_form(self.call.from_number),
            "custom_parameters": dict(self.call.custom_parameters),
            "media_format": {"encoding": "raw", "sample_rate": str(self.rate_hz), "bit_rate": "128"},
        }
        return self._message("start", {"start": start})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """100 ms."""
        self._chunk += 1
        media = {
            "chunk": str(self._chunk),
            "timestamp": str(self._chunk * self.message_frames * FRAME_MS),
            "payload": base64.b64encode(self.encoded(pcm)).decode("ascii"),
        }
        return self._message("media", {"media": media}, stream_sid=stream_sid)

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        return self._message("dtmf", {"dtmf": {"duration": str(DTMF_MS), "digit": digit}})

    def mark(self, name: str) -> bytes:
        """A mark was reached."""
        return self._message("mark", {"mark": {"name": name}})

    def stop(self) -> bytes:
        """The last message."""
        ids = {"call_sid": self.call.call_sid, "account_sid": self.call.account_sid}
        return self._message("stop", {"stop": {**ids, "reason": "callended"}})

    def _message(self, event: str, content: dict[str, Any], *, stream_sid: str | None = None) -> bytes:
        self._sequence += 1
        head = {"event": event, "sequence_number": str(self._sequence), "stream_sid": stream_sid or self.stream_sid}
        return orjson.dumps(self._named({**head, **content}))

    def _named(self, content: dict[str, Any]) -> dict[str, Any]:
        if not self._camel:
            return content
        named = {}
        for name, value in content.items():
            inside = self._named(value) if isinstance(value, dict) and name != "custom_parameters" else value
            named[_CAMEL.get(name, name)] = inside
        return named

    def read(self, message: str | bytes) -> Command:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        content = object_of(message)
        expect_id(content, "stream_sid" if "stream_sid" in content or not self._camel else "streamSid", self.stream_sid)
        match content:
            case {"event": "media", "media": {"payload": str(payload)}}:
                size = len(payload) // 4 * 3 - payload.count("=")
                if size % CHUNK_MULTIPLE_BYTES or not CHUNK_MIN_BYTES <= size <= CHUNK_MAX_BYTES:
                    expected = f"{CHUNK_MIN_BYTES} to {CHUNK_MAX_BYTES} bytes, a multiple of {CHUNK_MULTIPLE_BYTES}"
                    raise ProtocolViolation(f"media.payload: expected {expected}, got {size}")
                return Play(self.decoded(payload, what="media.payload"))
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
        raise unexpected(content, "media with a payload, mark with a name or clear")


def local_form(number: str) -> str:
    """A number as Exotel writes it: an Indian one with a 0 before it."""
    return f"0{number.removeprefix('+91')}" if number.startswith("+91") else number
