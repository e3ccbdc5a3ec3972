"""The clock that transfers go by: the loop's, or one that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol


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


class Patience:
    """
    ``async with Patience(0.25):`` a time-out that blames nobody for a loop that stood still.

    A loop that wakes up late runs its timers before it reads what has come meanwhile. So the time-out falls
    ``READING_S`` after its time, and what has come by then is read first.

    Raises:
        TimeoutError: it took longer.
    """

    READING_S: Final = 0.01

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        """Begin to wait."""
        await self._timeout.__aenter__()
        self._timer = self._loop.call_later(self._timeout_s, self._read_first)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop waiting."""
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _read_first(self) -> None:
        self._timeout.reschedule(self._loop.time() + self.READING_S)
