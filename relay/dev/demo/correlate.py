"""Where a stretch of a voice is found in what was said: by correlation, first roughly, then to a part of a sample."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Final, NamedTuple, TypeAlias

FACTOR: Final = 4
"""The first look is at every fourth sample: a sixteenth of the work."""
TAPS: Final = 8 * FACTOR
PLACES_MAX: Final = 24
WORSE_MAX: Final = 0.5
"""
A vowel looks much the same some periods before and after, and only the second look tells which it is. It is taken at
so many places at most, if they match worse by no more than this at the first; half of that was tried, and misses some.
"""
ASIDE: Final = 2
"""Samples on each side that the second look takes: the first is not that far off."""
AROUND: Final = 16 * FACTOR
"""Samples of silence put around what was said: its ends are places like others."""

Signal: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a stretch may be from.

    Args:
        at: its first sample, and a part of one.
        match: the normalised correlation there; 1.0: it is the same.
        gain: how loud it is, against the original.
    """

    at: float
    match: float
    gain: float


def samples_of(pcm: bytes) -> list[float]:
    """Samples of L16."""
    return [float(sample) for sample in array("h", pcm)]


class Searched:
    """What was said, ready to be searched."""

    def __init__(self, samples: Signal) -> None:
        silence = [0.0] * AROUND
        padded = [*silence, *samples, *silence]
        self._fine = _Correlator(padded)
        self._rough = _Correlator(thinned(padded))

    def find(self, stretch: Signal, first: int, last: int) -> Place | None:
        """The place that matches ``stretch`` best, from sample ``first`` to ``last``; None without any."""
        first, last = (first + AROUND) // FACTOR, (last + AROUND) // FACTOR + 1
        rough = self._rough.tops(thinned(stretch), first, last)
        tops = sorted(rough, key=lambda top: -top.match)
        likely = [top for top in tops[:PLACES_MAX] if top.match >= tops[0].match - WORSE_MAX]
        found = [place for top in likely if (place := self._exact(stretch, round(FACTOR * top.at))) is not None]
        return max(found, key=lambda place: place.match, default=None)

    def _exact(self, stretch: Signal, near: int) -> Place | None:
        tops = self._fine.tops(stretch, near - ASIDE, near + ASIDE + 1)
        best = max(tops, key=lambda top: top.match, default=None)
        if best is None:
            return None
        return Place(best.at - AROUND, best.match, self._fine.gain(stretch, round(best.at)))


class _Top(NamedTuple):
    at: float
    match: float


class _Correlator:
    def __init__(self, samples: Signal) -> None:
        self._samples = samples
        self._energy = [0.0, *accumulate(map(mul, samples, samples))]

    def tops(self, stretch: Signal, first: int, last: int) -> Iterator[_Top]:
        """The peaks of the normalised correlation, from place ``first`` to before ``last``, between samples."""
        first = max(first, 0)
        matches = self._matches(stretch, first, last)
        for number in range(1, len(matches) - 1):
            before, at, after = matches[number - 1 : number + 2]
            if before < at >= after and at > 0:
                aside = (after - before) / (2 * (2 * at - before - after))  # the top of the parabola through the three
                yield _Top(first + number + aside, at + (after - before) * aside / 4)

    def gain(self, stretch: Signal, at: int) -> float:
        """How loud a stretch is against what is there."""
        original = self._samples[at : at + len(stretch)]
        return _product(stretch, original) / max(_product(original, original), 1.0)

    def _matches(self, stretch: Signal, first: int, last: int) -> list[float]:
        length, samples, energy = len(stretch), self._samples, self._energy
        own = math.sqrt(_product(stretch, stretch)) or 1.0
        return [
            _product(stretch, samples[at : at + length]) / (own * math.sqrt(max(energy[at + length] - energy[at], 1.0)))
            for at in range(first, min(last, len(samples) - length + 1))
        ]


def _product(one: Signal, other: Signal) -> float:
    return sum(map(mul, one, other), 0.0)


def _low_pass() -> list[float]:
    """A sinc under a Hann window: what every fourth sample can carry, and nothing above."""
    middle = (TAPS - 1) / 2
    taps = []
    for number in range(TAPS):
        angle = math.pi * (number - middle) / FACTOR
        taps.append(math.sin(angle) / angle * (0.5 + 0.5 * math.cos(math.pi * (number - middle) / (middle + 1))))
    return [tap / sum(taps) for tap in taps]


_LOW_PASS: Final = _low_pass()


def thinned(samples: Signal) -> list[float]:
    """Every fourth sample, after the low pass."""
    around = [0.0] * (TAPS // 2)
    padded = [*around, *samples, *around]
    return [_product(_LOW_PASS, padded[at : at + TAPS]) for at in range(0, len(samples) - FACTOR + 1, FACTOR)]
