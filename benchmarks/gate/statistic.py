"""
Owns the verdict on times: how much slower, at least.

A turn of the one side and a turn of the other make a ratio; of four turns in the order A B B A, what drifts meanwhile
falls out. The median of a launch's ratios is one figure: within a launch turns are no independent samples, as a process
has its memory where it has it. The bounds are ranks among the launches' figures, the sign test's: they assume nothing
of how figures are spread, and one launch that was disturbed moves none of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

ALPHA: Final = 0.02
"""The chance that the true slowdown is below ``lower``, and as much that it is above ``upper``."""

Turn: TypeAlias = Mapping[str, float]
"""ns per frame, by path."""


def log_ratio(turns: Sequence[tuple[Turn, Turn]], path: str) -> float:
    """How much slower the second of each pair was, as a logarithm: the mean of the pairs."""
    return statistics.fmean(math.log(now[path] / base[path]) for base, now in turns)


def rank(launches: int, alpha: float = ALPHA) -> int:
    """Which of the figures in order is below the true median but for a chance of ``alpha``; 0: none is."""
    chance, found = 0.0, 0
    for below in range(launches):
        chance += math.comb(launches, below) / 2**launches
        if chance > alpha:
            break
        found = below + 1
    return found


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Of one path, as a part: 0.1 is ten percent slower."""

    path: str
    estimate: float
    lower: float
    upper: float
    base_us: float
    now_us: float

    @classmethod
    def of(cls, path: str, log_ratios: Sequence[float], *, base_us: float, now_us: float) -> Slowdown:
        """
        Of one figure for each launch.

        Too few launches for a bound have none: ``lower`` is -1, ``upper`` infinite.
        """
        ordered, at = sorted(log_ratios), rank(len(log_ratios))
        lower, upper = (ordered[at - 1], ordered[-at]) if at else (-math.inf, math.inf)
        estimate = statistics.median(ordered)
        return cls(path, math.expm1(estimate), math.expm1(lower), math.expm1(upper), base_us, now_us)

    def is_beyond(self, bound: float) -> bool:
        """Whether it is slower by more than ``bound``, as good as certainly."""
        return self.lower > bound
