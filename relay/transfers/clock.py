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


class Steps:
    """
    Calls back after so long, and blames nobody for a loop that stood still.

    Time is counted in ``COUNT`` steps, and while the loop stands still one of them goes by: a loop that is busy for
    longer than the whole has not looked for what it waits for either. A loop that wakes up late runs its timers before
    it reads what has come meanwhile; so the call comes ``READING_S`` after the last step, and what is there is read
    first.

    Args:
        timeout_s: how long, from ``start`` or ``restart``.
        on_over: called once it is over.
    """

    COUNT: Final = 10
    READING_S: Final = 0.01

    def __init__(self, timeout_s: float, on_over: Callable[[], None]) -> None:
        self._step_s = timeout_s / self.COUNT
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to count, anew if it was counting."""
        self.stop()
        self.restart()
        self._timer = self._loop.call_later(self._step_s, self._step)

    def restart(self) -> None:
        """Begin to count anew, if it was counting: costs next to nothing, and the step that goes on is its first."""
        self._left = self.COUNT

    def stop(self) -> None:
        """Do not count any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        self._left -= 1
        if self._left > 0:
            self._timer = self._loop.call_later(self._step_s, self._step)
        elif self._left == 0:
            self._timer = self._loop.call_later(self.READING_S, self._step)
        else:
            self._timer = None
            self._on_over()


class Patience:
    """
    ``async with Patience(0.25):`` a time-out that counts ``Steps``.

    Raises:
        TimeoutError: it took longer.
    """

    def __init__(self, timeout_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._steps = Steps(timeout_s, lambda: self._timeout.reschedule(self._loop.time()))

    async def __aenter__(self) -> None:
        """Begin to wait."""
        await self._timeout.__aenter__()
        self._steps.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop waiting."""
        self._steps.stop()
        await self._timeout.__aexit__(kind, error, trace)
