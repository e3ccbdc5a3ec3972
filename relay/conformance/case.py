"""One carrier's case: a recorded session, and what an adapter makes of each message and of each command in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import orjson

from relay.conformance.mutations import compact, places, replaced
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, Event, MarkReached, MediaAdapter, StreamStarted, StreamStopped

_SHOWN_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Message:
    """One WebSocket message."""

    data: bytes
    """Of a text message its UTF-8."""
    is_binary: bool = False

    @property
    def value(self) -> Any:
        """The object or list that it is in JSON; None if it is neither."""
        try:
            value = None if self.is_binary else orjson.loads(self.data)
        except orjson.JSONDecodeError:
            return None
        return value if isinstance(value, dict | list) else None

    def with_text(self, before: str, after: str) -> Message:
        """The message with another text in place of every ``before``; in JSON where a whole string is that."""
        value = self.value
        if value is None:
            return Message(self.data.replace(before.encode(), after.encode()), self.is_binary)
        for place, found in places(value):
            if found == before and type(found) is str:
                value = replaced(value, place, after)
        return Message(compact(value))

    def with_payload(self, before: bytes, after: bytes) -> Message:
        """The message with other audio in it: bytes in a binary message, base64 in text."""
        if self.is_binary:
            return Message(self.data.replace(before, after, 1), is_binary=True)
        return self.with_text(*(base64.b64encode(payload).decode() for payload in (before, after)))


def events_of(adapter: MediaAdapter, message: Message) -> list[Event]:
    """
    What the adapter makes of the message; audio of a binary one is an ``AudioReceived`` without numbers.

    Raises:
        RemoteProtocolError: it refuses it.
    """
    if not message.is_binary:
        return adapter.parse(message.data)
    payload = adapter.payload_of(message.data)
    return [AudioReceived(payload)] if payload else []


def outcome(adapter: MediaAdapter, message: Message | bytes | str) -> list[Event] | RemoteProtocolError:
    """What the adapter makes of the message, a text unless it says otherwise; any other exception is passed on."""
    try:
        return events_of(adapter, message) if isinstance(message, Message) else adapter.parse(message)
    except RemoteProtocolError as error:
        return error


class Command(Protocol):
    """What is asked of an adapter where the recorded session has messages to the carrier."""

    def messages(self, adapter: MediaAdapter) -> Sequence[Message]:
        """The messages that the adapter makes of it."""


@dataclass(frozen=True, slots=True)
class Play:
    """``encode_audio``: one message, of the carrier's kind for audio."""

    payload: bytes

    def messages(self, adapter: MediaAdapter) -> Sequence[Message]:
        """See ``Command.messages``."""
        return [Message(adapter.encode_audio(self.payload), adapter.capabilities.audio == "binary")]


@dataclass(frozen=True, slots=True)
class Mark:
    """``encode_mark``: one text message, or none."""

    name: str

    def messages(self, adapter: MediaAdapter) -> Sequence[Message]:
        """See ``Command.messages``."""
        data = adapter.encode_mark(self.name)
        return [Message(data)] if data else []


@dataclass(frozen=True, slots=True)
class Clear:
    """``encode_clear``: as many text messages as the carrier needs."""

    def messages(self, adapter: MediaAdapter) -> Sequence[Message]:
        """See ``Command.messages``."""
        return [Message(data) for data in adapter.encode_clear()]


@dataclass(frozen=True, slots=True)
class Dtmf:
    """``encode_dtmf``: as many text messages as the carrier needs."""

    digits: str

    def messages(self, adapter: MediaAdapter) -> Sequence[Message]:
        """See ``Command.messages``."""
        return [Message(data) for data in adapter.encode_dtmf(self.digits)]


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A message to the carrier for which adapters have no command: it is passed over."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The carrier closes the WebSocket without a word: no message, and the last step."""


Step: TypeAlias = Sequence[Event] | Play | Mark | Clear | Dtmf | NotOurs | Closed
"""The events that a message from the carrier brings, or the command that makes those to it, or the end."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message of a recorded session, and which way it went."""

    message: Message
    from_carrier: bool


def read_session(text: str) -> list[Recorded]:
    """
    A recorded session, from JSON: a list of ``{"dir": "in" | "out", "type": "text" | "binary", "data": ...}``.

    ``in`` is from the carrier. ``data`` of a text is an object, which goes over the wire as compact JSON, or a string,
    which goes as it is; of a binary message it is base64. Further keys say what they like.
    """
    session = []
    for each in json.loads(text):
        data, is_binary = each["data"], each["type"] == "binary"
        if isinstance(data, str):
            message = Message(base64.b64decode(data) if is_binary else data.encode(), is_binary)
        else:
            message = Message(compact(data))
        session.append(Recorded(message, each["dir"] == "in"))
    return session


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Case:
    """
    What the suite holds one adapter to.

    Args:
        new_adapter: makes an adapter for one stream: the class itself.
        session: of one call, in order, with three frames of audio or more in each direction's own message shape. A
            carrier has as many cases as it has shapes: one for each format, or way of writing names.
        steps: one for each message from the carrier, and one for each command, in the session's order; ``Closed`` at
            the end where no message says it.
        variant: tells a carrier's cases apart.
        subprotocols: those that its upgrade offers.
        numbers_audio: its messages of audio to the carrier are numbered: there can be no ``media_out``.
    """

    new_adapter: Callable[[], MediaAdapter]
    session: Sequence[Recorded]
    steps: Sequence[Step]
    variant: str = ""
    subprotocols: Sequence[str] = ()
    numbers_audio: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.new_adapter().name, self.variant)))

    @property
    def received(self) -> list[Message]:
        """The messages from the carrier."""
        return [recorded.message for recorded in self.session if recorded.from_carrier]

    @property
    def said(self) -> list[list[Event]]:
        """The events of each of them."""
        return [list(step) for step in self.steps if isinstance(step, Sequence)]

    def of(self, kind: type[Event]) -> list[Message]:
        """Those that bring an event of this kind."""
        pairs = zip(self.received, self.said, strict=True)
        return [message for message, events in pairs if any(isinstance(event, kind) for event in events)]

    def said_of(self, message: Message) -> list[Event]:
        """The events of one of them."""
        return self.said[self.received.index(message)]

    def events(self) -> Iterator[Event]:
        """All events of the session."""
        return (event for events in self.said for event in events)

    @property
    def format(self) -> AudioFormat:
        """Of the session's stream."""
        return next(event.format for event in self.events() if isinstance(event, StreamStarted))

    @property
    def is_stopped(self) -> bool:
        """The carrier says that it stops; others close the WebSocket without a word."""
        return bool(self.of(StreamStopped))

    def opened(self) -> MediaAdapter:
        """An adapter whose stream has started: all before the start has come, too."""
        adapter = self.new_adapter()
        for message, events in zip(self.received, self.said, strict=True):
            events_of(adapter, message)
            if any(isinstance(event, StreamStarted) for event in events):
                return adapter
        raise AssertionError(f"{self}: expected a session with a StreamStarted, got none")

    def closed(self) -> MediaAdapter:
        """An adapter whose stream has started and stopped."""
        adapter = self.opened()
        events_of(adapter, self.of(StreamStopped)[0])
        return adapter

    def audio(self, payload: bytes) -> Message:
        """The first message of audio, with this in it."""
        first = next(event for event in self.events() if isinstance(event, AudioReceived))
        return self.of(AudioReceived)[0].with_payload(first.payload, payload)

    def mark(self, name: str) -> Message:
        """The first message that says a mark was reached, with this name."""
        first = next(event for event in self.events() if isinstance(event, MarkReached))
        return self.of(MarkReached)[0].with_text(first.name, name)


def expect(case: object, what: str, got: object, expected: object) -> None:
    """
    Let through what is as expected.

    Raises:
        AssertionError: it is not: the suite's own way to say so, for whoever does not rewrite asserts.
    """
    if got != expected:
        raise AssertionError(f"{case}: {what}: expected {_cut(expected)}, got {_cut(got)}")


def expect_audio(case: Case, got: object) -> AudioReceived:
    """
    The one event of a message of audio.

    Raises:
        AssertionError: it is no audio, or more.
    """
    if isinstance(got, list) and len(got) == 1 and isinstance(got[0], AudioReceived):
        return got[0]
    raise AssertionError(f"{case}: a message of audio: expected one AudioReceived, got {_cut(got)}")


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}... ({len(text)} characters)"


def read_case(
    new_adapter: Callable[[], MediaAdapter],
    path: Path,
    steps: Sequence[Step],
    *,
    variant: str = "",
    subprotocols: Sequence[str] = (),
) -> Case:
    """A case whose session is in a file."""
    session = read_session(path.read_text())
    return Case(new_adapter=new_adapter, session=session, steps=steps, variant=variant, subprotocols=subprotocols)
