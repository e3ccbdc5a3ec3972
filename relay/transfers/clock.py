"""The clock that transfers go by: the loop's, or one that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """What ``CallLater`` returns."""

    def cancel(self) -> None:
        """Do not call any more."""


class CallLater(Protocol):
    """``loop.call_later``, or a clock of a test."""

    def __call__(self, delay_s: float, callback: Callable[[], None], /) -> Timer:
        """Call back after so long."""


async def pause(call_later: CallLater, delay_s: float, woken: asyncio.Event) -> None:
    """Return after so long, or when ``woken`` is set, if it was not set before; it is clear then."""
    timer = call_later(delay_s, woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
    woken.clear()
