"""SignalWire's streams as it speaks them, from its docs of cXML's ``<Stream>``: Twilio's, but for some fields."""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson

from relay.dev.carrier_document import Encoding
from relay.dev.carriers.audio_wire import AudioWire, expect_id, object_of, unexpected
from relay.dev.phone_playout import FRAME_MS
from relay.dev.phone_wire import Call, Clear, Command, Keys, Mark, Play

DTMF_MS: Final = 100
DTMF: Final = frozenset("0123456789*#ABCD")
ENCODINGS: Final = {"pcmu": "audio/x-mulaw", "l16le": "audio/x-L16"}


class SignalWireWire(AudioWire):
    """One stream: its id is inside ``start``, most messages are without it, and some without a number."""

    title = "SignalWire stream"

    def __init__(self, call: Call, encoding: Encoding = "pcmu", rate_hz: int = 8000) -> None:
        super().__init__(call, encoding, rate_hz)
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        """The first message."""
        return orjson.dumps({"event": "connected", "protocol": "Call", "version": "0.2.0"})

    def start(self) -> bytes:
        """The second message."""
        start: dict[str, Any] = {
            "streamSid": self.call.stream_sid,
            "accountSid": self.call.account_sid,
            "callSid": self.call.call_sid,
            "tracks": ["inbound"],
        }
        if self.call.custom_parameters:
            start["customParameters"] = dict(self.call.custom_parameters)
        start["mediaFormat"] = {"encoding": ENCODINGS[self.encoding], "sampleRate": self.rate_hz, "channels": 1}
        return self._numbered("start", {"start": start})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(self._chunk * FRAME_MS),
            "payload": base64.b64encode(self.encoded(pcm)).decode("ascii"),
        }
        return self._numbered("media", {"media": media} | ({"streamSid": stream_sid} if stream_sid else {}))

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        content = {"streamSid": self.call.stream_sid, "dtmf": {"digit": digit, "duration": DTMF_MS}}
        return self._numbered("dtmf", content)

    def mark(self, name: str) -> bytes:
        """A mark was reached."""
        return orjson.dumps({"event": "mark", "streamSid": self.call.stream_sid, "mark": {"name": name}})

    def stop(self) -> bytes:
        """The last message."""
        return self._numbered("stop", {})

    def _numbered(self, event: str, content: dict[str, Any]) -> bytes:
        self._sequence += 1
        return orjson.dumps({"event": event, "sequenceNumber": str(self._sequence), **content})

    def read(self, message: str | bytes) -> Command:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        content = object_of(message)
        expect_id(content, "streamSid", self.call.stream_sid)
        match content:
            case {"event": "media", "media": {"payload": str(payload)}}:
                return Play(self.decoded(payload, what="media.payload"))
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
            case {"event": "dtmf", "dtmf": {"digit": str(digit)}} if digit in DTMF:
                return Keys(digit)
        raise unexpected(content, "media with a payload, mark with a name, clear or dtmf")
