"""What there is to show of a scenario that was played: what relay told, what the carrier saw, and the recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from relay.client import State, TransferEvent, TransferView
from relay.dev.carriers.dialect import Traits
from relay.dev.demo.measure import Moment
from relay.dev.demo.timeline import Entry, Start
from relay.dev.recording import Recording


class Direction(StrEnum):
    """Which way audio goes."""

    AGENT_TO_ROOM = "agent_to_room"
    ROOM_TO_AGENT = "room_to_agent"


@dataclass(frozen=True, slots=True)
class Tape:
    """One direction of the call: what one said, and the other heard."""

    said: Recording
    heard: Recording


@dataclass(frozen=True, slots=True)
class Span:
    """A time during which something was wrong on purpose."""

    what: str
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class PhoneCall:
    """A call that the simulated carrier placed. A gap is silence at the phone because no audio had come."""

    status: str
    ended_at_s: float | None
    streams: int
    gaps: int
    gaps_ms: float


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """What a second and a third request for the same room were answered: a transfer's id each, and the status."""

    same_key_id: str
    other_key_status: int
    other_key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    Everything that came of a scenario.

    Args:
        transfer: as relay tells it at the end; None: there is none.
        bridge: relay's own statistics of the whole call, as it logs them; None: there was no bridge.
        dial_requests: requests to place a call, refused ones and those whose answer was lost included.
        left_over: what relay has made at the carrier, beside calls, and not removed.
        violations: what relay did that the carrier would refuse, ignore or warn of.
        ours_in_room: participants of relay that are left in the room.
        acts: when an act of the scenario happened that an expectation looks back to.
        broke: what kept the scenario from being played to its end.
        traits: of the carrier.
    """

    start: Start
    entries: Sequence[Entry]
    transfer: TransferView | None
    events: Sequence[TransferEvent]
    bridge: Mapping[str, Any] | None
    dial_requests: int
    calls: Sequence[PhoneCall]
    live_calls: int
    violations: Sequence[str]
    ours_in_room: Sequence[str]
    tapes: Mapping[Direction, Tape]
    moments: Mapping[Direction, Sequence[Moment]] = field(default_factory=dict)
    spans: Sequence[Span] = ()
    acts: Mapping[str, float] = field(default_factory=dict)
    asked_again: AskedAgain | None = None
    left_over: Sequence[str] = ()
    broke: str | None = None
    traits: Traits = field(default_factory=Traits)

    @property
    def states_s(self) -> list[tuple[State, float]]:
        """The states that the transfer went through, and when each was reached first."""
        if self.transfer is None:
            return []
        times = [(state, self.start.since(at)) for state, at in self.transfer.times.items()]
        return sorted(times, key=lambda each: each[1])

    def moments_between(self, direction: Direction, from_s: float, to_s: float) -> list[Moment]:
        """What was heard in that time."""
        found = self.moments.get(direction, ())
        return [moment for moment in found if from_s <= self.start.since_ns(moment.at_ns) < to_s]
