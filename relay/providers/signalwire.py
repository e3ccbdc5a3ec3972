"""
SignalWire's bidirectional streams: Twilio's messages, but for where ids are, and with L16.

Source: the pages on ``<Stream>`` of SignalWire's Compatibility XML (signalwire/docs, August 2026). Unconfirmed: the
byte order of L16, little-endian as others read it; frames of whole 20 ms, as with Twilio.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from relay.media.format import PTIME_MS, AudioFormat
from relay.providers.base import Capabilities, FrameRule
from relay.providers.fields import Fields
from relay.providers.json_stream import JsonStream, Opening, read_audio, read_dtmf, read_mark
from relay.providers.stream import ALL_KEYS
from relay.providers.twilio import twilio_opening, twilio_started

_L16: Final = [AudioFormat("l16le", rate_hz) for rate_hz in (16000, 24000, 8000)]
_FORMATS: Final = {"audio/x-mulaw": [AudioFormat("pcmu", 8000)], "audio/x-L16": _L16, "audio/x-l16": _L16}


class SignalWireAdapter(JsonStream):
    """One SignalWire stream. Its start has the ids inside only; media and stop have none."""

    name = "signalwire"
    capabilities = Capabilities(
        audio="text",
        marks=True,
        clear=True,
        marks_after_clear="unknown",
        dtmf_received=True,
        dtmf_sent="stream",
        ordered=True,
        frames_to_carrier=FrameRule(multiple_bytes=160, min_bytes=160),
        close_ends_call=True,
        dtmf_keys=ALL_KEYS,  # one in a message: a pause is no digit
    )
    without_id: ClassVar = ("media",)  # should one have it: the native path does not look
    readers: ClassVar = {"media": read_audio, "dtmf": read_dtmf, "mark": read_mark}

    def open_stream(self, fields: Fields) -> Opening:
        """Of a ``start``: see ``JsonStream.open_stream``."""
        started = twilio_started(fields, _FORMATS)
        frame_bytes = started.format.size_bytes(PTIME_MS)
        opening = twilio_opening(started, FrameRule(frame_bytes, frame_bytes), media_keys={})
        stream = {"streamSid": started.stream_id}
        return replace(
            opening, dtmf=lambda digits: [{"event": "dtmf", **stream, "dtmf": {"digit": each}} for each in digits]
        )
