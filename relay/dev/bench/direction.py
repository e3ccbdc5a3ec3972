"""Owns one direction of all calls of a window: what the relay added to its frames, and what became of them. Pure."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from relay.dev.bench.heard import Frames
from relay.dev.bench.spread import Spread, percentile

LATE_MS: Final = 20.0
"""A frame that the relay delays by more than this, jitter target aside, is late: by a whole frame."""
BUCKET_S: Final = 0.1
NEAR_MS: Final = 5.0
"""Within this of what it was before, delay is back to normal."""
LATE_SHARE: Final = 0.01
"""A direction holds with no more than this of its frames late or missing: a missing one is later than any."""
ANSWERED_MIN: Final = 0.98
"""Of the audio that phones say, as much must come back."""
TAIL_NS: Final = 1_000_000_000
"""What is said in the last second of a window may be heard after it, and is left out."""
_LONE: Final = 1
"""So many buckets in a row that are not as before are noise, and no part of a stall."""
_POINTS: Final = 200
_EXACT: Final = 1e-6
"""Of a bucket: seconds are no whole multiples of it as floats."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What frames that were said within ``BUCKET_S`` of each other were delayed by, ms."""

    at_s: float
    p50_ms: float
    max_ms: float
    target_ms: float


@dataclass(frozen=True, slots=True)
class Direction:
    """
    One direction of all calls that were followed.

    ``added`` is all delay but the codec's filters'; ``beyond`` is that less the jitter target at the time, which is
    delay on purpose: the same where there is no jitter buffer.
    """

    calls: int
    said: int
    missing: int
    """Never heard as a whole."""
    late: int
    repeated: int
    unreadable: int
    """Begun and not readable: concealed, cut or re-timed beyond reading."""
    added: Spread
    beyond: Spread
    quantiles_ms: tuple[float, ...]
    """Of ``beyond``, evenly from the least to the most."""
    moments: tuple[Moment, ...]

    @property
    def holds(self) -> bool:
        """Whether frames were said, and 99 of 100 of them were heard, and in time."""
        return self.said > 0 and self.late + self.missing <= LATE_SHARE * self.said

    @classmethod
    def of(cls, calls: Sequence[tuple[Frames, Sequence[tuple[int, float]]]], since_ns: int) -> Self:
        """
        Sum up.

        Args:
            calls: of each its frames, and the jitter targets as they were reported: (when, ms), none without one.
            since_ns: when the window began.
        """
        added: list[float] = []
        beyond: list[float] = []
        buckets: dict[int, list[tuple[float, float]]] = {}
        for frames, targets in calls:
            for each in frames.delays:
                target_ms = target_at(targets, each.said_ns)
                added.append(each.delay_ms)
                beyond.append(each.delay_ms - target_ms)
                bucket = round((each.said_ns - since_ns) / 1e9 // BUCKET_S)
                buckets.setdefault(bucket, []).append((each.delay_ms, target_ms))
        ranked = sorted(beyond)
        return cls(
            len(calls),
            sum(frames.said for frames, _ in calls),
            sum(frames.missing for frames, _ in calls),
            sum(each > LATE_MS for each in beyond),
            sum(frames.repeated for frames, _ in calls),
            sum(frames.unreadable for frames, _ in calls),
            Spread.of(added),
            Spread.of(beyond),
            tuple(percentile(ranked, 100 * point / _POINTS) for point in range(_POINTS + 1)),
            tuple(_moment(bucket, buckets[bucket]) for bucket in sorted(buckets)),
        )


def carried(load: Mapping[str, Any], *ways: Direction) -> bool:
    """Whether every call of a window went on, nearly all was answered, and each direction holds; ``Load.as_dict``."""
    return not load["ended"] and load["answered"] >= ANSWERED_MIN and all(way.holds for way in ways)


def target_at(targets: Sequence[tuple[int, float]], now_ns: int) -> float:
    """The jitter target that was reported last before a moment, ms; the first one before that, 0 if there is none."""
    if not targets:
        return 0.0
    return targets[max(0, bisect.bisect_right(targets, (now_ns, float("inf"))) - 1)][1]


def _moment(bucket: int, frames: Iterable[tuple[float, float]]) -> Moment:
    delays, targets = zip(*frames, strict=True)
    return Moment(bucket * BUCKET_S, statistics.median(delays), max(delays), statistics.fmean(targets))


def back_s(moments: Sequence[Moment], *, begin_s: float, end_s: float, until_s: float) -> float | None:
    """
    When delay was back to what it was, after something that lasted from ``begin_s`` to ``end_s``.

    A time in which nothing was heard is not as before; one bucket alone that differs is noise.

    Args:
        moments: of one direction, in order.
        begin_s: of what happened.
        end_s: of it.
        until_s: where the moments should reach to.

    Returns:
        seconds after the end; None: not until then, or there are none before it to compare with.
    """
    by_bucket = {round(each.at_s / BUCKET_S): each.p50_ms - each.target_ms for each in moments}
    first, until = math.ceil(begin_s / BUCKET_S - _EXACT), math.floor(until_s / BUCKET_S + _EXACT)
    before = [beyond_ms for bucket, beyond_ms in by_bucket.items() if bucket < first]
    if not before:
        return None
    normal_ms = statistics.median(before)
    back, run = first, 0
    for bucket in range(first, until):
        beyond_ms = by_bucket.get(bucket)
        run = run + 1 if beyond_ms is None or abs(beyond_ms - normal_ms) > NEAR_MS else 0
        if run > _LONE:
            back = bucket + 1
    if back == until:
        return None
    return max(0.0, back * BUCKET_S - end_s)
