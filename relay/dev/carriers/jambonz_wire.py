"""jambonz's stream verb as it speaks it, from docs.jambonz.org and its sources (feature server, mod_audio_fork)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from relay.dev.carriers.audio_wire import AudioWire, object_of, unexpected
from relay.dev.phone_wire import Call, Clear, Command, Mark, Play, ProtocolViolation

MARKS_MAX: Final = 30
DTMF_SAMPLES: Final = "1600"
MARKER: Final = b"\xff\xff"


class JambonzWire(AudioWire):
    """
    One stream: binary audio, a first message without an event, marks that ride on audio.

    Args:
        call: whose.
        rate_hz: of the audio, both ways.
        told: of the call, in the first message, by jambonz' own names.
        passes_dtmf: keys are told.
        swallows_marks: after a clear, so many marks are never returned as it dropped: seen in its source of 2024.
    """

    title = "jambonz stream"
    is_binary = True
    marks_ride = True

    def __init__(
        self,
        call: Call,
        rate_hz: int = 8000,
        *,
        told: Mapping[str, Any] | None = None,
        passes_dtmf: bool = True,
        swallows_marks: bool = False,
    ) -> None:
        super().__init__(call, "l16le", rate_hz)
        self._told = told or {}
        self._passes_dtmf = passes_dtmf
        self._swallows = swallows_marks
        self._to_swallow = 0
        self._marks_out = 0
        self._odd = b""

    def connected(self) -> bytes:
        """Nothing."""
        return b""

    def start(self) -> bytes:
        """The first message: the call, and the verb's metadata at the same level."""
        start = {
            "sampleRate": self.rate_hz,
            "mixType": "mono",
            "callSid": self.call.call_sid,
            "direction": "outbound",
            "from": self.call.from_number,
            "to": self.call.to,
            "callId": str(uuid.uuid4()),
            "sipStatus": 200,
            "sipReason": "OK",
            "callStatus": "in-progress",
            "accountSid": self.call.account_sid,
            "traceId": uuid.uuid4().hex,
            "applicationSid": str(uuid.uuid4()),
            "fsSipAddress": "10.0.0.5:5060",
        }
        return orjson.dumps({**start, **self._told, **self.call.custom_parameters})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms, binary."""
        return self.encoded(pcm)

    def dtmf(self, digit: str) -> bytes:
        """A key, if the verb says so."""
        message = {"event": "dtmf", "dtmf": digit, "duration": DTMF_SAMPLES}
        return orjson.dumps(message) if self._passes_dtmf else b""

    def mark(self, name: str) -> bytes:
        """A mark was played."""
        self._marks_out -= 1
        if self._to_swallow:
            self._to_swallow -= 1
            return b""
        return _mark(name, "playout")

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """Each mark that was dropped."""
        self._marks_out -= len(names)
        self._to_swallow += len(names) if self._swallows else 0
        return [_mark(name, "cleared") for name in names]

    def stop(self) -> bytes:
        """Nothing: the socket is closed."""
        return b""

    def read(self, message: str | bytes) -> Command | None:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        if isinstance(message, bytes):
            return self._play(message)
        content = object_of(message)
        match content:
            case {"type": "mark", "data": {"name": str(name)}}:
                if self._marks_out == MARKS_MAX:
                    raise ProtocolViolation(f"mark: expected at most {MARKS_MAX} that are out, got one more")
                self._marks_out += 1
                return Mark(name)
            case {"type": "killAudio"}:
                return Clear()
        raise unexpected(content, "mark with a name or killAudio")

    def _play(self, message: bytes) -> Play | None:
        data = self._odd + message
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        samples = data[:whole]
        if not samples:
            return None
        if self._marks_out and any(samples[at : at + 2] == MARKER for at in _found(samples)):
            raise ProtocolViolation(
                "audio: expected no sample of -1 while marks are out, got one: it is taken for a mark"
            )
        return Play(self.decoded(samples, what="audio"))


def _found(samples: bytes) -> Sequence[int]:
    """Where whole samples are all ones."""
    places, at = [], samples.find(MARKER)
    while at >= 0:
        if at % 2 == 0:
            places.append(at)
        at = samples.find(MARKER, at + 1)
    return places


def _mark(name: str, event: str) -> bytes:
    return orjson.dumps({"type": "mark", "data": {"name": name, "event": event}})
