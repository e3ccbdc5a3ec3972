"""Plivo's Audio Streaming as it speaks it, from plivo.com/docs/voice/xml/the-stream-element; see ``phone_wire``."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from typing import Any, Final

import orjson

from relay.dev.carrier_document import Encoding
from relay.dev.carriers.audio_wire import AudioWire, expect_id, object_of, unexpected
from relay.dev.phone_playout import FRAME_MS
from relay.dev.phone_wire import Call, Clear, Command, Keys, Mark, Play, ProtocolViolation

CONTENT_TYPES: Final = {"pcmu": "audio/x-mulaw", "l16le": "audio/x-l16"}
FIRST_TIMESTAMP_MS: Final = 1767225601020
"""Of the first frame: Unix time in Plivo's examples."""
DTMF: Final = frozenset("0123456789*#ABCDwW")


class PlivoWire(AudioWire):
    """One stream: its messages are numbered with numbers, and marks that a clear overtakes are not returned."""

    title = "Plivo Audio Streaming"

    def __init__(self, call: Call, encoding: Encoding = "pcmu", rate_hz: int = 8000, *, stream_id: str = "") -> None:
        super().__init__(call, encoding, rate_hz)
        self.stream_id = stream_id or str(uuid.uuid4())
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        """Nothing."""
        return b""

    def start(self) -> bytes:
        """The first message; the stream's id is inside it only."""
        start = {
            "callId": self.call.call_sid,
            "streamId": self.stream_id,
            "accountId": self.call.account_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": CONTENT_TYPES[self.encoding], "sampleRate": self.rate_hz},
        }
        self._sequence += 1
        return orjson.dumps(
            {"event": "start", "sequenceNumber": self._sequence, "start": start, "extra_headers": self._extra_headers()}
        )

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "timestamp": str(FIRST_TIMESTAMP_MS + (self._chunk - 1) * FRAME_MS),
            "chunk": self._chunk,
            "payload": base64.b64encode(self.encoded(pcm)).decode("ascii"),
        }
        return self._message("media", {"media": media}, stream_id=stream_sid, told_again=True)

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        timestamp_ms = FIRST_TIMESTAMP_MS + self._chunk * FRAME_MS
        dtmf = {"track": "inbound", "digit": digit, "timestamp": str(timestamp_ms)}
        return self._message("dtmf", {"dtmf": dtmf}, told_again=True)

    def mark(self, name: str) -> bytes:
        """A checkpoint was played."""
        return self._message("playedStream", {"name": name})

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """That it was cleared."""
        return (self._message("clearedAudio", {}),)

    def stop(self) -> bytes:
        """The end, which some of Plivo's pages have."""
        return self._message("stop", {"reason": "call ended"})

    def _message(
        self, event: str, content: dict[str, Any], *, stream_id: str | None = None, told_again: bool = False
    ) -> bytes:
        self._sequence += 1
        head = {"event": event, "sequenceNumber": self._sequence, "streamId": stream_id or self.stream_id}
        tail = {"extra_headers": self._extra_headers()} if told_again else {}
        return orjson.dumps({**head, **content, **tail})

    def _extra_headers(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.call.custom_parameters.items())

    def read(self, message: str | bytes) -> Command:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        content = object_of(message)
        expect_id(content, "streamId", self.stream_id, required=content.get("event") in {"checkpoint", "clearAudio"})
        match content:
            case {"event": "playAudio", "media": {"contentType": kind, "sampleRate": rate_hz, "payload": str(payload)}}:
                expected = (CONTENT_TYPES[self.encoding], str(self.rate_hz))
                if (kind, str(rate_hz)) != expected:
                    raise ProtocolViolation(f"playAudio: expected {' at '.join(expected)}, got {kind} at {rate_hz}")
                return Play(self.decoded(payload, what="media.payload"))
            case {"event": "checkpoint", "name": str(name)}:
                return Mark(name)
            case {"event": "clearAudio"}:
                return Clear()
            case {"event": "sendDTMF", "dtmf": str(digits)} if digits and set(digits) <= DTMF:
                return Keys(digits)
        raise unexpected(content, "playAudio with a format and a payload, checkpoint with a name, clearAudio, sendDTMF")
