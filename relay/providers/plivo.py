"""
Plivo's bidirectional audio streaming (docs.plivo.com: audio streaming, ``<Stream>``; plivo-stream-sdk-java).

Unconfirmed: L16 is little-endian; whether there is a ``stop`` before the WebSocket is closed; marks after a clear;
frames to it, of which nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from relay._codec import Field
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, Capabilities, Event, FrameRule, MarkReached, StreamStarted
from relay.providers.fields import Fields
from relay.providers.json_stream import JsonStream, Opening, is_own, read_dtmf, read_format
from relay.providers.stream import ALL_KEYS, PAUSES

_FORMATS: Final = {
    "audio/x-mulaw": [AudioFormat("pcmu", 8000)],
    "audio/x-l16": [AudioFormat("l16le", 8000), AudioFormat("l16le", 16000)],
}
_CONTENT_TYPES: Final = {"pcmu": "audio/x-mulaw", "l16le": "audio/x-l16"}


def _audio(fields: Fields) -> list[Event]:
    """Without ``timestamp``: since the stream began by the SDK, since 1970 by the examples."""
    media = fields.fields("media")
    return [] if is_own(media) else [AudioReceived(media.audio("payload"), media.number_or_none("chunk"))]


def _played(fields: Fields) -> list[Event]:
    return [MarkReached(fields.text("name"))]


def _cleared(_fields: Fields) -> list[Event]:
    return []


class PlivoAdapter(JsonStream):
    """One Plivo stream: it begins with ``start``, with nothing before it."""

    name = "plivo"
    capabilities = Capabilities(
        audio="text",
        marks=True,
        clear=True,
        marks_after_clear="unknown",
        dtmf_received=True,
        dtmf_sent="stream",
        ordered=True,
        frames_to_carrier=FrameRule(),
        close_ends_call=True,
        dtmf_keys=ALL_KEYS + PAUSES,
    )
    readers: ClassVar = {"media": _audio, "dtmf": read_dtmf, "playedStream": _played, "clearedAudio": _cleared}

    def open_stream(self, fields: Fields) -> Opening:
        """Of a ``start``: see ``JsonStream.open_stream``."""
        start = fields.fields("start")
        stream_id = start.text_or_none("streamId") or fields.text("streamId")
        audio = read_format(start.fields_or_none("mediaFormat"), _FORMATS)
        headers = {key: value for key, value in fields.values.items() if key == "extra_headers"}
        media = {"track": "inbound", "timestamp": Field.NUMBER, "chunk": Field.SEQUENCE, "payload": Field.PAYLOAD}
        message = {"event": "media", "sequenceNumber": Field.NUMBER, "streamId": stream_id, "media": media, **headers}
        # Without ";rate=", which it has in the answer document: else nothing is heard.
        form: dict[str, Any] = {"contentType": _CONTENT_TYPES[audio.encoding], "sampleRate": audio.rate_hz}
        return Opening(
            started=StreamStarted(stream_id, start.text("callId"), audio, _custom(fields, start)),
            frame_rule=FrameRule(audio.sample_bytes, audio.sample_bytes),
            stream_key="streamId",
            audio_in=message,
            audio_out=lambda payload: {"event": "playAudio", "media": {**form, "payload": payload}},
            mark=lambda name: {"event": "checkpoint", "streamId": stream_id, "name": name},
            clear={"event": "clearAudio", "streamId": stream_id},
            dtmf=lambda digits: [{"event": "sendDTMF", "dtmf": digits}],
        )

    def stop_reason(self, fields: Fields) -> str:
        """Of a ``stop``."""
        return fields.text_or_none("reason") or ""


def _custom(fields: Fields, start: Fields) -> Mapping[str, str]:
    """``extra_headers`` is an object, JSON of one, ``a=b;c=d`` or ``a=b,c=d``: keys and values are alphanumeric."""
    custom = dict(start.texts("customParameters"))
    if isinstance(fields.values.get("extra_headers"), dict):
        return MappingProxyType({**custom, **fields.texts("extra_headers")})
    for pair in re.split("[;,]", (fields.text_or_none("extra_headers") or "").strip(" {}")):
        key, *value = (part.strip(' "') for part in re.split("[=:]", pair, maxsplit=1))
        custom |= {key: value[0]} if key and value else {}
    return MappingProxyType(custom)
