"""What streams have in common whose messages are JSON objects with an ``event``, and audio in them as base64."""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, cast

import orjson

from relay._codec import Field, MediaTemplate
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, Capabilities, DtmfReceived, Event, FrameRule, MarkReached, StreamStarted
from relay.providers.fields import Fields, read_message
from relay.providers.stream import StreamOrder, check_digits, check_mark_name

Reader: TypeAlias = Callable[[Fields], list[Event]]
Formats: TypeAlias = Mapping[str, Sequence[AudioFormat]]
"""By the carrier's name for an encoding; the first is the usual one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """
    What a start makes of a stream.

    Args:
        started: what is reported of it.
        frame_rule: of the stream's format.
        stream_key: where messages say which stream they are of, if they do.
        audio_in: the carrier's messages of audio, keys in the order in which it writes them.
        audio_out: the message that plays a payload.
        audio_out_counts: it numbers what is sent: no two are alike but for the payload, and no template can be.
        mark: the message that asks for a mark.
        clear: the message that clears.
        dtmf: the messages that send keys, where the carrier has such.
    """

    started: StreamStarted
    frame_rule: FrameRule
    stream_key: str = "streamSid"
    audio_in: dict[str, Any]
    audio_out: Callable[[str | Field], dict[str, Any]]
    audio_out_counts: bool = False
    mark: Callable[[str], dict[str, Any]]
    clear: dict[str, Any]
    dtmf: Callable[[str], Sequence[dict[str, Any]]] = lambda _: ()


class JsonStream(ABC):
    """
    One stream, as ``MediaAdapter`` promises, but for what differs from carrier to carrier.

    That is ``name`` and ``capabilities``; ``readers``, by event, of what comes between start and stop; ``without_id``,
    the events of them that do not say which stream they are of; ``open_stream``, and ``stop_reason`` if it says one.
    """

    name: str
    capabilities: Capabilities
    readers: ClassVar[Mapping[str, Reader]]
    without_id: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        self._order = StreamOrder(self.name)
        self._opening: Opening | None = None
        self.frame_rule = self.capabilities.frames_to_carrier
        self.media_in: MediaTemplate | None = None
        self.media_out: MediaTemplate | None = None

    def parse(self, message: bytes | str) -> list[Event]:
        """Read one message: see ``MediaAdapter.parse``."""
        fields = read_message(self.name, message)
        event = fields.text("event")
        if self._order.over:
            return []
        if event == "start":
            return self._start(fields)
        if event != "stop" and event not in self.readers:
            return []  # "connected" says nothing that "start" does not; others a carrier may add
        stream_id = self._order.started_id(event)
        if event not in self.without_id:
            fields.check_text(self._opened.stream_key, stream_id)
        return self._stop(fields) if event == "stop" else self.readers[event](fields)

    def payload_of(self, message: bytes) -> bytes:
        """None of these carriers sends binary messages."""
        return self._order.no_binary(message)

    def encode_audio(self, payload: bytes) -> bytes:
        """The message that plays ``payload``."""
        self._order.open_id()
        self.frame_rule.check(self.name, payload)
        return orjson.dumps(self._opened.audio_out(binascii.b2a_base64(payload, newline=False).decode()))

    def encode_mark(self, name: str) -> bytes:
        """The message that has ``name`` sent back when what came before has been played."""
        self._order.open_id()
        check_mark_name(self.name, name)
        return orjson.dumps(self._opened.mark(name))

    def encode_clear(self) -> Sequence[bytes]:
        """The one message that drops what has not been played."""
        self._order.open_id()
        return (orjson.dumps(self._opened.clear),)

    def encode_dtmf(self, digits: str) -> Sequence[bytes]:
        """The messages that send these keys, one or one for each."""
        self._order.open_id()
        check_digits(self.name, digits, self.capabilities, over="stream")
        return [orjson.dumps(message) for message in self._opened.dtmf(digits)]

    @abstractmethod
    def open_stream(self, fields: Fields) -> Opening:
        """What a ``start`` says."""

    def stop_reason(self, _fields: Fields) -> str:
        """What a ``stop`` says."""
        return ""

    def _start(self, fields: Fields) -> list[Event]:
        opening = self.open_stream(fields)
        fields.check_text(opening.stream_key, opening.started.stream_id)
        news = self._order.start(opening.started)
        if news:
            self._opening, self.frame_rule = opening, opening.frame_rule
            self.media_in = MediaTemplate(opening.audio_in)
            if not opening.audio_out_counts:
                self.media_out = MediaTemplate(opening.audio_out(Field.PAYLOAD))
        return news

    def _stop(self, fields: Fields) -> list[Event]:
        reason = self.stop_reason(fields)
        self.media_in = self.media_out = None
        return self._order.stop(reason)

    @property
    def _opened(self) -> Opening:
        return cast("Opening", self._opening)  # there is one since there is a stream's id


def read_format(media_format: Fields | None, formats: Formats, *, rate_key: str = "sampleRate") -> AudioFormat:
    """
    The format of a stream: the usual one for what is not said.

    Raises:
        RemoteProtocolError: it is none of ``formats``, or not mono.
    """
    usual = next(iter(formats))
    if media_format is None:
        return formats[usual][0]
    known = formats[media_format.check_text("encoding", *formats) or usual]
    rate_hz = media_format.check_number(rate_key, *(each.rate_hz for each in known))
    media_format.check_number("channels", 1)
    return next(each for each in known if rate_hz in (None, each.rate_hz))


def read_audio(fields: Fields) -> list[Event]:
    """Of ``media`` with a track, of which the one is what we sent ourselves."""
    media = fields.fields("media")
    return [] if is_own(media) else [audio_of(media)]


def is_own(media: Fields) -> bool:
    """What we sent ourselves."""
    return media.check_text("track", "inbound", "outbound") == "outbound"


def audio_of(media: Fields) -> AudioReceived:
    """Of an object with the payload and its two numbers."""
    return AudioReceived(media.audio("payload"), media.number_or_none("chunk"), media.number_or_none("timestamp"))


def read_dtmf(fields: Fields) -> list[Event]:
    """Of ``dtmf``, which may say how long."""
    dtmf = fields.fields("dtmf")
    return [DtmfReceived(dtmf.dtmf_digit("digit"), dtmf.number_or_none("duration"))]


def read_mark(fields: Fields) -> list[Event]:
    """Of ``mark``."""
    return [MarkReached(fields.fields("mark").text("name"))]
