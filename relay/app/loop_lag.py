"""How late the timers of the loop are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from relay.transfers.clock import CallLater, Timer

TICK_S: Final = 0.01
WINDOW_S: Final = 2.0


class LoopLag:
    """
    How late a timer is that is set every ``TICK_S``, from ``start`` to ``stop``.

    Args:
        call_later: the loop's.
        now_s: monotonic; not the loop's own clock, which stands still while a callback runs.
    """

    def __init__(self, call_later: CallLater, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._call_later = call_later
        self._now_s = now_s
        self._lags: deque[tuple[float, float]] = deque()
        """When, and how late, in seconds."""
        self._due_s = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to measure."""
        self._due_s = self._now_s() + TICK_S
        self._timer = self._call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Measure no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def p99_ms(self) -> float | None:
        """The 99th percentile of the last ``WINDOW_S``; None: no timer came in it."""
        self._forget(self._now_s())
        lags = sorted(lag_s for _, lag_s in self._lags)
        return lags[-1 - len(lags) // 100] * 1000 if lags else None

    def _tick(self) -> None:
        now_s = self._now_s()
        self._lags.append((now_s, max(now_s - self._due_s, 0.0)))
        self._forget(now_s)
        self.start()

    def _forget(self, now_s: float) -> None:
        while self._lags and now_s - self._lags[0][0] > WINDOW_S:
            self._lags.popleft()
