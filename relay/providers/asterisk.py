"""Asterisk's chan_websocket (docs.asterisk.org/Configuration/Channel-Drivers/WebSocket)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.media.format import PTIME_MS, AudioFormat
from relay.providers.asterisk_text import is_text, read_text
from relay.providers.base import (
    Capabilities,
    CarrierFault,
    DtmfReceived,
    Event,
    FlowChanged,
    FrameRule,
    MarkReached,
    StreamStarted,
)
from relay.providers.binary_audio import BinaryAudio
from relay.providers.fields import Fields, read_message
from relay.providers.stream import ALL_KEYS, check_mark_name

MEDIA_CHANNEL_SUFFIX: Final = "-media"
"""A media channel with the id ``X-media`` belongs to the phone's channel ``X``; any other is the call itself."""

COMMAND_MAX_BYTES: Final = 128
"""Asterisk ignores longer text messages (MAX_TEXT_MESSAGE_LEN in channels/chan_websocket.c)."""

_AUDIO_MAX_BYTES: Final = 65500  # a longer message ends the call
_DETAIL_MAX_CHARS: Final = 200
_FORMATS: Final = {
    "ulaw": AudioFormat("pcmu", 8000),
    "alaw": AudioFormat("pcma", 8000),
    "slin": AudioFormat("l16le", 8000),
    "slin16": AudioFormat("l16le", 16000),
    "slin24": AudioFormat("l16le", 24000),
}


class AsteriskAdapter(BinaryAudio):
    """
    One stream of chan_websocket, as ``MediaAdapter`` promises.

    Control messages are JSON or text: as the start is written, everything after it is, both ways.
    """

    name = "asterisk"
    first = "'MEDIA_START'"
    capabilities = Capabilities(
        audio="binary",
        marks=True,
        clear=True,
        marks_after_clear="dropped",
        dtmf_received=True,
        dtmf_sent="rest",
        ordered=True,
        frames_to_carrier=FrameRule(160, 160, _AUDIO_MAX_BYTES),
        close_ends_call=False,  # it ends the media's channel, not the phone's
        subprotocol="media",
        says_when_full=True,
        tells_faults=True,
        dtmf_keys=ALL_KEYS,
    )

    def __init__(self) -> None:
        super().__init__()
        self._text: bool | None = None

    def parse(self, message: bytes | str) -> list[Event]:
        """Read one message: see ``MediaAdapter.parse``."""
        text = is_text(message) if self._text is None else self._text
        fields = (read_text if text else read_message)(self.name, message)
        event = fields.text("event")
        match event:
            case "MEDIA_START":
                news = self._media_start(fields)
                self._text = text
                return news
            case "DTMF_END" | "MEDIA_MARK_PROCESSED" | "MEDIA_XOFF" | "MEDIA_XON" | "ERROR":
                fields.check_text("channel_id", self._order.started_id(event))
                return [_of_stream(event, fields)]
        return []  # answers to commands that are not used, and what Asterisk may add

    def encode_mark(self, name: str) -> bytes:
        """The command whose ``name`` Asterisk sends back when what came before has been played."""
        check_mark_name(self.name, name)
        return self._command("MARK_MEDIA", name)

    def encode_clear(self) -> Sequence[bytes]:
        """The commands that drop what has not been played, open marks with it; a pause may outlast the first."""
        return self._command("FLUSH_MEDIA"), self._command("CONTINUE_MEDIA")

    def _command(self, *values: str) -> bytes:
        self._order.open_id()
        keys = ("command", "correlation_id")
        command = " ".join(values).encode() if self._text else orjson.dumps(dict(zip(keys, values, strict=False)))
        if len(command) > COMMAND_MAX_BYTES:
            expected, got = f"at most {COMMAND_MAX_BYTES} bytes", f"{len(command)} bytes"
            raise LocalProtocolError(self.name, "command", expected=expected, got=got)
        return command

    def _media_start(self, fields: Fields) -> list[Event]:
        channel_id = fields.text("channel_id")
        audio = fields.one_of("format", _FORMATS)
        frame_bytes = fields.number_or_none("optimal_frame_size") or audio.size_bytes(PTIME_MS)
        if frame_bytes > _AUDIO_MAX_BYTES or frame_bytes % audio.sample_bytes:
            expected = f"a multiple of {audio.sample_bytes}, at most {_AUDIO_MAX_BYTES}"
            raise RemoteProtocolError(self.name, "optimal_frame_size", expected=expected, got=str(frame_bytes))
        call_id = channel_id.removesuffix(MEDIA_CHANNEL_SUFFIX)
        variables = fields.fields_or_none("channel_variables")
        custom = variables.texts_beside() if variables else {}
        started = StreamStarted(channel_id, call_id, audio, custom)
        return self._start(started, FrameRule(frame_bytes, frame_bytes, _AUDIO_MAX_BYTES))


def _of_stream(event: str, fields: Fields) -> Event:
    match event:
        case "DTMF_END":
            return DtmfReceived(fields.dtmf_digit("digit"))
        case "MEDIA_MARK_PROCESSED":
            return MarkReached(fields.text("correlation_id"))
        case "ERROR":
            return CarrierFault((fields.text_or_none("error_text") or "")[:_DETAIL_MAX_CHARS])
    return FlowChanged(paused=event == "MEDIA_XOFF")
