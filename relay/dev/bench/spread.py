"""Owns how a row of figures is summed up: percentiles and their extremes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Of ``count`` values; all 0 when there is none."""

    count: int
    p50: float
    p99: float
    p99_9: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up, in any order."""
        ranked = sorted(values)
        return cls(len(ranked), *(percentile(ranked, percent) for percent in (50, 99, 99.9, 100)))


def percentile(ranked: Sequence[float], percent: float) -> float:
    """Of values in order, the least that so many percent do not exceed; 0 when there is none."""
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)] if ranked else 0.0
