"""
Telnyx's media streaming, in its ``rtp`` mode (developers.telnyx.com: media streaming over WebSockets).

Unconfirmed: L16 is big-endian, as others read it; that closing the WebSocket leaves the call alone.
"""

from __future__ import annotations

from typing import ClassVar, Final

from relay._codec import Field
from relay.media.format import PTIME_MS, AudioFormat
from relay.providers.base import Capabilities, CarrierFault, Event, FrameRule, StreamStarted
from relay.providers.fields import Fields
from relay.providers.json_stream import JsonStream, Opening, read_audio, read_dtmf, read_format, read_mark
from relay.providers.stream import ALL_KEYS, PAUSES

_MESSAGE_MAX_MS: Final = 30_000
_TITLE_MAX_CHARS: Final = 40
# G.722, Opus and AMR-WB it has too, and relay has not. Without one of these asked for, it is whatever the leg has.
_FORMATS: Final = {
    "PCMU": [AudioFormat("pcmu", 8000)],
    "PCMA": [AudioFormat("pcma", 8000)],
    "L16": [AudioFormat("l16be", rate_hz) for rate_hz in (16000, 8000, 24000, 48000)],
}


def _fault(fields: Fields) -> list[Event]:
    """By its title: of one title two codes have been seen. Not ``detail``, of which it is not known what it quotes."""
    payload = fields.fields_or_none("payload")
    title = payload.text_or_none("title") if payload is not None else None
    return [CarrierFault((title or "no title")[:_TITLE_MAX_CHARS])]


def _frame_rule(audio: AudioFormat) -> FrameRule:
    least, most = (audio.size_bytes(duration_ms) for duration_ms in (PTIME_MS, _MESSAGE_MAX_MS))
    return FrameRule(audio.sample_bytes, least, most)


class TelnyxAdapter(JsonStream):
    """One Telnyx stream. The stream's id is at the top only, and what is sent to it has none."""

    name = "telnyx"
    capabilities = Capabilities(
        audio="text",
        marks=True,
        clear=True,
        marks_after_clear="returned",
        dtmf_received=True,
        dtmf_sent="rest",
        ordered=False,
        frames_to_carrier=_frame_rule(_FORMATS["PCMU"][0]),
        close_ends_call=False,
        tells_faults=True,
        dtmf_keys=ALL_KEYS + PAUSES,
    )
    readers: ClassVar = {"media": read_audio, "dtmf": read_dtmf, "mark": read_mark, "error": _fault}

    def open_stream(self, fields: Fields) -> Opening:
        """Of a ``start``: see ``JsonStream.open_stream``."""
        start = fields.fields("start")
        stream_id = fields.text("stream_id")
        audio = read_format(start.fields_or_none("media_format"), _FORMATS, rate_key="sample_rate")
        numbers = {"chunk": Field.SEQUENCE, "timestamp": Field.TIMESTAMP}
        media = {"track": "inbound", **numbers, "payload": Field.PAYLOAD}
        custom = start.texts("custom_parameters")
        return Opening(
            started=StreamStarted(stream_id, start.text("call_control_id"), audio, custom),
            frame_rule=_frame_rule(audio),
            stream_key="stream_id",
            audio_in={"event": "media", "sequence_number": Field.NUMBER, "media": media, "stream_id": stream_id},
            audio_out=lambda payload: {"event": "media", "media": {"payload": payload}},
            mark=lambda name: {"event": "mark", "mark": {"name": name}},
            clear={"event": "clear"},
        )
