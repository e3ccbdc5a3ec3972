"""
The clock of a sound device: ticks at absolute deadlines, on the running loop or by hand.

Its time is CLOCK_MONOTONIC, which stands still while the machine sleeps: so do devices, and nothing is missed by it.

What happens to late ticks is what a sound card does: its ring holds ``RING_MS``. Ticks that are late by less are all
delivered, at once; older ones are an xrun: skipped, and counted as ``missed``.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from relay.rooms.deadlines import Deadline, Deadlines, Due, shared_deadlines

RING_MS: Final = 40  # two frames of 20 ms; whatever is asked for later than that is a gap in a real device too
PHASE_MS: Final = 5  # four phases in 20 ms: the rooms of one process do not all wake in the same millisecond
MS_NS: Final = 1_000_000
MILLION: Final = 1_000_000

Tick = Due

log = structlog.get_logger(__name__)


class Schedule:
    """
    When a device ticks: every ``period_ns``, counted from ``origin_ns``, so that no error adds up.

    A device with a ``drift_ppm`` of +100 ticks 100 times too often in a million ticks.
    """

    def __init__(self, origin_ns: int, period_ns: int, *, drift_ppm: int = 0) -> None:
        if period_ns <= 0 or abs(drift_ppm) >= MILLION:
            raise ValueError(f"Schedule: expected a period above 0 and a drift, got {period_ns} ns, {drift_ppm} ppm")
        self._origin_ns = origin_ns
        self._period_ns = period_ns
        self._rate = MILLION + drift_ppm
        self._advance_to(1)

    def _advance_to(self, count: int) -> None:
        self._count = count
        self.next_ns = self._origin_ns + self._count * self._period_ns * MILLION // self._rate

    def take(self, now_ns: int) -> tuple[int, int]:
        """The ticks due at ``now_ns``, and how many more are missed, being older than the ring."""
        due = missed = 0
        while self.next_ns <= now_ns:
            if now_ns - self.next_ns < RING_MS * MS_NS:
                due += 1
            else:
                missed += 1
            self._advance_to(self._count + 1)
        return due, missed

    def skip_to(self, now_ns: int) -> None:
        """The next tick is the first one after ``now_ns``."""
        self._advance_to((now_ns - self._origin_ns) * self._rate // (self._period_ns * MILLION) + 1)


class Ticks:
    """One device's place on a clock, from ``subscribe`` to ``stop``."""

    def __init__(self, tick: Tick, stopped: Callable[[Ticks], object]) -> None:
        self._tick = tick
        self._stopped = stopped
        self._running = True
        self.missed = 0

    def stop(self) -> None:
        """No tick comes after this. May be called again."""
        if self._running:
            self._running = False
            self._stopped(self)

    def deliver(self, now_ns: int, due: int, missed: int) -> None:
        """Tick ``due`` times. A tick that raises is logged, and disturbs no other device."""
        self.missed += missed
        for _ in range(due):
            if not self._running:
                return
            try:
                self._tick(now_ns)
            except Exception:  # other calls share this wake-up and must outlive it
                log.exception("device_clock.tick_failed")


class DeviceClock(Protocol):
    """Where devices get their ticks from: a ``Ticks`` of this module for each, which compiled rooms rely on."""

    def now_ns(self) -> int:
        """Monotonic time, of which ticks are told."""

    def subscribe(self, tick: Tick, period_ms: int, *, drift_ppm: int = 0) -> Ticks:
        """Call ``tick`` every ``period_ms``, never early, the first time within one period and a phase."""


class _Metronome:
    """One schedule on the loop, and everybody who follows it: one deadline for all of them."""

    def __init__(self, schedule: Schedule, deadlines: Deadlines) -> None:
        self._schedule = schedule
        self._deadlines = deadlines
        self.devices: list[Ticks] = []
        self._timer: Deadline | None = None

    def add(self, tick: Tick) -> Ticks:
        device = Ticks(tick, self._remove)
        self.devices = [*self.devices, device]  # a new list: the old one may be under iteration
        if self._timer is None:
            self._schedule.skip_to(self._deadlines.now_ns())  # what was due while nobody listened is nobody's
            self._arm()
        return device

    def _remove(self, device: Ticks) -> None:
        self.devices = [other for other in self.devices if other is not device]
        if not self.devices and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._deadlines.call_at(self._schedule.next_ns, self._wake)

    def _wake(self, now_ns: int) -> None:
        self._timer = None
        due, missed = self._schedule.take(now_ns)
        for device in self.devices:
            device.deliver(now_ns, due, missed)
        if self.devices and self._timer is None:  # a device that came after the last had gone has armed it
            self._arm()


class LoopClock:
    """
    The device clock of one running loop.

    Devices without drift share one schedule for each period and phase, however many they are; one with drift has its
    own. All schedules share the timer of the loop's deadlines, which is there while there are devices.

    Args:
        deadlines: without them, the running loop's.
    """

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self._deadlines = deadlines or shared_deadlines()
        self._shared: dict[int, list[_Metronome]] = {}

    def now_ns(self) -> int:
        """``time.monotonic_ns()``."""
        return self._deadlines.now_ns()

    def subscribe(self, tick: Tick, period_ms: int, *, drift_ppm: int = 0) -> Ticks:
        """As ``DeviceClock``. On the loop's thread."""
        if drift_ppm:
            own = Schedule(self.now_ns(), period_ms * MS_NS, drift_ppm=drift_ppm)
            return _Metronome(own, self._deadlines).add(tick)
        phases = self._shared.get(period_ms) or self._make_phases(period_ms)
        return min(phases, key=lambda metronome: len(metronome.devices)).add(tick)

    def _make_phases(self, period_ms: int) -> list[_Metronome]:
        # Whole periods since the clock's zero: a device of 10 ms and one of 20 ms then wake together.
        zero_ns = self.now_ns() // (period_ms * MS_NS) * period_ms * MS_NS
        schedules = [
            Schedule(zero_ns + phase_ms * MS_NS, period_ms * MS_NS) for phase_ms in range(0, period_ms, PHASE_MS)
        ]
        self._shared[period_ms] = [_Metronome(schedule, self._deadlines) for schedule in schedules]
        return self._shared[period_ms]


_clocks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClock] = weakref.WeakKeyDictionary()


def shared_clock() -> LoopClock:
    """The one ``LoopClock`` of the running loop."""
    return _clocks.setdefault(asyncio.get_running_loop(), LoopClock())


class ManualClock:
    """Time that passes when the test says so. Needs no loop."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._devices: dict[Ticks, Schedule] = {}

    def now_ns(self) -> int:
        """What ``advance`` has made of it."""
        return self._now_ns

    def subscribe(self, tick: Tick, period_ms: int, *, drift_ppm: int = 0) -> Ticks:
        """As ``DeviceClock``; the first tick is one period from now."""
        device = Ticks(tick, self._devices.pop)
        self._devices[device] = Schedule(self._now_ns, period_ms * MS_NS, drift_ppm=drift_ppm)
        return device

    def advance(self, ms: float) -> None:
        """Let time pass, each tick at its own deadline, in order."""
        end_ns = self._now_ns + round(ms * MS_NS)
        while (deadline_ns := min((each.next_ns for each in self._devices.values()), default=end_ns + 1)) <= end_ns:
            self._now_ns = deadline_ns
            self._deliver()
        self._now_ns = end_ns

    def stall(self, ms: float) -> None:
        """Let time pass as when the process hangs: ticks come at the end, those that the ring has kept."""
        self._now_ns += round(ms * MS_NS)
        self._deliver()

    def _deliver(self) -> None:
        for device, schedule in list(self._devices.items()):
            due, missed = schedule.take(self._now_ns)
            device.deliver(self._now_ns, due, missed)
