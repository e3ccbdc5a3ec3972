"""Twilio's messages, as a carrier's client sends them (twilio.com/docs/voice/media-streams/websocket-messages)."""

from __future__ import annotations

import base64

import orjson

STREAM_ID, CALL_ID = "MZ0123", "CA0123"


def start() -> bytes:
    """The stream opens."""
    media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    about = {
        "streamSid": STREAM_ID,
        "callSid": CALL_ID,
        "customParameters": {"leg": "agent"},
        "mediaFormat": media_format,
    }
    return orjson.dumps({"event": "start", "sequenceNumber": "1", "start": about, "streamSid": STREAM_ID})


def media(chunk: int, payload: bytes = b"\x7e" * 160) -> bytes:
    """20 ms of audio."""
    about = {
        "track": "inbound",
        "chunk": str(chunk),
        "timestamp": str(20 * chunk),
        "payload": base64.b64encode(payload).decode(),
    }
    return orjson.dumps({"event": "media", "sequenceNumber": str(chunk + 1), "media": about, "streamSid": STREAM_ID})


def mark(name: str) -> bytes:
    """A mark has been reached."""
    return orjson.dumps({"event": "mark", "sequenceNumber": "9", "streamSid": STREAM_ID, "mark": {"name": name}})


def dtmf(digit: str) -> bytes:
    """A key was pressed."""
    about = {"track": "inbound_track", "digit": digit}
    return orjson.dumps({"event": "dtmf", "streamSid": STREAM_ID, "sequenceNumber": "5", "dtmf": about})


def stop() -> bytes:
    """The stream ends."""
    about = {"accountSid": "AC0123", "callSid": CALL_ID}
    return orjson.dumps({"event": "stop", "sequenceNumber": "8", "streamSid": STREAM_ID, "stop": about})
