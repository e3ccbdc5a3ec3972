"""What wires share: audio in the stream's format, from and to a phone at 8 kHz, and JSON that is read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from relay._codec import Decoder, Encoder
from relay.dev.carrier_document import Encoding
from relay.dev.phone_playout import FRAME_MS, RATE_HZ
from relay.dev.phone_wire import Call, ProtocolViolation

SAMPLE_BYTES: Final = {"pcmu": 1, "pcma": 1, "l16le": 2, "l16be": 2}


class AudioWire:
    """One stream's audio, in the carrier's format; its messages are what differs."""

    is_binary = False
    message_frames = 1
    marks_survive_clear = False
    marks_ride = False
    swaps_every = 0

    def __init__(self, call: Call, encoding: Encoding, rate_hz: int) -> None:
        self.call = call
        self.encoding = encoding
        self.rate_hz = rate_hz
        self.frame_bytes = SAMPLE_BYTES[encoding] * rate_hz * FRAME_MS // 1000
        """Of 20 ms."""
        self._encoder = Encoder(encoding, rate_hz, RATE_HZ)
        self._decoder = Decoder(encoding, rate_hz, RATE_HZ)
        self._encoded = bytearray()

    def encoded(self, pcm: bytes) -> bytes:
        """Whole frames for so many frames of the phone: a resampler's delay is filled up with silence, once."""
        size = self.message_frames * self.frame_bytes
        self._encoded += self._encoder.push(pcm)
        self._encoded[:0] = bytes(max(0, size - len(self._encoded)))
        message = bytes(self._encoded[:size])
        del self._encoded[:size]
        return message

    def decoded(self, payload: bytes | str, *, what: str) -> bytes:
        """
        What is to be heard; text is base64.

        Raises:
            ProtocolViolation: it is no audio of this stream.
        """
        try:
            return self._decoder.push_base64(payload) if isinstance(payload, str) else self._decoder.push(payload)
        except ValueError as error:
            raise ProtocolViolation(f"{what}: {error}") from error

    def cleared(self, names: Sequence[str]) -> Sequence[bytes]:
        """Nothing."""
        return ()

    def queued(self, samples: int) -> bytes:
        """Nothing."""
        return b""

    def fault(self, what: str) -> bytes:
        """Nothing."""
        return b""


def object_of(message: str | bytes) -> dict[str, Any]:
    """
    The object in a text message.

    Raises:
        ProtocolViolation: it is binary, or holds none.
    """
    if isinstance(message, bytes):
        raise ProtocolViolation(f"expected text, got {len(message)} bytes of binary, {message[:20]!r}")
    try:
        content = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise ProtocolViolation(f"expected JSON, got {message[:80]!r}") from error
    if not isinstance(content, dict):
        raise ProtocolViolation(f"expected an object, got {message[:80]!r}")
    return content


def expect_id(content: dict[str, Any], name: str, expected: str, *, required: bool = True) -> None:
    """
    Hold a message to the id of its stream.

    Raises:
        ProtocolViolation: it has another, or none where it must have one.
    """
    if (required or name in content) and content.get(name) != expected:
        raise ProtocolViolation(f"expected {name} {expected}, got {content.get(name)!r}")


def unexpected(content: dict[str, Any], expected: str) -> ProtocolViolation:
    """The violation of a message that is none of those expected."""
    return ProtocolViolation(f"expected {expected}, got {orjson.dumps(content).decode()[:80]!r}")
