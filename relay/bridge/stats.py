"""What a bridge has done and how it stands: a snapshot to log and to count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relay.media.latency import LatencyHistogram
from relay.media.playout import PlayoutStats


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class AgentToRoomStats:
    """
    Spreads are since the last report, in ``Ended`` of the whole call.

    ``lateness`` is how much more than its own length passed since the frame before. ``own_time`` is from the socket
    being readable to the frame being in the jitter buffer, ``wait`` to its being given to the room.
    """

    frames: int
    lateness: Spread
    own_time: Spread
    wait: Spread
    playout: PlayoutStats


@dataclass(frozen=True, slots=True)
class RoomToAgentStats:
    """``own_time`` is from the frame being read from the room to its being written to the socket; spreads as above."""

    frames: int
    frames_dropped: int
    trimmed_ms: int
    clears: int
    own_time: Spread
    queued_ms: float
    carrier_buffer_ms: float


@dataclass(frozen=True, slots=True)
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
