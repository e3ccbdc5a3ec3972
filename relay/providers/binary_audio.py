"""What carriers share whose binary messages are the audio itself, with control messages as text beside them."""

from __future__ import annotations

from collections.abc import Sequence

from relay._codec import MediaTemplate
from relay.errors import RemoteProtocolError
from relay.providers.base import Capabilities, Event, FrameRule, StreamStarted
from relay.providers.fields import MESSAGE_MAX_BYTES
from relay.providers.stream import StreamOrder, check_digits


class BinaryAudio:
    """
    The audio of one stream, both ways, as ``MediaAdapter`` promises; an adapter adds what is said in text.

    None of these carriers announces the end: the stream is over when its WebSocket is.
    """

    name: str
    first: str
    """What the carrier calls its start, for errors."""
    capabilities: Capabilities
    media_in: MediaTemplate | None = None
    media_out: MediaTemplate | None = None

    def __init__(self) -> None:
        self._order = StreamOrder(self.name, first=self.first)
        self.frame_rule = self.capabilities.frames_to_carrier
        self._sample_bytes = 1

    def payload_of(self, message: bytes) -> bytes:
        """All of the message: see ``MediaAdapter.payload_of``."""
        size = len(message)
        if not self._order.has_started:  # for each frame, without making what an error would say
            self._order.started_id(f"{size} bytes of binary")
        if size > MESSAGE_MAX_BYTES or size % self._sample_bytes:
            expected = f"a multiple of {self._sample_bytes} bytes, at most {MESSAGE_MAX_BYTES}"
            raise RemoteProtocolError(self.name, "message", expected=expected, got=f"{size} bytes of binary")
        return message

    def encode_audio(self, payload: bytes) -> bytes:
        """The payload is the message: see ``MediaAdapter.encode_audio``."""
        self._order.open_id()
        self.frame_rule.check(self.name, payload)
        return payload

    def encode_dtmf(self, digits: str) -> Sequence[bytes]:
        """None: whoever of these carriers sends keys, is told so by REST."""
        self._order.open_id()
        check_digits(self.name, digits, self.capabilities, over="stream")
        return ()

    def _start(self, started: StreamStarted, frame_rule: FrameRule) -> list[Event]:
        """Open the stream, whose audio has the rule from here on; again is no news."""
        news = self._order.start(started)
        if news:
            self.frame_rule = frame_rule
            self._sample_bytes = started.format.sample_bytes
        return news
