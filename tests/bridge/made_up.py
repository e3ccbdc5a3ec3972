"""A carrier that does not exist: binary L16 in messages of 100 ms or more, JSON beside it. Bridges carry it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from relay._codec import MediaTemplate
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import (
    Capabilities,
    CarrierFault,
    Event,
    FlowChanged,
    FrameRule,
    MarkReached,
    StreamStarted,
    StreamStopped,
)
from relay.providers.stream import check_digits

SUBPROTOCOL: Final = "made-up.example"
START: Final = b'{"event":"start"}'
FULL: Final = b'{"event":"full"}'
READY: Final = b'{"event":"ready"}'
STOP: Final = b'{"event":"stop"}'
CLEAR: Final = (b'{"do":"flush"}', b'{"do":"continue"}')
CAPABILITIES: Final = Capabilities(
    audio="binary",
    marks=True,
    clear=True,
    marks_after_clear="dropped",
    dtmf_received=False,
    dtmf_sent="no",
    ordered=True,
    frames_to_carrier=FrameRule(multiple_bytes=320, min_bytes=3200),
    close_ends_call=True,
    subprotocol=SUBPROTOCOL,
)


def fault(detail: str) -> bytes:
    """What the carrier says when something went wrong."""
    return orjson.dumps({"event": "fault", "detail": detail})


def mark(name: str) -> bytes:
    """What is sent to the carrier after audio, and what it sends back."""
    return orjson.dumps({"event": "mark", "name": name})


class BinaryAdapter:
    """
    One stream of it.

    Args:
        rate_hz: of its L16.
        message_ms: of audio in each message to it, at least.
        can: what differs from ``CAPABILITIES``.
    """

    name = "made-up"
    media_in: MediaTemplate | None = None
    media_out: MediaTemplate | None = None

    def __init__(self, rate_hz: int = 16000, *, message_ms: int = 100, **can: Any) -> None:
        self._format = AudioFormat("l16le", rate_hz)
        self.capabilities = replace(CAPABILITIES, **can)
        self.frame_rule = FrameRule(
            multiple_bytes=self._format.size_bytes(20), min_bytes=self._format.size_bytes(message_ms)
        )
        self._started = False

    def parse(self, message: bytes | str) -> list[Event]:
        values = orjson.loads(message)
        match values["event"]:
            case "start":
                self._started = True
                return [StreamStarted("s-1", "c-1", self._format)]
            case "full" | "ready":
                return [FlowChanged(values["event"] == "full")]
            case "mark":
                return [MarkReached(values["name"])]
            case "fault":
                return [CarrierFault(values["detail"])]
            case "stop":
                return [StreamStopped()]
        return []

    def payload_of(self, message: bytes) -> bytes:
        if not self._started:
            raise RemoteProtocolError(self.name, "message", expected="a start first", got=f"{len(message)} bytes")
        return message

    def encode_audio(self, payload: bytes) -> bytes:
        self.frame_rule.check(self.name, payload)
        return payload

    def encode_mark(self, name: str) -> bytes:
        assert self.capabilities.marks
        return mark(name)

    def encode_clear(self) -> Sequence[bytes]:
        assert self.capabilities.clear
        return CLEAR

    def encode_dtmf(self, digits: str) -> Sequence[bytes]:
        check_digits(self.name, digits, self.capabilities, over="stream")
        return [orjson.dumps({"event": "dtmf", "digits": digits})]
