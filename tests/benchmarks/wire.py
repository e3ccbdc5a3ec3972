"""
Owns the bytes of the simulated calls: Twilio's messages, as WebSocket frames of a client.

A frame of the whole load is one concatenation: the stream's id is the last key of Twilio's messages, so all that comes
before it is built once for all streams. The masking key is zero, which is legal and spares the generator the masking.
Source: twilio.com/docs/voice/media-streams/websocket-messages.
"""

from __future__ import annotations

import base64
import json

from relay._codec import Encoder
from relay.media.format import PTIME_MS

FRAMES_PER_S = 1000 // PTIME_MS
RATE_HZ = 8000
PAYLOAD_BYTES = RATE_HZ * PTIME_MS // 1000
_TEXT, _PONG = 0x81, 0x8A
_MASKED, _ZERO_KEY = 0x80, bytes(4)
_STREAM_SID_CHARS = 34


def stream_sid(index: int) -> str:
    return f"MZ{index:032x}"


def text_frame(message: bytes) -> bytes:
    return _head(_TEXT, len(message)) + message


def pong_frame(data: bytes) -> bytes:
    return _head(_PONG, len(data)) + data


def opening(index: int) -> bytes:
    """Return ``connected`` and ``start`` of a stream."""
    sid = stream_sid(index)
    start = {
        "accountSid": "AC" + "0" * 32,
        "streamSid": sid,
        "callSid": f"CA{index:032x}",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
        "customParameters": {},
    }
    messages: list[dict[str, object]] = [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": sid},
    ]
    return b"".join(text_frame(_compact(message)) for message in messages)


def mark_frame(name: str, index: int) -> bytes:
    """Return the mark that says that the carrier has played so far."""
    return text_frame(
        _compact({"event": "mark", "sequenceNumber": "4", "streamSid": stream_sid(index), "mark": {"name": name}})
    )


def media_prefixes(pcm: bytes) -> list[bytes]:
    """Return one frame for each 20 ms of ``pcm`` (8 kHz), up to the stream's id, for ``media_suffix``."""
    encoder = Encoder("pcmu", RATE_HZ, RATE_HZ)
    frame_bytes = 2 * PAYLOAD_BYTES
    return [
        _media_prefix(number, encoder.push(pcm[number * frame_bytes : (number + 1) * frame_bytes]))
        for number in range(len(pcm) // frame_bytes)
    ]


def media_suffix(index: int) -> bytes:
    return f'{stream_sid(index)}"}}'.encode()


def _media_prefix(number: int, payload: bytes) -> bytes:
    media = {
        "track": "inbound",
        "chunk": str(number + 1),
        "timestamp": str(number * PTIME_MS + 5),
        "payload": base64.b64encode(payload).decode(),
    }
    message = _compact({"event": "media", "sequenceNumber": str(number + 2), "media": media, "streamSid": ""})
    return _head(_TEXT, len(message) + _STREAM_SID_CHARS) + message[:-2]


def _head(first: int, size_bytes: int) -> bytes:
    if size_bytes < 126:
        return bytes((first, _MASKED | size_bytes)) + _ZERO_KEY
    return bytes((first, _MASKED | 126)) + size_bytes.to_bytes(2, "big") + _ZERO_KEY


def _compact(message: dict[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
