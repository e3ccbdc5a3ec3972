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

    Time is counted in ``STEPS``, and while the loop stands still one of them goes by: a loop that is busy for longer
    than the time-out has not looked for the answer either. A loop that wakes up late runs its timers before it reads
    what has come meanwhile; so the time-out falls ``READING_S`` after the last step, and what is there is read first.

    Raises:
        TimeoutError: it took longer.
    """

    STEPS: Final = 10
    READING_S: Final = 0.01

    def __init__(self, timeout_s: float) -> None:
        self._step_s = timeout_s / self.STEPS
        self._steps_left = self.STEPS
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        """Begin to wait."""
        await self._timeout.__aenter__()
        self._timer = self._loop.call_later(self._step_s, self._step)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop waiting."""
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _step(self) -> None:
        self._steps_left -= 1
        if self._steps_left:
            self._timer = self._loop.call_later(self._step_s, self._step)
        else:
            self._timeout.reschedule(self._loop.time() + self.READING_S)
