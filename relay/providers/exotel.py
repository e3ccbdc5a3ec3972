"""
Exotel's AgentStream: the Voicebot applet and Connect Voice AI (developer.exotel.com; exotel/Agent-Stream).

Names come in snake case by the protocol's page, and in camel case by Exotel's own samples: a stream is answered as its
start is written. Unconfirmed: which path writes which; that the numbers, which the samples send in camel case so that a
stream does not end early, are not needed in snake case.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from relay._codec import Field
from relay.media.format import AudioFormat
from relay.providers.base import Capabilities, Event, FrameRule, StreamStarted
from relay.providers.fields import Fields
from relay.providers.json_stream import JsonStream, Opening, audio_of, read_dtmf, read_format, read_mark

_L16: Final = [AudioFormat("l16le", rate_hz) for rate_hz in (8000, 16000, 24000)]
_FORMATS: Final = {"raw": _L16, "audio/x-raw": _L16}


def _audio(fields: Fields) -> list[Event]:
    return [audio_of(fields.fields("media"))]


class ExotelAdapter(JsonStream):
    """One Exotel stream: always L16, some 100 ms in a message."""

    name = "exotel"
    capabilities = Capabilities(
        audio="text",
        marks=True,
        clear=True,
        marks_after_clear="unknown",
        dtmf_received=True,
        dtmf_sent="no",
        ordered=True,
        # Shorter ones are heard as jitter, others as gaps of 20 ms, longer ones time out.
        frames_to_carrier=FrameRule(multiple_bytes=320, min_bytes=3200, max_bytes=100_000),
        close_ends_call=True,
    )
    readers: ClassVar = {"media": _audio, "dtmf": read_dtmf, "mark": read_mark}

    def open_stream(self, fields: Fields) -> Opening:
        """Of a ``start``: see ``JsonStream.open_stream``."""
        start = fields.fields("start")
        id_key = _key(start, "stream_sid")
        stream_key = id_key if id_key in start.values else _key(fields, "stream_sid")
        stream_id = start.text_or_none(stream_key) or fields.text(stream_key)
        is_camel = stream_key == "streamSid"
        media_format = start.fields_or_none(_key(start, "media_format"))
        rate_key = _key(media_format, "sample_rate") if media_format is not None else ""
        audio = read_format(media_format, _FORMATS, rate_key=rate_key)
        custom = start.texts(_key(start, "custom_parameters"))
        ids = {stream_key: stream_id, "stream_sid": stream_id}  # both, where it may be the one or the other
        media = {"chunk": Field.SEQUENCE, "timestamp": Field.TIMESTAMP, "payload": Field.PAYLOAD}
        number = "sequenceNumber" if is_camel else "sequence_number"
        return Opening(
            started=StreamStarted(stream_id, start.text(_key(start, "call_sid")), audio, custom),
            frame_rule=self.capabilities.frames_to_carrier,
            stream_key=stream_key,
            audio_in={"event": "media", number: Field.NUMBER, stream_key: stream_id, "media": media},
            audio_out=_Counted(ids, audio) if is_camel else lambda payload: _media(ids, payload),
            audio_out_counts=is_camel,
            mark=lambda name: {"event": "mark", **ids, "mark": {"name": name}},
            clear={"event": "clear", **ids},
        )

    def stop_reason(self, fields: Fields) -> str:
        """Of a ``stop``."""
        stop = fields.fields_or_none("stop")
        return (stop.text_or_none("reason") if stop is not None else None) or ""


def _key(fields: Fields, name: str) -> str:
    """The name as these fields have it: in snake case, if neither is there."""
    camel = re.sub("_(.)", lambda found: found[1].upper(), name)
    return camel if camel in fields.values else name


def _media(ids: dict[str, str], payload: str | Field, **numbers: str) -> dict[str, Any]:
    return {"event": "media", **ids, "media": {"payload": payload, **numbers}}


class _Counted:
    """Messages of audio that say which they are, and how much audio came before them."""

    def __init__(self, ids: dict[str, str], audio: AudioFormat) -> None:
        self._ids, self._audio = ids, audio
        self._messages = self._sent_bytes = 0

    def __call__(self, payload: str | Field) -> dict[str, Any]:
        timestamp_ms = int(self._audio.duration_ms(self._sent_bytes))
        self._messages += 1
        self._sent_bytes += len(str(payload)) // 4 * 3 - str(payload).count("=")
        number = str(self._messages)
        return _media(self._ids, payload, chunk=number, timestamp=str(timestamp_ms), sequenceNumber=number)
