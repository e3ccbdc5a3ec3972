"""What playout is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from relay.media.format import PTIME_MS


@dataclass(frozen=True, slots=True)
class PlayoutSettings:
    """
    The delay to begin with, its bounds, and how much may wait at most.

    Raises:
        ValueError: not ``0 < min_ms <= start_ms <= max_ms < capacity_ms``.
    """

    start_ms: int = 2 * PTIME_MS
    min_ms: int = PTIME_MS
    max_ms: int = 120
    capacity_ms: int = 4000

    def __post_init__(self) -> None:
        if not 0 < self.min_ms <= self.start_ms <= self.max_ms < self.capacity_ms:
            raise ValueError(
                "PlayoutSettings: expected 0 < min_ms <= start_ms <= max_ms < capacity_ms, got"
                f" {self.min_ms}, {self.start_ms}, {self.max_ms}, {self.capacity_ms}"
            )


@dataclass(slots=True)  # not frozen: as relay.bridge.stats
class PlayoutStats:
    """
    Counts since the beginning, and where things stand.

    ``frames_lost`` were concealed in their place; of these ``frames_late`` came after it, too late. An underrun is a
    pull that found too little, the first of a row, unless what it wanted turns out lost. ``drained_ms`` is what was
    left out to lower the delay, re-timing aside. ``delay_ms`` is what the fastest frames of the last seconds wait,
    ``depth_ms`` what waits now. ``drift_ppm`` is above 0 if the carrier's clock is faster than the room's.
    """

    frames_received: int
    frames_lost: int
    frames_late: int
    frames_duplicate: int
    frames_overrun: int
    underruns: int
    concealed_ms: float
    drained_ms: float
    retimed_samples: int
    depth_ms: float
    delay_ms: float
    target_ms: float
    lateness_ms: float
    drift_ppm: float
