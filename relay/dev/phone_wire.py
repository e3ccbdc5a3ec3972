"""
How a carrier speaks on a media stream, and Twilio does: messages out, and ours read strictly. No socket, no clock.

Written from twilio.com/docs/voice/media-streams/websocket-messages alone, and not from relay's own adapter.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import orjson

from relay._codec import Decoder, Encoder
from relay.dev.phone_playout import FRAME_MS, RATE_HZ

FIRST_TIMESTAMP_MS = 5
"""Of the first frame, as in Twilio's own example."""


def _sid(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls: ids, invented as Twilio's unless given, and the parameters of the answer document."""

    custom_parameters: Mapping[str, str] = field(default_factory=dict)
    stream_sid: str = field(default_factory=lambda: _sid("MZ"))
    call_sid: str = field(default_factory=lambda: _sid("CA"))
    account_sid: str = field(default_factory=lambda: _sid("AC"))
    from_number: str = field(default="", repr=False)
    to: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Play:
    """The relay wants this heard: L16 at 8 kHz."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """The relay wants to be told when all before this has been heard."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """The relay wants what waits dropped."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The relay wants the phone to hear these keys; ``w`` and ``W`` are pauses."""

    digits: str


Command: TypeAlias = Play | Mark | Clear | Keys


class ProtocolViolation(Exception):
    """The relay sent what the carrier does not take."""


class PhoneWire(Protocol):
    """
    One stream of a carrier; who is at the phone speaks and hears L16 at 8 kHz, whatever the stream has.

    What is empty is not sent: a carrier that has no such message.
    """

    title: str
    """For people."""
    is_binary: bool
    """Audio is in binary messages, both ways; all else is text."""
    message_frames: int
    """How many frames of 20 ms one message of audio holds."""
    marks_survive_clear: bool
    """Marks that ``clear`` overtakes are returned as those that were played."""
    marks_ride: bool
    """A mark goes with the next audio: it is returned when that is played, or at once when nothing waits."""
    swaps_every: int
    """Of so many messages of audio the last one comes behind the one after it; 0: all come in order."""

    def connected(self) -> bytes:
        """The first message."""

    def start(self) -> bytes:
        """What the stream is; audio follows."""

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """``message_frames`` frames that the phone said; ``stream_sid`` for one that is not this stream's."""

    def dtmf(self, digit: str) -> bytes:
        """A key was pressed."""

    def mark(self, name: str) -> bytes:
        """All audio before the relay's mark has been heard."""

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """What is told after a clear; ``names`` are those of the marks that it dropped."""

    def queued(self, samples: int) -> bytes:
        """What is told when so many samples of the relay's audio wait to be played."""

    def stop(self) -> bytes:
        """The last message."""

    def fault(self, what: str) -> bytes:
        """What is told to a relay that sent what the carrier does not take."""

    def read(self, message: str | bytes) -> Command | None:
        """
        What one message of the relay asks for, None if nothing that is simulated; bytes are a binary one.

        Raises:
            ProtocolViolation: the carrier would warn of it, or ignore it.
        """


class Wire:
    """One stream: numbers its messages as Twilio does (one count for all but ``connected``, one for audio)."""

    title = "Twilio Media Streams"
    is_binary = False
    message_frames = 1
    marks_survive_clear = True
    marks_ride = False
    swaps_every = 0

    def __init__(self, call: Call) -> None:
        self.call = call
        self._encoder = Encoder("pcmu", RATE_HZ, RATE_HZ)
        self._decoder = Decoder("pcmu", RATE_HZ, RATE_HZ)
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        """The first message."""
        return orjson.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})

    def start(self) -> bytes:
        """The second message: what the stream is."""
        start = {
            "accountSid": self.call.account_sid,
            "streamSid": self.call.stream_sid,
            "callSid": self.call.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
            "customParameters": dict(self.call.custom_parameters),
        }
        return self._message("start", {"start": start})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms that the phone said; ``stream_sid`` for one that is not this stream's."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(FIRST_TIMESTAMP_MS + (self._chunk - 1) * FRAME_MS),
            "payload": self._encoder.push_base64(pcm).decode("ascii"),
        }
        return self._message("media", {"media": media}, stream_sid=stream_sid)

    def dtmf(self, digit: str) -> bytes:
        """A key was pressed."""
        return self._message("dtmf", {"dtmf": {"track": "inbound_track", "digit": digit}})

    def mark(self, name: str) -> bytes:
        """All audio before the relay's mark has been heard, or dropped."""
        return self._message("mark", {"mark": {"name": name}})

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """Nothing: the marks are returned."""
        return ()

    def queued(self, samples: int) -> bytes:
        """Nothing."""
        return b""

    def stop(self) -> bytes:
        """The last message."""
        return self._message("stop", {"stop": {"accountSid": self.call.account_sid, "callSid": self.call.call_sid}})

    def fault(self, what: str) -> bytes:
        """Nothing: Twilio's warnings are in its console."""
        return b""

    def _message(self, event: str, content: dict[str, Any], *, stream_sid: str | None = None) -> bytes:
        self._sequence += 1
        head = {"event": event, "sequenceNumber": str(self._sequence)}
        return orjson.dumps({**head, **content, "streamSid": stream_sid or self.call.stream_sid})

    def read(self, message: str | bytes) -> Command:
        """
        What one message of the relay asks for; bytes are a binary one.

        Raises:
            ProtocolViolation: Twilio would warn of it, or ignore it.
        """
        if isinstance(message, bytes):
            raise ProtocolViolation(f"expected text, got {len(message)} bytes of binary, {message[:20]!r}")
        try:
            content = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            raise ProtocolViolation(f"expected JSON, got {message[:80]!r}") from error
        if not isinstance(content, dict):
            raise ProtocolViolation(f"expected an object, got {message[:80]!r}")
        if content.get("streamSid") != self.call.stream_sid:
            raise ProtocolViolation(f"expected streamSid {self.call.stream_sid}, got {content.get('streamSid')!r}")
        match content:
            case {"event": "media", "media": {"payload": str(payload)}}:
                return Play(self._decode(payload))
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
        raise ProtocolViolation(f"expected media with a payload, mark with a name or clear, got {message[:80]!r}")

    def _decode(self, payload: str) -> bytes:
        try:
            return self._decoder.push_base64(payload)
        except ValueError as error:
            raise ProtocolViolation(f"media.payload: {error}") from error
