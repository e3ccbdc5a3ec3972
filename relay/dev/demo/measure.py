"""Mouth-to-ear delay over time: what was heard is looked for in what was said, stretch by stretch. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay._codec import PUSH_MAX_BYTES, Resampler
from relay.dev.demo.correlate import Place, Searched, samples_of
from relay.dev.recording import Recording

RATE_HZ: Final = 8000
STRETCH_MS: Final = 240  # a syllable and a part of the next: with less, one vowel looks like another
STEP_MS: Final = 100
EARLY_MS: Final = 10
LATE_MAX_MS: Final = 2500
NEAR_MS: Final = 30
"""A stretch is looked for first at the delay of the one before, and so much around it."""
FOUND_MATCH: Final = 0.97
"""From this normalised correlation on it is that stretch, whole. What somebody else said stays below."""
CUT_MATCH: Final = 0.8
"""
From this on it is that stretch, but relay has cut a period of the voice out of it, or plays it faster, to bring the
delay down: it has several delays. It counts if it comes out within ``SAME_MS`` of the one before, which is less than
half a period, and so no other period of the same vowel.
"""
SAME_MS: Final = 2.0
QUIET: Final = 150.0
"""-47 dBFS: a pause in the voice. There is nothing in it to be found again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch that was heard: its middle, how long ago that was said, and its level against the original."""

    at_ns: int
    delay_ms: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Delay:
    """The moments of one direction, summed up."""

    median_ms: float
    p95_ms: float
    worst_ms: float
    level_db: float


def summed_up(moments: Sequence[Moment]) -> Delay | None:
    """What they come to; None without any."""
    if not moments:
        return None
    delays_ms = sorted(moment.delay_ms for moment in moments)
    return Delay(
        statistics.median(delays_ms),
        delays_ms[math.ceil(0.95 * len(delays_ms)) - 1],
        delays_ms[-1],
        statistics.median(moment.level_db for moment in moments),
    )


def moments(heard: Recording, said: Recording) -> list[Moment]:
    """
    Every stretch of ``heard`` that comes from ``said``; pauses, and what nobody said, are left out.

    A delay is from a sample being said to the same sample being heard, by the recordings' own times.
    """
    heard, said = _at_rate(heard), _at_rate(said)
    ear, mouth = samples_of(heard.pcm), Searched(samples_of(said.pcm))
    length = RATE_HZ * STRETCH_MS // 1000
    apart = (heard.start_ns - said.start_ns) * RATE_HZ / 1e9
    """How far the first sample heard is from the first one said, in time."""
    found: list[Moment] = []
    delay: float | None = None
    for begins in range(0, len(ear) - length + 1, RATE_HZ * STEP_MS // 1000):
        stretch = ear[begins : begins + length]
        place = _look(mouth, stretch, begins + apart, delay) if _rms(stretch) >= QUIET else None
        if place is not None:
            delay = begins + apart - place.at
            middle_ns = heard.start_ns + round((begins + length / 2) * 1e9 / RATE_HZ)
            found.append(Moment(middle_ns, 1000 * delay / RATE_HZ, 20 * math.log10(place.gain)))
    return found


def _look(mouth: Searched, stretch: Sequence[float], now: float, delay: float | None) -> Place | None:
    """Around the delay of the last one, then everywhere. ``now`` and ``delay`` are in samples."""
    if delay is not None:
        around, same = (each * RATE_HZ / 1000 for each in (NEAR_MS, SAME_MS))
        near = mouth.find(stretch, math.floor(now - delay - around), math.ceil(now - delay + around))
        if near is not None and near.match >= CUT_MATCH:
            return near if near.match >= FOUND_MATCH or abs(now - near.at - delay) <= same else None
    first, last = now - LATE_MAX_MS * RATE_HZ / 1000, now + EARLY_MS * RATE_HZ / 1000
    place = mouth.find(stretch, math.floor(first), math.ceil(last))
    return place if place is not None and place.match >= FOUND_MATCH else None


def _rms(samples: Sequence[float]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def _at_rate(recording: Recording) -> Recording:
    """At 8 kHz by its own clock; what the filter delays is taken off."""
    rate_hz = round(recording.rate_hz)
    if rate_hz == RATE_HZ:
        return recording
    resampler = Resampler(rate_hz, RATE_HZ, profile="high_quality")
    pcm = recording.pcm
    pieces = [resampler.push(pcm[at : at + PUSH_MAX_BYTES]) for at in range(0, len(pcm), PUSH_MAX_BYTES)]
    return Recording(b"".join(pieces), RATE_HZ, recording.start_ns - round(resampler.delay_ms * 1e6))
