"""
Owns the media messages of the benchmarks, and their templates: Twilio's, in the compact form in which they come.

Source: twilio.com/docs/voice/media-streams/websocket-messages. Without numpy, whose start under valgrind
takes longer than everything that is counted there.
"""

from __future__ import annotations

import base64
import json

from relay._codec import Field, MediaTemplate

STREAM_SID = "MZ18ad3ab5a668481ce02b83e7395059f0"

TWILIO_IN = MediaTemplate(
    {
        "event": "media",
        "sequenceNumber": Field.SEQUENCE,
        "media": {"track": "inbound", "chunk": Field.NUMBER, "timestamp": Field.TIMESTAMP, "payload": Field.PAYLOAD},
        "streamSid": STREAM_SID,
    }
)
TWILIO_OUT = MediaTemplate({"event": "media", "streamSid": STREAM_SID, "media": {"payload": Field.PAYLOAD}})


def twilio_message(payload: bytes) -> bytes:
    """Return what Twilio sends for one payload from the caller; ``TWILIO_IN`` matches it byte for byte."""
    media = {"track": "inbound", "chunk": "2713", "timestamp": "54260", "payload": base64.b64encode(payload).decode()}
    message = {"event": "media", "sequenceNumber": "2714", "media": media, "streamSid": STREAM_SID}
    return json.dumps(message, separators=(",", ":")).encode()
