"""What a bridge has done and how it stands: a snapshot to log and to count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relay.media.latency import LatencyHistogram
from relay.media.playout import PlayoutStats


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations since the last snapshot."""

    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, durations: LatencyHistogram) -> Spread:
        """The spread of a histogram."""
        return cls(durations.percentile_ms(50), durations.percentile_ms(99), durations.max_ns / 1e6)


@dataclass(frozen=True, slots=True)
class AgentToRoomStats:
    """``wait`` is from the socket being readable to the frame being given to the room, the jitter buffer included."""

    frames: int
    wait: Spread
    playout: PlayoutStats


@dataclass(frozen=True, slots=True)
class RoomToAgentStats:
    """``own_time`` is from the frame being read from the room to its being written to the socket."""

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
