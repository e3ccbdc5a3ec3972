"""Twilio's bidirectional Media Streams (twilio.com/docs/voice/media-streams/websocket-messages)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from relay._codec import Field
from relay.media.format import AudioFormat
from relay.providers.base import Capabilities, FrameRule, StreamStarted
from relay.providers.fields import Fields
from relay.providers.json_stream import Formats, JsonStream, Opening, read_audio, read_dtmf, read_format, read_mark

_FORMATS: Final = {"audio/x-mulaw": [AudioFormat("pcmu", 8000)]}


class TwilioAdapter(JsonStream):
    """One Twilio stream: always PCMU."""

    name = "twilio"
    capabilities = Capabilities(
        audio="text",
        marks=True,
        clear=True,
        marks_after_clear="returned",
        dtmf_received=True,
        dtmf_sent="no",  # only by redirecting the call to <Play digits>, which ends the stream
        ordered=True,
        # With others users heard jitter: github.com/openai/openai-agents-js/pull/1184
        frames_to_carrier=FrameRule(multiple_bytes=160, min_bytes=160),
        close_ends_call=True,
    )
    readers: ClassVar = {"media": read_audio, "dtmf": read_dtmf, "mark": read_mark}

    def open_stream(self, fields: Fields) -> Opening:
        """Of a ``start``: see ``JsonStream.open_stream``."""
        started = twilio_started(fields, _FORMATS)
        return twilio_opening(started, self.frame_rule, media_keys={"streamSid": started.stream_id})


def twilio_started(fields: Fields, formats: Formats) -> StreamStarted:
    """What Twilio's ``start`` says, and that of who took up its messages: the stream's id inside it, or beside it."""
    start = fields.fields("start")
    stream_id = start.text_or_none("streamSid") or fields.text("streamSid")
    audio = read_format(start.fields_or_none("mediaFormat"), formats)
    return StreamStarted(stream_id, start.text("callSid"), audio, start.texts("customParameters"))


def twilio_opening(started: StreamStarted, frame_rule: FrameRule, *, media_keys: dict[str, Any]) -> Opening:
    """The stream that follows; ``media_keys`` come after the carrier's ``media``."""
    stream = {"streamSid": started.stream_id}
    numbers = {"chunk": Field.SEQUENCE, "timestamp": Field.TIMESTAMP}
    media = {"track": "inbound", **numbers, "payload": Field.PAYLOAD}
    return Opening(
        started=started,
        frame_rule=frame_rule,
        audio_in={"event": "media", "sequenceNumber": Field.NUMBER, "media": media, **media_keys},
        audio_out=lambda payload: {"event": "media", **stream, "media": {"payload": payload}},
        mark=lambda name: {"event": "mark", **stream, "mark": {"name": name}},
        clear={"event": "clear", **stream},
    )
