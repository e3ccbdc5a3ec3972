"""A clock that only a test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay.dev.until import Changes

TIMEOUT_S = 10.0


@dataclass(order=True)
class _Timer:
    at_s: float
    number: int
    callback: Callable[[], None] = field(compare=False)
    delay_s: float = field(compare=False)
    is_canceled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.is_canceled = True


class ManualClock:
    """``clock.CallLater`` is its ``call_later``: nothing is due before ``advance`` says so."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._timers: list[_Timer] = []
        self._numbers = itertools.count()
        self._changes = Changes()

    @property
    def delays_s(self) -> list[float]:
        """What is waited for, as it was asked for."""
        return [timer.delay_s for timer in sorted(self._timers) if not timer.is_canceled]

    def call_later(self, delay_s: float, callback: Callable[[], None], /) -> _Timer:
        timer = _Timer(self.now_s + delay_s, next(self._numbers), callback, delay_s)
        heapq.heappush(self._timers, timer)
        self._changes.changed()
        return timer

    def stand_still(self, duration_s: float) -> None:
        """Let so much time pass in which nothing is called: what was due comes late."""
        self.now_s += duration_s

    def advance(self, duration_s: float) -> None:
        """Let so much time pass; what is due then is called, in its order."""
        until_s = self.now_s + duration_s
        while self._timers and self._timers[0].at_s <= until_s:
            timer = heapq.heappop(self._timers)
            self.now_s = max(self.now_s, timer.at_s)
            if not timer.is_canceled:
                timer.callback()
        self.now_s = max(self.now_s, until_s)

    async def until_pause(self, delay_s: float) -> None:
        """Wait until somebody waits for so long."""
        what = f"clock: a pause of {delay_s} s"
        await self._changes.until(lambda: delay_s in self.delays_s, what, timeout_s=TIMEOUT_S)

    async def pass_pause(self, delay_s: float) -> None:
        """Wait until somebody waits for so long, and let that time pass."""
        await self.until_pause(delay_s)
        self.advance(delay_s)

    async def run(self, task: asyncio.Task[Any], pauses_s: Sequence[float]) -> None:
        """Wait for a task, and let the time pass whenever somebody waits for one of these pauses."""
        task.add_done_callback(lambda _: self._changes.changed())
        while not task.done():
            waiting = [delay_s for delay_s in self.delays_s if delay_s in pauses_s]
            if waiting:
                self.advance(min(waiting))
                await asyncio.sleep(0)
            else:
                await self._changes.until(
                    lambda: task.done() or any(delay_s in pauses_s for delay_s in self.delays_s),
                    "clock: the task's end, or a pause",
                    timeout_s=TIMEOUT_S,
                )
        await task
