"""One recorded session for each adapter: what is true of all of them is tested over all of them."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay.errors import RemoteProtocolError
from relay.providers.base import AudioReceived, Event, MediaAdapter, StreamStarted, StreamStopped
from relay.providers.twilio import TwilioAdapter

SAMPLES = Path(__file__).parent / "samples"


def compact(message: Any) -> bytes:
    """As carriers write JSON: without white space."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def outcome(adapter: MediaAdapter, message: bytes | str) -> list[Event] | RemoteProtocolError:
    """What the adapter makes of the message; any other exception is the test's failure."""
    try:
        return adapter.parse(message)
    except RemoteProtocolError as error:
        return error


@dataclass(frozen=True, repr=False)
class Recording:
    new_adapter: Callable[[], MediaAdapter]
    received: list[Any]
    sent: list[Any]

    def events(self) -> list[list[Event]]:
        """What each received message says when nothing disturbs the session."""
        adapter = self.new_adapter()
        return [adapter.parse(compact(message)) for message in self.received]

    def of(self, kind: type) -> list[Any]:
        """The received messages that bring an event of this kind."""
        pairs = zip(self.received, self.events(), strict=True)
        return [message for message, events in pairs if any(isinstance(event, kind) for event in events)]

    def opened(self) -> MediaAdapter:
        """An adapter whose stream has started."""
        adapter = self.new_adapter()
        adapter.parse(compact(self.of(StreamStarted)[0]))
        return adapter

    def closed(self) -> MediaAdapter:
        """An adapter whose stream has started and stopped."""
        adapter = self.opened()
        adapter.parse(compact(self.of(StreamStopped)[0]))
        return adapter

    def audio(self, payload: bytes) -> Any:
        """The first audio message with another payload."""
        message = self.of(AudioReceived)[0]
        return {**message, "media": {**message["media"], "payload": base64.b64encode(payload).decode()}}


def recorded(new_adapter: Callable[[], MediaAdapter]) -> Recording:
    messages = json.loads((SAMPLES / f"{new_adapter().name}_session.json").read_text())
    received, sent = ([each["data"] for each in messages if each["dir"] == way] for way in ("in", "out"))
    return Recording(new_adapter, received, sent)


RECORDINGS = [recorded(TwilioAdapter)]
TWILIO = RECORDINGS[0]

recordings = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.new_adapter().name)
