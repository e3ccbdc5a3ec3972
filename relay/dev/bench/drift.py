"""
Owns what a carrier's clock that is not ours does to a call: the jitter buffer's delay, followed over a long time. Pure.

Nobody hears a clock that is 300 ppm fast at once: in an hour it has said a second more than was asked for.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from relay.dev.bench import marker
from relay.dev.bench.arrivals import MS, RATE_HZ, SECOND, Arrival, play
from relay.dev.bench.direction import NEAR_MS, Moment
from relay.media.format import PTIME_MS

PPM: Final = 300.0
"""Crystals keep to 100 ppm, sound cards to this."""
CASES: Final = tuple((ppm, jitter_ms) for jitter_ms in (0.0, 20.0) for ppm in (PPM, -PPM))
SETTLED_S: Final = 60.0
LONGEST_S: Final = 60.0
_PULL_MS: Final = 10
_LATE_MS: Final = 1.0
_FIRST_MS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the delay was beyond its target, at first and at last: medians over a minute, or a quarter of the time."""

    begin_ms: float
    end_ms: float
    apart_ms: float
    """What the clocks went apart by meanwhile: where the delay would be if nothing followed."""

    @property
    def held(self) -> bool:
        """Whether it is where it was."""
        return abs(self.end_ms - self.begin_ms) <= NEAR_MS

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "held": self.held}


@dataclass(frozen=True, slots=True)
class DriftResult:
    """One simulated call."""

    drift_ppm: float
    jitter_ms: float
    seconds: float
    delay: Held
    most_ms: float
    """The farthest that the delay was from its target, either way, once settled."""
    underruns: int
    concealed_ms: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "delay": self.delay.as_dict()}


def simulate(drift_ppm: float, jitter_ms: float, seconds: float) -> DriftResult:
    """
    Let a call of ``seconds`` pass: the room asks each 10 ms, up to 1 ms late, and hears markers.

    Args:
        drift_ppm: how much too fast the carrier's clock runs.
        jitter_ms: each frame comes up to this late, evenly, and in order.
        seconds: more than ``SETTLED_S``.
    """
    payloads = marker.frames(RATE_HZ)
    dice = random.Random(2)  # noqa: S311 - the same each time
    asked_ns = [round((each * _PULL_MS + dice.uniform(0, _LATE_MS)) * MS) for each in range(_count(seconds, _PULL_MS))]
    heard = play(
        arrivals(drift_ppm, jitter_ms, seconds),
        asked_ns,
        pull_ms=_PULL_MS,
        frame=lambda number: payloads[number % len(payloads)],
        numbered=True,
    )
    settled = [(each.at_s, each.error_ms) for each in heard.seconds if each.at_s >= SETTLED_S]
    most_ms = max(abs(error_ms) for _, error_ms in settled)
    stats = heard.stats
    delay = held(settled, drift_ppm)
    return DriftResult(drift_ppm, jitter_ms, seconds, delay, most_ms, stats.underruns, stats.concealed_ms)


def arrivals(drift_ppm: float, jitter_ms: float, seconds: float) -> list[Arrival]:
    """When frames come, a little longer than ``seconds``."""
    dice = random.Random(1)  # noqa: S311 - as above
    made, last_ns = [], 0
    for number in range(_count(seconds * 1.001 + 1, PTIME_MS)):
        at_ms = _FIRST_MS + number * PTIME_MS / (1 + drift_ppm * 1e-6) + dice.uniform(0, jitter_ms)
        last_ns = max(last_ns, round(at_ms * MS))
        made.append(Arrival(last_ns, number))
    return made


def of_moments(moments: Sequence[Moment], drift_ppm: float) -> Held | None:
    """As ``held``, of what was measured; None: nothing was."""
    return held([(each.at_s, each.p50_ms - each.target_ms) for each in moments], drift_ppm) if moments else None


def held(beyond: Sequence[tuple[float, float]], drift_ppm: float) -> Held:
    """
    Compare the first with the last.

    Args:
        beyond: (s, ms beyond the target), in order, at least one.
        drift_ppm: of the clocks.
    """
    (begin_s, _), (end_s, _) = beyond[0], beyond[-1]
    part_s = min(LONGEST_S, (end_s - begin_s) / 4)
    first = statistics.median(ms for at_s, ms in beyond if at_s <= begin_s + part_s)
    last = statistics.median(ms for at_s, ms in beyond if at_s >= end_s - part_s)
    return Held(first, last, (end_s - begin_s) * drift_ppm / 1000)


def _count(seconds: float, each_ms: int) -> int:
    return int(seconds * (SECOND // MS)) // each_ms
