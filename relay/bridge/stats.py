"""
What a bridge has done and how it stands: a snapshot to log and to count.

These are not frozen, though nobody changes one: they are made once a second for each call, and that they were was a
quarter of what a report took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeVar

from relay.media.latency import LatencyHistogram
from relay.media.playout import PlayoutStats

_COUNTS: Final = (
    *("frames_received", "frames_lost", "frames_late", "frames_duplicate", "frames_overrun", "underruns"),
    *("concealed_ms", "drained_ms", "retimed_samples"),
    *("frames", "frames_dropped", "trimmed_ms", "clears", "pauses"),
)


@dataclass(slots=True)
class Spread:
    """Durations over some time."""

    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, durations: LatencyHistogram) -> Spread:
        """The spread of a histogram."""
        return cls(durations.percentile_ms(50), durations.percentile_ms(99), durations.max_ns / 1e6)


class Durations:
    """Durations since the last report, and before it. Feed ``recent``."""

    __slots__ = ("_before", "recent")

    def __init__(self) -> None:
        self.recent, self._before = LatencyHistogram(), LatencyHistogram()

    def take(self, *, whole_call: bool) -> Spread:
        """The spread since the last call of this, or since the beginning."""
        self._before.add(self.recent)
        spread = Spread.of(self._before if whole_call else self.recent)
        self.recent.clear()
        return spread


@dataclass(slots=True)
class AgentToRoomStats:
    """
    Spreads are since the last report, in ``Ended`` of the whole call. ``frames`` are as long as the carrier makes them.

    ``lateness`` is how much more than its own length passed since the frame before. ``own_time`` is from the socket
    being readable to the frame being in the jitter buffer, ``wait`` to its being given to the room.
    """

    frames: int
    lateness: Spread
    own_time: Spread
    wait: Spread
    playout: PlayoutStats


@dataclass(slots=True)
class RoomToAgentStats:
    """
    ``own_time`` is from a message's last frame being read from the room to its being written to the socket; spreads as
    above. ``frames`` are of 20 ms, however many are in a message. ``pauses`` is how often the carrier's buffer was
    full. ``queued_ms`` has in it what is collected for the next message.
    """

    frames: int
    frames_dropped: int
    trimmed_ms: int
    clears: int
    pauses: int
    own_time: Spread
    queued_ms: float
    carrier_buffer_ms: float


@dataclass(slots=True)
class BridgeStats:
    """One bridge at one moment. A direction is None before the carrier opened its stream."""

    age_s: float
    joined: bool
    participants: int
    agent_to_room: AgentToRoomStats | None
    room_to_agent: RoomToAgentStats | None
    round_trip_ms: float
    faults: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for a log line."""
        return asdict(self)


D = TypeVar("D", PlayoutStats, AgentToRoomStats, RoomToAgentStats)

NO_SPREAD: Final = Spread(0.0, 0.0, 0.0)


@dataclass(slots=True)
class Tally:
    """What goes on over all streams of one bridge: durations, and the counts of those streams that are over."""

    lateness: Durations = field(default_factory=Durations)
    received: Durations = field(default_factory=Durations)
    """Our own time, agent to room."""
    wait: Durations = field(default_factory=Durations)
    sent: Durations = field(default_factory=Durations)
    """Our own time, room to agent."""
    agent_to_room: AgentToRoomStats | None = None
    room_to_agent: RoomToAgentStats | None = None


def counted_on(now: D, before: D | None) -> D:
    """``now``, its counts added to those of the streams before it; everything else is as it stands now."""
    if before is None:
        return now
    return replace(now, **{name: getattr(now, name) + getattr(before, name) for name in _COUNTS if hasattr(now, name)})
