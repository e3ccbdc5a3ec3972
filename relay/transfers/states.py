"""The states of a transfer, what can happen to it, and the one table that says what follows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from relay.transfers.reasons import Reason


class State(StrEnum):
    """Where a transfer stands."""

    REQUESTED = "requested"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    JOINED = "joined"
    DISCONNECTED = "disconnected"
    """Ended after it was joined."""
    FAILED = "failed"
    """Never joined, and nobody wanted that."""
    CANCELED = "canceled"
    """Stopped on purpose before it joined."""

    @property
    def is_terminal(self) -> bool:
        """Nothing follows it."""
        return self in TERMINAL


class Event(StrEnum):
    """What can happen to a transfer."""

    DIALED = "dialed"
    """The dial is about to be sent: nobody may send one who has not written this."""
    PLACED = "placed"
    """The carrier took the call, and gave it an id."""
    RANG = "rang"
    ANSWERED = "answered"
    JOINED = "joined"
    """Agent and customer are really heard."""
    MEDIA_LOST = "media_lost"
    """The carrier's stream broke; it may come back."""
    MEDIA_BACK = "media_back"
    ENDED = "ended"
    """By itself, or by a failure."""
    STOPPED = "stopped"
    """On purpose: by the API, or because the customer has left."""


TERMINAL: Final = frozenset({State.DISCONNECTED, State.FAILED, State.CANCELED})
LIVE: Final = frozenset(State) - TERMINAL
UNJOINED: Final = LIVE - {State.JOINED}
PLACED_IN: Final = (State.DIALING, State.RINGING, State.ANSWERED, State.JOINED)
"""Where the carrier's answer to the dial may find a transfer: its callbacks are often faster."""

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.REQUESTED, Event.DIALED): State.DIALING,
    **{(state, Event.PLACED): state for state in PLACED_IN},
    (State.DIALING, Event.RANG): State.RINGING,
    (State.DIALING, Event.ANSWERED): State.ANSWERED,  # some carriers report no ringing
    (State.RINGING, Event.ANSWERED): State.ANSWERED,
    (State.ANSWERED, Event.JOINED): State.JOINED,
    (State.JOINED, Event.MEDIA_LOST): State.JOINED,
    (State.JOINED, Event.MEDIA_BACK): State.JOINED,
    **{(state, Event.ENDED): State.FAILED for state in State if state in UNJOINED},
    **{(state, Event.STOPPED): State.CANCELED for state in State if state in UNJOINED},
    (State.JOINED, Event.ENDED): State.DISCONNECTED,
    (State.JOINED, Event.STOPPED): State.DISCONNECTED,
}

_ON_PURPOSE: Final = frozenset({Reason.CANCELED_BY_API, Reason.CUSTOMER_LEFT})


def next_state(state: State, event: Event) -> State | None:
    """The state that follows; None: the event is late or means nothing here, and is ignored."""
    return TRANSITIONS.get((state, event))


def sources(event: Event) -> dict[State, State]:
    """Each state in which ``event`` counts, and the one that follows."""
    return {before: after for (before, its_event), after in TRANSITIONS.items() if its_event is event}


def closing_event(reason: Reason) -> Event:
    """The event by which a transfer ends for ``reason``."""
    return Event.STOPPED if reason in _ON_PURPOSE else Event.ENDED
