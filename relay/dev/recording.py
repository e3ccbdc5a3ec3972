"""A stretch of audio with its place in time."""

from __future__ import annotations

from typing import NamedTuple


class Recording(NamedTuple):
    """
    L16 mono from ``start_ns`` (monotonic) on.

    ``rate_hz`` is the recorder's true rate: a clock that is 100 ppm fast has 8000.8.
    """

    pcm: bytes
    rate_hz: float
    start_ns: int

    @property
    def duration_ms(self) -> float:
        """How much audio it holds."""
        return 1000 * len(self.pcm) / 2 / self.rate_hz

    def since(self, now_ns: int) -> Recording:
        """The rest of it from ``now_ns`` on."""
        first = min(max(0, round((now_ns - self.start_ns) * self.rate_hz / 1e9)), len(self.pcm) // 2)
        return Recording(self.pcm[2 * first :], self.rate_hz, self.start_ns + round(first * 1e9 / self.rate_hz))
