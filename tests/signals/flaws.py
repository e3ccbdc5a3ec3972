"""Where a recording is flawed: stretches of silence in what should sound, and steps that the signal does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.signals.levels import level_db
from tests.signals.waves import dbfs, samples_of


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch between two sounds in which nothing was heard."""

    start_ns: int
    duration_ms: float


def gaps(
    pcm: bytes, rate_hz: float, start_ns: int, *, floor_dbfs: float = -60.0, shortest_ms: float = 3.0
) -> list[Silence]:
    """
    Find where a steady signal falls below ``floor_dbfs`` for ``shortest_ms`` or longer, between its start and its end.

    A tone's zero crossings are shorter than half its period; speech has pauses of its own.
    """
    loud = np.flatnonzero(np.abs(samples_of(pcm).astype(np.int32)) > dbfs(floor_dbfs))
    missing = np.diff(loud) - 1
    return [
        Silence(start_ns + _ns(loud[at] + 1, rate_hz), float(1000 * missing[at] / rate_hz))
        for at in np.flatnonzero(missing >= shortest_ms * rate_hz / 1000)
    ]


def largest_step(pcm: bytes) -> int:
    """Return the largest difference of two neighbouring samples."""
    return int(np.abs(np.diff(samples_of(pcm).astype(np.int32))).max(initial=0))


def step_over_own_db(pcm: bytes, own_pcm: bytes) -> float:
    """Return how far the largest step in a recording is above the largest of the signal itself: 0 without a click."""
    return level_db(largest_step(pcm), max(largest_step(own_pcm), 1))


def clicks(pcm: bytes, rate_hz: float, start_ns: int, *, own_pcm: bytes, over_db: float = 3.0) -> list[int]:
    """Return when there was a step larger by ``over_db`` than the largest of the signal itself, in ns."""
    steps = np.abs(np.diff(samples_of(pcm).astype(np.int32)))
    at = np.flatnonzero(steps > largest_step(own_pcm) * 10 ** (over_db / 20))
    return [start_ns + _ns(index + 1, rate_hz) for index in at]


def _ns(samples: np.integer[Any], rate_hz: float) -> int:
    return round(int(samples) * 1e9 / rate_hz)
