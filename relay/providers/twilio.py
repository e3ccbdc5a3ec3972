"""Twilio's bidirectional Media Streams (twilio.com/docs/voice/media-streams/websocket-messages)."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any, Final

import orjson

from relay._codec import Field, MediaTemplate
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, Capabilities, DtmfReceived, Event, FrameRule, MarkReached, StreamStarted
from relay.providers.fields import Fields, read_message
from relay.providers.stream import StreamOrder, check_mark_name

_FORMAT: Final = AudioFormat("pcmu", 8000)


class TwilioAdapter:
    """One Twilio stream, as ``MediaAdapter`` promises."""

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

    def __init__(self) -> None:
        self._order = StreamOrder(self.name)
        self.frame_rule = self.capabilities.frames_to_carrier
        self.media_in: MediaTemplate | None = None
        self.media_out: MediaTemplate | None = None

    def parse(self, message: bytes | str) -> list[Event]:
        """Read one message: see ``MediaAdapter.parse``."""
        fields = read_message(self.name, message)
        event = fields.text("event")
        if self._order.over:
            return []
        match event:
            case "start":
                return self._start(fields)
            case "media" | "dtmf" | "mark" | "stop":
                fields.check_text("streamSid", self._order.started_id(event))
                return self._of_stream(event, fields)
        return []  # "connected" says nothing that "start" does not; others Twilio may add

    def payload_of(self, message: bytes) -> bytes:
        """Twilio sends no binary messages."""
        return self._order.no_binary(message)

    def encode_audio(self, payload: bytes) -> bytes:
        """The message that plays ``payload``: whole multiples of 160 bytes of PCMU."""
        stream_id = self._order.open_id()
        self.frame_rule.check(self.name, payload)
        return orjson.dumps(_media_to_carrier(stream_id, binascii.b2a_base64(payload, newline=False).decode()))

    def encode_mark(self, name: str) -> bytes:
        """The message whose ``name`` Twilio sends back when what came before has been played, or cleared."""
        stream_id = self._order.open_id()
        check_mark_name(self.name, name)
        return orjson.dumps({"event": "mark", "streamSid": stream_id, "mark": {"name": name}})

    def encode_clear(self) -> Sequence[bytes]:
        """The message that drops what has not been played; every open mark comes back at once."""
        return (orjson.dumps({"event": "clear", "streamSid": self._order.open_id()}),)

    def _start(self, fields: Fields) -> list[Event]:
        start = fields.fields("start")
        stream_id = start.text_or_none("streamSid") or fields.text("streamSid")
        fields.check_text("streamSid", stream_id)
        _check_format(start)
        started = StreamStarted(stream_id, start.text("callSid"), _FORMAT, start.texts("customParameters"))
        news = self._order.start(started)
        if news:
            self.media_in = MediaTemplate(_media_from_carrier(stream_id))
            self.media_out = MediaTemplate(_media_to_carrier(stream_id, Field.PAYLOAD))
        return news

    def _of_stream(self, event: str, fields: Fields) -> list[Event]:
        match event:
            case "media":
                return _audio(fields.fields("media"))
            case "dtmf":
                return [DtmfReceived(fields.fields("dtmf").dtmf_digit("digit"))]
            case "mark":
                return [MarkReached(fields.fields("mark").text("name"))]
        self.media_in = self.media_out = None
        return self._order.stop()


def _check_format(start: Fields) -> None:
    """Refuse any but mu-law at 8 kHz, the only format that Twilio documents; it need not say so."""
    media_format = start.fields_or_none("mediaFormat")
    if media_format is not None:
        media_format.check_text("encoding", "audio/x-mulaw")
        media_format.check_number("sampleRate", _FORMAT.rate_hz)
        media_format.check_number("channels", 1)


def _audio(media: Fields) -> list[Event]:
    if media.check_text("track", "inbound", "outbound") == "outbound":
        return []  # what we sent ourselves
    return [AudioReceived(media.audio("payload"), media.number_or_none("chunk"), media.number_or_none("timestamp"))]


def _media_from_carrier(stream_id: str) -> dict[str, Any]:
    numbers = {"chunk": Field.SEQUENCE, "timestamp": Field.TIMESTAMP}
    media = {"track": "inbound", **numbers, "payload": Field.PAYLOAD}
    return {"event": "media", "sequenceNumber": Field.NUMBER, "media": media, "streamSid": stream_id}


def _media_to_carrier(stream_id: str, payload: str | Field) -> dict[str, Any]:
    return {"event": "media", "streamSid": stream_id, "media": {"payload": payload}}
