"""The carrier's clock against the room's, and the steering that follows it."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

SPAN_S: Final = 30
"""A slope is taken over this long: 1 ms of noise at its ends is 33 ppm."""

SLOPES: Final = 90
"""The estimate is the median of the slopes at the last seconds: a route that takes 30 ms longer touches 30 of them."""

DEAD_BAND_MS: Final = 1.0
"""An error within it is left alone: noise of the measure, and a stream without drift is given out as it came."""

STEER_PPM_PER_MS: Final = 200.0
"""Pull towards the target: a fifth of the error a second, slow beside the 3 s over which the delay is measured."""

STEER_MAX_PPM: Final = 2000.0
"""3.5 cents; changes of pitch are heard from about 5 cents on."""

_DRIFT_MAX_PPM: Final = 1000.0  # crystals keep to 100 ppm, sound cards to 300; beyond it is no clock


class Drift:
    """Estimates drift by how the earliness of the fastest frames moves, whatever was done to the audio meanwhile."""

    __slots__ = ("_levels_ms", "_slopes_ppm", "ppm")

    def __init__(self) -> None:
        self.ppm = 0.0
        self._slopes_ppm: deque[float] = deque(maxlen=SLOPES)
        self.new_scale()

    def new_scale(self) -> None:
        """Earliness starts anew; the estimate stays."""
        self._levels_ms: deque[float] = deque(maxlen=SPAN_S + 1)

    def note(self, level_ms: float) -> None:
        """Take the greatest earliness of the last second; to be called every second."""
        levels = self._levels_ms
        levels.append(level_ms)
        if len(levels) > SPAN_S:
            self._slopes_ppm.append((level_ms - levels[0]) * 1000 / SPAN_S)
            self.ppm = min(max(median(self._slopes_ppm), -_DRIFT_MAX_PPM), _DRIFT_MAX_PPM)


def steer_ppm(error_ms: float, drift_ppm: float) -> float:
    """By how much to play faster when the delay is ``error_ms`` above its target and the carrier's clock is fast."""
    outside_ms = max(error_ms - DEAD_BAND_MS, 0.0) + min(error_ms + DEAD_BAND_MS, 0.0)
    return min(max(drift_ppm + STEER_PPM_PER_MS * outside_ms, -STEER_MAX_PPM), STEER_MAX_PPM)
