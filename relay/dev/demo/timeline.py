"""What happened when, as it happens: the people's acts and relay's own events on one clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from relay.client import Event, State, TransferEvent


class Who(StrEnum):
    """Whose act an entry is."""

    BOT = "bot"
    CUSTOMER = "customer"
    AGENT = "agent"
    NETWORK = "network"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline; ``state`` is the one that relay's transfer came to with it."""

    at_s: float
    who: Who
    what: str
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The moment that times are counted from, by both clocks there are: audio's and the store's."""

    monotonic_ns: int = field(default_factory=time.monotonic_ns)
    utc: datetime = field(default_factory=lambda: datetime.now(UTC))

    def since_ns(self, at_ns: int) -> float:
        """Seconds from the start to a monotonic time."""
        return (at_ns - self.monotonic_ns) / 1e9

    def since(self, at: datetime) -> float:
        """Seconds from the start to a time of day."""
        return (at - self.utc).total_seconds()


class Timeline:
    """
    Entries in the order in which they became known.

    Args:
        listen: told of each.
    """

    def __init__(self, listen: Callable[[Entry], None] = lambda _: None) -> None:
        self.start = Start()
        self.entries: list[Entry] = []
        self._listen = listen

    @property
    def now_s(self) -> float:
        """Since the start."""
        return self.start.since_ns(time.monotonic_ns())

    def begin(self) -> None:
        """Count from now on."""
        self.start = Start()

    def note(self, who: Who, what: str) -> None:
        """Somebody does something now."""
        self._add(Entry(self.now_s, who, what))

    def note_event(self, event: TransferEvent) -> None:
        """Relay tells of something; it happened when relay says."""
        self._add(Entry(self.start.since(event.at), Who.RELAY, told(event), event.state))

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._listen(entry)


_TOLD: Final[Mapping[str | None, str]] = {
    None: "the request is stored",
    Event.DIALED: "dials: this is written first, so that nobody dials twice",
    Event.PLACED: "the carrier has taken the call",
    Event.RANG: "the phone rings, and the customer hears it",
    Event.ANSWERED: "somebody has picked up",
    Event.JOINED: "customer and agent really hear each other",
    Event.MEDIA_LOST: "the carrier's audio broke off; the customer hears comfort noise",
    Event.MEDIA_BACK: "the audio is back, over a new stream",
}


def told(event: TransferEvent) -> str:
    """An event in words."""
    if event.state.is_terminal:
        return f"it is over: {event.reason_text}"
    return _TOLD.get(event.event, event.event or "")
