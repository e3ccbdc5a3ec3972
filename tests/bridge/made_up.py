"""A carrier that does not exist: binary L16 at 16 kHz, no marks, no clear. Bridges must carry it too."""

from __future__ import annotations

from relay._codec import MediaTemplate
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, Capabilities, Event, FrameRule, StreamStarted


class BinaryAdapter:
    """The first message opens the stream, every later one is audio."""

    name = "made-up"
    capabilities = Capabilities(
        messages="binary",
        marks=False,
        clear=False,
        marks_after_clear="unknown",
        dtmf_received=False,
        dtmf_sent="no",
        ordered=True,
        frames_to_carrier=FrameRule(multiple_bytes=640),
        close_ends_call=True,
    )

    def __init__(self) -> None:
        self._started = False

    @property
    def media_in(self) -> MediaTemplate | None:
        return None

    @property
    def media_out(self) -> MediaTemplate | None:
        return None

    def parse(self, message: bytes | str) -> list[Event]:
        assert isinstance(message, bytes)
        if self._started:
            return [AudioReceived(message)]
        self._started = True
        return [StreamStarted("s-1", "c-1", AudioFormat("l16le", 16000))]

    def encode_audio(self, payload: bytes) -> bytes:
        return payload

    def encode_mark(self, name: str) -> bytes:
        raise AssertionError(f"no marks here: {name}")

    def encode_clear(self) -> bytes:
        raise AssertionError("no clear here")
