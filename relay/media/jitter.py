"""How late frames are beside the fastest ones, and what delay that asks for."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

WINDOW_S: Final = 3
"""The fastest frames are those of this long: enough for one on time under heavy jitter, 1 ms of drift at 300 ppm."""

HISTORY_S: Final = 10
"""Lateness is remembered for this long."""

MARGIN_MS: Final = 5.0
"""Above the lateness measured: 1 ms each of dead band, of drift within the window, of the room's timer; 2 for luck."""

FALL_MS_PER_S: Final = 0.8
"""The target's way down: re-timing follows it at 800 ppm, a quarter of the least change of pitch that is heard."""
DRY_LATE_MS: Final = 15.0  # beyond what is usual; less is no longer path, and steering takes it


class Jitter:
    """
    Takes how early each frame came, on any scale that stays, and says once a second what delay it takes.

    Earliness is the time a frame would wait had nothing been left out or put in since the scale began; a frame's
    lateness is how much less that is than the greatest of the last seconds.

    Args:
        start_ms: the target before anything is known.
        min_ms: its lower bound.
        max_ms: its upper bound.
        pull_ms: what the room takes at a time. A frame that begins anywhere in it must be there at its beginning, so
            that a frame's wait is worth that much less. Where in it frames begin moves as drift is followed.
    """

    __slots__ = (
        "_high_ms",
        "_highs_ms",
        "_lateness_ms",
        "_low_ms",
        "_max_ms",
        "_min_ms",
        "_more_ms",
        "_start_ms",
        "fastest_ms",
        "target_ms",
    )

    def __init__(self, *, start_ms: float, min_ms: float, max_ms: float, pull_ms: float) -> None:
        self._start_ms, self._min_ms, self._max_ms = start_ms, min_ms, max_ms
        self._more_ms = MARGIN_MS + pull_ms
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.target_ms = self._start_ms
        self._lateness_ms: deque[float] = deque(maxlen=HISTORY_S)
        self.new_scale()

    def new_scale(self) -> None:
        """Earliness starts anew, the target not below its first; how late frames were is remembered."""
        self.target_ms = max(self.target_ms, self._start_ms)
        self.fastest_ms = -math.inf
        self._highs_ms: deque[float] = deque(maxlen=WINDOW_S)
        self._high_ms, self._low_ms = -math.inf, math.inf

    def note(self, early_ms: float) -> bool:
        """Take a frame's earliness; tell whether it is the fastest of the last seconds."""
        if early_ms < self._low_ms:  # noqa: PLR1730 - min() costs three times as much
            self._low_ms = early_ms
        if early_ms > self._high_ms:
            self._high_ms = early_ms
            if early_ms > self.fastest_ms:
                self.fastest_ms = early_ms
                return True
        return False

    def ran_dry(self, early_ms: float) -> None:
        """
        Take the earliness of a frame for want of which nothing could be played, before it is noted.

        Either a burst follows, whose last frames are the fastest again, or the path has become longer: what was fast
        before says nothing any more of how long frames wait.
        """
        if self.fastest_ms - early_ms > self.lateness_ms + DRY_LATE_MS:
            self._highs_ms.clear()
            self._high_ms = self._low_ms = self.fastest_ms = early_ms

    def tick(self) -> float | None:
        """End a second, move the target, and return the greatest earliness of that second; None without frames."""
        high_ms = self._high_ms
        if high_ms == -math.inf:
            return None
        self._lateness_ms.append(self.fastest_ms - self._low_ms)
        self._highs_ms.append(high_ms)
        self.fastest_ms = max(self._highs_ms)
        self._high_ms, self._low_ms = -math.inf, math.inf
        wanted_ms = min(max(self.lateness_ms + self._more_ms, self._min_ms), self._max_ms)
        self.target_ms = max(wanted_ms, self.target_ms - FALL_MS_PER_S)
        return high_ms

    @property
    def lateness_ms(self) -> float:
        """
        The second largest of the lateness of each of the last seconds: about the 99.6th percentile of 20 ms frames.

        The largest would hold one stall against the stream for ten seconds, though the next may be an hour away.
        """
        latest = sorted(self._lateness_ms)
        return latest[-2] if len(latest) > 1 else latest[-1] if latest else 0.0
