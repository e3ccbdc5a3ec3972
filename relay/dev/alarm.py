"""A timer of the running loop that is never early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

MS_NS = 1_000_000


class Alarm:
    """Calls back once, at ``due_ns`` (monotonic) or up to a few ms later, never before; until ``cancel``."""

    def __init__(self, due_ns: int, callback: Callable[[], None]) -> None:
        self._due_ns = due_ns
        self._callback = callback
        self._arm()

    def cancel(self) -> None:
        """Do not call any more."""
        self._handle.cancel()

    def _arm(self) -> None:
        # In whole ms, as uvloop rounds to the nearest. It may still be up to 1 ms early, having cut its own clock.
        delay_ms = max(0, -((time.monotonic_ns() - self._due_ns) // MS_NS))
        self._handle = asyncio.get_running_loop().call_later(delay_ms / 1000, self._fire)

    def _fire(self) -> None:
        if time.monotonic_ns() < self._due_ns:
            self._arm()
        else:
            self._callback()
