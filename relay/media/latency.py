"""A histogram of durations that costs next to nothing to feed."""

from __future__ import annotations

from typing import Final

# Durations are counted in units of 2**14 ns (16.4 us), exactly up to 32 units and then in 16 steps for each doubling:
# a bucket is never wider than 1/16 of what it holds. 20 doublings reach 8.6 s; all above falls in the last bucket.
_UNIT_BITS: Final = 14
_EXACT_BITS: Final = 5
_STEPS: Final = 1 << (_EXACT_BITS - 1)
_BUCKETS: Final = 2 * _STEPS + 14 * _STEPS
_LAST: Final = _BUCKETS - 1


def _upper_ns(bucket: int) -> int:
    """The shortest duration that is above the bucket."""
    shift = max(bucket // _STEPS - 1, 0)
    return (bucket - shift * _STEPS + 1) << (shift + _UNIT_BITS)


class LatencyHistogram:
    """
    Counts durations in buckets at most 1/16 as wide as what they hold, from 16 us to 8.5 s.

    One addition a sample, no allocation, 1 KB. Percentiles are upper bounds: never less than the true figure, and more
    by at most a bucket.
    """

    __slots__ = ("_counts", "_used", "count", "max_ns")

    def __init__(self) -> None:
        self._counts = list(bytes(_BUCKETS))
        self._used = 0  # no bucket from this one on has counted anything: they are neither read nor cleared
        self.count = 0
        """How many durations have been counted."""
        self.max_ns = 0

    def record(self, duration_ns: int) -> None:
        """Count one duration. A negative one (clocks read out of order) counts as none."""
        units = duration_ns >> _UNIT_BITS
        self.count += 1
        # Branches, not max() and min(): a call costs as much as all the rest.
        if duration_ns > self.max_ns:  # noqa: PLR1730 - as above
            self.max_ns = duration_ns
        if units < 2 * _STEPS:
            bucket = units if units > 0 else 0  # noqa: FURB136 - as above
        else:
            shift = units.bit_length() - _EXACT_BITS
            bucket = shift * _STEPS + (units >> shift)
            if bucket > _LAST:  # noqa: PLR1730 - as above
                bucket = _LAST
        self._counts[bucket] += 1
        if bucket >= self._used:
            self._used = bucket + 1

    def percentile_ms(self, percent: float) -> float:
        """
        The duration that ``percent`` of all do not exceed, 0.0 if there are none.

        Raises:
            ValueError: ``percent`` is not within 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"percentile_ms: expected 0 to 100 percent, got {percent!r}")
        left = self.count * percent / 100
        for bucket in range(self._used):
            count = self._counts[bucket]
            left -= count
            if count and left <= 0:
                return min(_upper_ns(bucket) if bucket < _LAST else self.max_ns, self.max_ns) / 1e6
        return 0.0

    def add(self, other: LatencyHistogram) -> None:
        """Count all that ``other`` has counted."""
        for bucket in range(other._used):
            self._counts[bucket] += other._counts[bucket]
        self._used = max(self._used, other._used)
        self.count += other.count
        self.max_ns = max(self.max_ns, other.max_ns)

    def clear(self) -> None:
        """Forget everything."""
        for bucket in range(self._used):
            self._counts[bucket] = 0
        self._used = self.count = 0
        self.max_ns = 0
