"""What every carrier's media adapter offers: messages to events, commands to messages, and what the carrier can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol, TypeAlias

from relay._codec import MediaTemplate
from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat

MESSAGE_MAX_FRAMES: Final = 50
"""Frames in one message to a carrier, at most: it cannot be played before the last of them has been said."""


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The carrier has opened its stream; from here on there is audio."""

    stream_id: str
    call_id: str
    format: AudioFormat
    custom: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """
    Audio the agent said.

    ``sequence`` counts frames of this track from the carrier's own first number; ``timestamp_ms`` is since its stream
    began. None where the carrier does not say.
    """

    payload: bytes
    sequence: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """A key the agent pressed."""

    digit: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MarkReached:
    """All audio sent before the mark has been played, or (see ``Capabilities.marks_after_clear``) cleared."""

    name: str


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The carrier has ended its stream. Comes once."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class FlowChanged:
    """The carrier's buffer is full, and it takes no audio until it says so; or it takes audio again."""

    paused: bool


@dataclass(frozen=True, slots=True)
class CarrierFault:
    """The carrier says that something went wrong, with one of our messages or at its own side; the stream goes on."""

    detail: str


Event: TypeAlias = (
    StreamStarted | AudioReceived | DtmfReceived | MarkReached | FlowChanged | CarrierFault | StreamStopped
)


@dataclass(frozen=True, slots=True)
class FrameRule:
    """How much audio one message to the carrier may hold: ``min_bytes`` to ``max_bytes`` in multiples."""

    multiple_bytes: int = 1
    min_bytes: int = 1
    max_bytes: int | None = None

    def __str__(self) -> str:
        if self.min_bytes == self.max_bytes:
            return f"exactly {self.min_bytes} bytes"
        most = "" if self.max_bytes is None else f", at most {self.max_bytes}"
        return f"a multiple of {self.multiple_bytes} bytes, at least {self.min_bytes}{most}"

    def check(self, carrier: str, payload: bytes) -> None:
        """
        Let through what one message may hold.

        Raises:
            LocalProtocolError: ``payload`` is too short, too long, or no whole multiple.
        """
        size = len(payload)
        too_long = self.max_bytes is not None and size > self.max_bytes
        if size < self.min_bytes or too_long or size % self.multiple_bytes:
            raise LocalProtocolError(carrier, "payload", expected=str(self), got=f"{size} bytes")

    def frames(self, frame_bytes: int) -> int:
        """
        How many frames of ``frame_bytes`` each make one message: the fewest that may.

        Raises:
            ValueError: no number of them does, up to ``MESSAGE_MAX_FRAMES``.
        """
        most_bytes = MESSAGE_MAX_FRAMES * frame_bytes if self.max_bytes is None else self.max_bytes
        for frames in range(1, MESSAGE_MAX_FRAMES + 1):
            size = frames * frame_bytes
            if self.min_bytes <= size <= most_bytes and size % self.multiple_bytes == 0:
                return frames
        raise ValueError(f"frame rule: expected one for frames of {frame_bytes} bytes, got {self}")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier's media stream can do."""

    audio: Literal["text", "binary"]
    """The kind of WebSocket message that holds audio, both ways. All others are text."""
    marks: bool
    clear: bool
    marks_after_clear: Literal["returned", "dropped", "unknown"]
    dtmf_received: bool
    dtmf_sent: Literal["stream", "rest", "no"]
    ordered: bool
    """Audio arrives in the order of its sequence numbers, or not at all."""
    frames_to_carrier: FrameRule
    """Of a stream in the carrier's usual format; see ``MediaAdapter.frame_rule``."""
    close_ends_call: bool
    """Closing the media WebSocket ends the phone call, if nothing follows in the answer document."""
    subprotocol: str | None = None
    """The WebSocket subprotocol (RFC 6455, 1.9) that must be selected, if the carrier offers it."""
    says_when_full: bool = False
    """It says when its buffer is full, and when it takes audio again: ``FlowChanged``."""
    tells_faults: bool = False
    """It says what went wrong with a message of ours, or at its own side: ``CarrierFault``."""
    dtmf_keys: str = ""
    """The keys that can be sent to the phone, by ``dtmf_sent``; among them ``w`` and ``W``, pauses of 0.5 s and 1 s."""


class MediaAdapter(Protocol):
    """
    One stream of one carrier: no socket, no clock. Open from its ``StreamStarted`` to its ``StreamStopped``.

    Events that are no news (a second ``start``, anything after ``stop``, unknown events) are not reported.
    """

    name: str
    capabilities: Capabilities

    @property
    def frame_rule(self) -> FrameRule:
        """What one message of audio to the carrier may hold: from the start on, in this stream's format."""

    @property
    def media_in(self) -> MediaTemplate | None:
        """The audio messages of this stream, for ``Decoder.push_message``; None unless it is open, or if binary."""

    @property
    def media_out(self) -> MediaTemplate | None:
        """
        The messages ``encode_audio`` makes, for ``Encoder.push_message``.

        None unless the stream is open, if they are binary, or if they number what is sent.
        """

    def parse(self, message: bytes | str) -> list[Event]:
        """
        Read one text message of the carrier; most hold one event, some none.

        Raises:
            RemoteProtocolError: the message breaks the protocol. The adapter is as it was and can be used on.
        """

    def payload_of(self, message: bytes) -> bytes:
        """
        The encoded audio in one binary message; empty if it is no news: none of the agent's, or after the end.

        Raises:
            RemoteProtocolError: the carrier sends no audio so, or not yet. As of ``parse``.
        """

    def encode_audio(self, payload: bytes) -> bytes:
        """
        The message that plays ``payload``, encoded audio in the stream's format.

        Raises:
            LocalProtocolError: the stream is not open, or ``payload`` breaks the frame rule.
        """

    def encode_mark(self, name: str) -> bytes:
        """
        The message that asks to be told (``MarkReached``) when all audio before it has been played.

        Empty if the carrier would drop it, as too many are out: there is nothing to send, and it does not come back.

        Raises:
            LocalProtocolError: the stream is not open, ``name`` is not 1 to 64 characters of printable ASCII, or the
                carrier could not tell it from one that is out.
        """

    def encode_clear(self) -> Sequence[bytes]:
        """
        The messages that drop what the carrier has not played yet; none if it cannot.

        Raises:
            LocalProtocolError: the stream is not open.
        """

    def encode_dtmf(self, digits: str) -> Sequence[bytes]:
        """
        The messages that let the phone hear these keys, beside the audio.

        Raises:
            LocalProtocolError: the stream is not open; ``Capabilities.dtmf_sent`` is another way; or these are not 1 to
                32 of ``Capabilities.dtmf_keys``. They may be somebody's PIN, and are not shown.
        """
