"""Vonage's WebSocket endpoint of a connect action (developer.vonage.com/en/voice/voice-api/concepts/websockets)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from relay.media.format import PTIME_MS, AudioFormat
from relay.providers.base import Capabilities, DtmfReceived, Event, FrameRule, MarkReached, StreamStarted
from relay.providers.binary_audio import BinaryAudio
from relay.providers.fields import Fields, read_message
from relay.providers.stream import PAUSES, PHONE_KEYS, check_mark_name

CALL_ID_HEADER: Final = "call_uuid"
"""The header of our NCCO that has to hold the phone call's uuid: of itself Vonage names no call and no stream."""

_FORMATS: Final = {f"audio/l16;rate={rate_hz}": AudioFormat("l16le", rate_hz) for rate_hz in (8000, 16000, 24000)}


def _one_frame(audio: AudioFormat) -> FrameRule:
    """Exactly 20 ms: with another size Vonage closes the socket (github.com/vocodedev/vocode-core/issues/720)."""
    size_bytes = audio.size_bytes(PTIME_MS)
    return FrameRule(size_bytes, size_bytes, size_bytes)


class VonageAdapter(BinaryAudio):
    """One Vonage stream, as ``MediaAdapter`` promises."""

    name = "vonage"
    first = "'websocket:connected'"
    capabilities = Capabilities(
        audio="binary",
        marks=True,  # a notify comes back when what was sent before it has been played
        clear=True,
        marks_after_clear="unknown",
        dtmf_received=True,
        dtmf_sent="rest",
        ordered=True,
        frames_to_carrier=_one_frame(AudioFormat("l16le", 16000)),
        close_ends_call=True,
        dtmf_keys=PHONE_KEYS + PAUSES,
    )

    def parse(self, message: bytes | str) -> list[Event]:
        """Read one message: see ``MediaAdapter.parse``."""
        fields = read_message(self.name, message)
        event = fields.text("event")
        match event:
            case "websocket:connected":
                return self._connected(fields)
            case "websocket:dtmf":
                self._order.started_id(event)
                return [DtmfReceived(fields.dtmf_digit("digit"), fields.number_or_none("duration"))]
            case "websocket:notify":
                self._order.started_id(event)
                return [MarkReached(fields.fields("payload").text("name"))]
        return []  # "websocket:cleared" is only an answer; others are not documented, or Vonage may add them

    def encode_mark(self, name: str) -> bytes:
        """The message whose payload Vonage sends back when what came before has been played."""
        self._order.open_id()
        check_mark_name(self.name, name)
        return orjson.dumps({"action": "notify", "payload": {"name": name}})

    def encode_clear(self) -> Sequence[bytes]:
        """The message that drops what has not been played."""
        self._order.open_id()
        return (orjson.dumps({"action": "clear"}),)

    def _connected(self, fields: Fields) -> list[Event]:
        call_id = fields.text(CALL_ID_HEADER)
        audio = fields.one_of("content-type", _FORMATS)
        custom = fields.texts_beside("event", "content-type", CALL_ID_HEADER)
        return self._start(StreamStarted(call_id, call_id, audio, custom), _one_frame(audio))
