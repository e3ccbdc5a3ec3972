"""Mouth-to-ear delay: a train of chirps, and when each of them is heard, by cross-correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import signal

from tests.signals.waves import Floats, dbfs, samples_of

FOUND_MATCH = 0.5
"""A chirp is heard from this normalised correlation on; noise alone stays below 0.2, half a chirp gives 0.7."""
NEAR_SAMPLES, FINER = 32, 16
"""The correlation is drawn 16 times finer around its peak: then a parabola errs by less than a microsecond."""


@dataclass(frozen=True, slots=True)
class Chirps:
    """
    Linear chirps in the telephone band, ``spacing_ms`` apart, with silence between them.

    Delays from -``early_ms`` to ``spacing_ms - early_ms - length_ms`` are told apart.
    """

    count: int = 10
    spacing_ms: float = 500.0
    first_ms: float = 100.0
    length_ms: float = 60.0
    low_hz: float = 500.0
    high_hz: float = 3000.0
    level_dbfs: float = -9.0

    def at_ms(self, index: int) -> float:
        """Where in the train a chirp starts."""
        return self.first_ms + index * self.spacing_ms

    def wave(self, rate_hz: float) -> Floats:
        """The whole train, a spacing after the last chirp's start included."""
        time_ms = 1000 * np.arange(round(self.at_ms(self.count) * rate_hz / 1000)) / rate_hz
        return np.asarray(np.sum([self.chirp(time_ms - self.at_ms(index)) for index in range(self.count)], axis=0))

    def chirp(self, time_ms: Floats) -> Floats:
        """One chirp, at these times from its start; it fades in and out, as a step would have every frequency."""
        part = np.clip(time_ms / self.length_ms, 0.0, 1.0)
        cycles = self.length_ms / 1000 * (self.low_hz * part + (self.high_hz - self.low_hz) * part**2 / 2)
        return np.asarray(dbfs(self.level_dbfs) * np.sin(np.pi * part) * np.sin(2 * np.pi * cycles))


@dataclass(frozen=True, slots=True)
class ChirpHeard:
    """When one chirp was said and heard, to the start of it; ``delay_ms`` is nan if it was not heard."""

    index: int
    said_ns: int
    delay_ms: float
    match: float
    """The normalised correlation, 1.0 for an undistorted chirp."""

    @property
    def heard(self) -> bool:
        return not math.isnan(self.delay_ms)

    @property
    def heard_ns(self) -> int:
        """
        When its start was heard.

        Raises:
            ValueError: it was not heard.
        """
        return self.said_ns + round(self.delay_ms * 1e6)


def chirp_delays(
    pcm: bytes, rate_hz: float, start_ns: int, *, chirps: Chirps, said_start_ns: int, early_ms: float = 20.0
) -> list[ChirpHeard]:
    """
    Find each chirp of a train in a recording.

    Args:
        pcm: what was heard, L16 mono.
        rate_hz: the true rate of ``pcm``; a recorder whose clock is 100 ppm fast has 8000.8.
        start_ns: when its first sample was heard.
        chirps: what was said.
        said_start_ns: when the train's first sample was said.
        early_ms: the search for a chirp starts this long before it was said.

    Returns:
        One for each chirp of the train, in order, whether heard or not.
    """
    heard = samples_of(pcm).astype(np.float64)
    template = chirps.chirp(1000 * np.arange(math.ceil(chirps.length_ms * rate_hz / 1000)) / rate_hz)
    found = []
    for index in range(chirps.count):
        said_ns = said_start_ns + round(chirps.at_ms(index) * 1e6)
        said_ms = (said_ns - start_ns) / 1e6
        first, end = (round(ms * rate_hz / 1000) for ms in (said_ms - early_ms, said_ms - early_ms + chirps.spacing_ms))
        first = max(first, 0)
        at, match = _find(heard[first : max(first, end)], template)
        found.append(ChirpHeard(index, said_ns, 1000 * (first + at) / rate_hz - said_ms, match))
    return found


def _find(window: Floats, template: Floats) -> tuple[float, float]:
    """At which sample the template starts, nan if it is not there, and how well it matches."""
    if len(window) < len(template):
        return math.nan, 0.0
    correlation = signal.correlate(window, template, mode="valid")
    peak = int(np.argmax(correlation))
    energy = float(np.sum(window[peak : peak + len(template)] ** 2) * np.sum(template**2))
    match = float(correlation[peak]) / math.sqrt(energy) if energy else 0.0
    return (_exact_peak(correlation, peak) if match >= FOUND_MATCH else math.nan), match


def _exact_peak(correlation: Floats, peak: int) -> float:
    """Where between samples the peak is."""
    first = max(0, peak - NEAR_SAMPLES)
    fine = signal.resample_poly(correlation[first : peak + NEAR_SAMPLES + 1], FINER, 1)
    top = int(np.argmax(fine))
    if not 0 < top < len(fine) - 1:
        return float(peak)
    before, at, after = fine[top - 1 : top + 2]
    return float(first + (top + (before - after) / (2 * (before - 2 * at + after))) / FINER)
