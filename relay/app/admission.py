"""
Whether the machine has room for one more transfer: bounds that do not flap, and the door that they close.

Calls that are live are never touched: what is refused is what has not begun. No clock is read here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.errors import Overloaded
from relay.transfers import ports
from relay.transfers.record import TransferOrder

RETRY_AFTER_S: Final = 5.0
"""What is short is so for ``HOLD_S`` more at least."""
HOLD_S: Final = 2.0
"""Load that is over sooner is no load; and room that is gone sooner is none."""
WORKER_MEMORY_BYTES: Final = 64 << 20
"""What one more call may need until it is over: a worker has 25 MB of its own, and what the Daily SDK takes joined."""
WORKER_TASKS: Final = 20
"""Threads of a worker's process: 14 with Daily's SDK (docs/rooms.md), and what that starts for a call."""
CPU_BACK_PERCENT: Final = 10.0
"""So much less than the limit must be in use for a transfer to be let in again."""
GROWING_S: Final = 10.0
"""So long what a call takes is not yet seen in what is left: it is set aside."""


class Shortage(StrEnum):
    """What there is too little of."""

    LOOP = "loop"
    CPU = "cpu"
    MEMORY = "memory"
    TASKS = "tasks"
    DESCRIPTORS = "descriptors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the machine is like at one time; None: there is no such bound here, or it cannot be known."""

    loop_lag_ms: float | None = None
    """How late the loop's timers are: the 99th percentile of the last seconds."""
    cpu_share: float | None = None
    """Of the processors that this service may use: the mean of the last two seconds."""
    memory_share: float | None = None
    """Of the limit that is nearest to being reached."""
    memory_left_bytes: int | None = None
    """Until that limit, or the machine's end."""
    tasks_left: int | None = None
    """Processes and threads that may still be started."""
    descriptors_share: float | None = None
    """Of those that this process may have open."""


@dataclass(frozen=True, slots=True)
class Bound:
    """
    One bound with hysteresis.

    Args:
        shortage: what lies beyond it.
        value: what is bounded.
        limit: more than this for ``hold_s`` is too much.
        back: less than this for ``HOLD_S`` is enough again.
        hold_s: 0: at once.
        says: with the value, what a refusal says.
    """

    shortage: Shortage
    value: Callable[[Reading], float | None]
    limit: float
    back: float
    hold_s: float
    says: Callable[[float], str]


def _share(needed: int, left: int | None) -> float | None:
    return None if left is None else needed / max(left, 1)


_FIXED: Final[Sequence[Bound]] = (
    Bound(
        Shortage.MEMORY,
        lambda reading: reading.memory_share,
        limit=0.85,
        back=0.80,
        hold_s=0.0,
        says=lambda share: f"expected 85 % of the memory in use at most, and under 80 % again, got {share:.0%}",
    ),
    Bound(
        Shortage.MEMORY,
        lambda reading: _share(WORKER_MEMORY_BYTES, reading.memory_left_bytes),
        limit=1.0,
        back=0.75,
        hold_s=0.0,
        says=lambda need: (
            f"expected {WORKER_MEMORY_BYTES >> 20} MiB of memory for another call, "
            f"got {WORKER_MEMORY_BYTES / need / (1 << 20):.0f} MiB"
        ),
    ),
    Bound(
        Shortage.TASKS,
        lambda reading: _share(WORKER_TASKS, reading.tasks_left),
        limit=1.0,
        back=0.75,
        hold_s=0.0,
        says=lambda need: (
            f"expected {WORKER_TASKS} processes and threads that another call may start, got {WORKER_TASKS / need:.0f}"
        ),
    ),
    Bound(
        Shortage.DESCRIPTORS,
        lambda reading: reading.descriptors_share,
        limit=0.85,
        back=0.75,
        hold_s=0.0,
        says=lambda share: f"expected 85 % of the descriptors in use at most, and under 75 % again, got {share:.0%}",
    ),
)


def bounds(*, max_cpu_percent: float = 90.0, max_loop_lag_ms: float = 20.0) -> Sequence[Bound]:
    """
    All bounds, of which an operator may set two.

    Args:
        max_cpu_percent: of the processors, in use; 100: whatever is. There is room again with 10 less.
        max_loop_lag_ms: how late timers are. There is room again below half of it.
    """
    loop = Bound(
        Shortage.LOOP,
        lambda reading: reading.loop_lag_ms,
        limit=max_loop_lag_ms,
        back=max_loop_lag_ms / 2,
        hold_s=HOLD_S,
        says=lambda lag_ms: (
            f"expected timers to be {max_loop_lag_ms:g} ms late at most, and under {max_loop_lag_ms / 2:g} ms again, "
            f"got {lag_ms:.0f} ms"
        ),
    )
    if max_cpu_percent >= 100:  # what is read may be a little more than all
        return loop, *_FIXED
    back = max_cpu_percent - CPU_BACK_PERCENT
    cpu = Bound(
        Shortage.CPU,
        lambda reading: reading.cpu_share,
        limit=max_cpu_percent / 100,
        back=back / 100,
        hold_s=0.0,
        says=lambda share: (
            f"expected {max_cpu_percent:g} % of the CPU in use at most, and under {back:g} % again, got {share:.0%}"
        ),
    )
    return loop, cpu, *_FIXED


BOUNDS: Final = bounds()


class Admission:
    """
    Says whether transfers are let in, as those readings have it that it is told of. Without any, they are.

    Args:
        within: the bounds.
        on_refused: told of each shortage that a transfer is refused for.
    """

    def __init__(
        self, within: Sequence[Bound] = BOUNDS, *, on_refused: Callable[[Shortage], None] = lambda _: None
    ) -> None:
        self._on_refused = on_refused
        self._gauges = [_Gauge(bound) for bound in within]
        self._now_s = 0.0
        self._reading = Reading()
        self._begun_s: deque[float] = deque()
        """When each transfer was let in whose call may still grow; to the last reading's time."""

    @property
    def short_of(self) -> Mapping[Shortage, str]:
        """What there is too little of now, and how that is said."""
        return {gauge.bound.shortage: gauge.bound.says(gauge.value) for gauge in self._gauges if gauge.is_short}

    def note(self, now_s: float, reading: Reading) -> None:
        """Take note of a reading; ``now_s`` never goes back."""
        self._now_s, self._reading = now_s, reading
        while self._begun_s and now_s - self._begun_s[0] >= GROWING_S:
            self._begun_s.popleft()
        for gauge in self._gauges:
            gauge.note(now_s, gauge.bound.value(reading))

    def check(self) -> None:
        """
        Return if one more transfer may begin, which is then counted as one that has.

        Raises:
            Overloaded: it may not; the message says what there is too little of.
        """
        short_of = {**self._set_aside(), **self.short_of}
        for shortage in short_of:
            self._on_refused(shortage)
        if short_of:
            raise Overloaded("; ".join(short_of.values()), retry_after_s=RETRY_AFTER_S)
        self._begun_s.append(self._now_s)

    def forget_last(self) -> None:
        """Nothing has come of one that was let in."""
        if self._begun_s:  # else so long has passed that it counts no longer
            self._begun_s.pop()

    def _set_aside(self) -> dict[Shortage, str]:
        """What there would be too little of if all that have just begun took what a call may take."""
        begun = len(self._begun_s)
        left = {
            Shortage.MEMORY: (self._reading.memory_left_bytes, WORKER_MEMORY_BYTES, "the memory"),
            Shortage.TASKS: (self._reading.tasks_left, WORKER_TASKS, "the processes and threads"),
        }
        return {
            shortage: f"expected {what} for another call beside {begun} that have just begun, got less"
            for shortage, (has, needs, what) in left.items()
            if has is not None and has < needs * (begun + 1)
        }


class _Gauge:
    """One bound and on which side of it the last readings were."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.value = 0.0
        self.is_short = False
        self._since_s: float | None = None
        """Since when every reading has been for the other side."""

    def note(self, now_s: float, value: float | None) -> None:
        if value is None:  # not bounded any longer: as if nothing were used; what is said stays true of the last one
            is_for_change = self.is_short
        else:
            self.value = value
            is_for_change = value < self.bound.back if self.is_short else value > self.bound.limit
        if not is_for_change:
            self._since_s = None
            return
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s >= (HOLD_S if self.is_short else self.bound.hold_s):
            self.is_short = not self.is_short
            self._since_s = None


class AdmittingBridges:
    """
    ``ports.Bridges`` behind the door: a transfer takes its bridge before anything is dialled.

    Args:
        bridges: where they come from.
        admission: asked before each.
    """

    def __init__(self, bridges: ports.Bridges, admission: Admission) -> None:
        self._bridges = bridges
        self._admission = admission

    async def acquire(
        self,
        transfer_id: str,
        order: TransferOrder,
        *,
        held: bool,
        on_event: Callable[[ports.BridgeEvent], None],
    ) -> ports.Bridge:
        """As ``ports.Bridges.acquire``."""
        self._admission.check()
        try:
            return await self._bridges.acquire(transfer_id, order, held=held, on_event=on_event)
        except BaseException:
            self._admission.forget_last()
            raise
