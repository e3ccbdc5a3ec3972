"""Ticks: at absolute deadlines, never early, late ones as a sound card has them, few wake-ups for many devices."""

import asyncio
import functools
import gc
import itertools
import sys
import time
import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from relay.rooms.device_clock import (
    MS_NS,
    PHASE_MS,
    RING_MS,
    LoopClock,
    ManualClock,
    Schedule,
    Ticks,
    shared_clock,
)
from tests.rooms.descriptors import timerfds
from tests.rooms.listener import run
from tests.rooms.moved_waker import MovedWaker

HOUR_MS = 3_600_000


@pytest.mark.parametrize(("drift_ppm", "ticks"), [(0, 180_000), (300, 180_054), (-300, 179_946)])
def test_drift_is_exact_after_an_hour(drift_ppm: int, ticks: int) -> None:
    schedule = Schedule(0, 20 * MS_NS, drift_ppm=drift_ppm)
    schedule.skip_to(HOUR_MS * MS_NS)
    assert schedule.next_ns > HOUR_MS * MS_NS
    assert round(schedule.next_ns * (1_000_000 + drift_ppm) / 1_000_000 / (20 * MS_NS)) == ticks + 1


@given(st.lists(st.integers(0, 100 * MS_NS), max_size=50), st.integers(-500, 500))
def test_no_tick_is_early_and_each_is_delivered_or_counted(steps_ns: list[int], drift_ppm: int) -> None:
    schedule = Schedule(0, 10 * MS_NS, drift_ppm=drift_ppm)
    now_ns = total = 0
    for step_ns in steps_ns:
        now_ns += step_ns
        due, missed = schedule.take(now_ns)
        total += due + missed
        assert schedule.next_ns > now_ns
        assert due <= RING_MS // 10 + 1
        assert total == now_ns * (1_000_000 + drift_ppm) // (10 * MS_NS * 1_000_000)


@pytest.mark.parametrize(("period_ns", "drift_ppm"), [(0, 0), (20 * MS_NS, -1_000_000)])
def test_a_clock_that_would_stand_still_is_refused(period_ns: int, drift_ppm: int) -> None:
    with pytest.raises(ValueError, match="expected a period above 0"):
        Schedule(0, period_ns, drift_ppm=drift_ppm)


def test_the_manual_clock_ticks_at_its_deadlines_in_order() -> None:
    clock = ManualClock()
    told: list[tuple[int, float]] = []
    clock.subscribe(lambda now_ns: told.append((10, now_ns / MS_NS)), 10)
    clock.subscribe(lambda now_ns: told.append((25, now_ns / MS_NS)), 25)
    clock.advance(35)
    assert told == [(10, 10), (10, 20), (25, 25), (10, 30)]
    assert clock.now_ns() == 35 * MS_NS


def test_after_a_stall_the_ring_is_delivered_and_the_rest_is_counted() -> None:
    clock = ManualClock()
    told: list[int] = []
    ticks = clock.subscribe(told.append, 10)
    clock.stall(205)
    assert (told, ticks.missed) == ([205 * MS_NS] * 4, 16)
    clock.advance(10)
    assert told[4:] == [210 * MS_NS]


def test_no_tick_comes_after_stop_even_within_one_wake_up() -> None:
    clock = ManualClock()
    told: list[int] = []

    def tick(now_ns: int) -> None:
        told.append(now_ns)
        ticks.stop()
        ticks.stop()

    ticks = clock.subscribe(tick, 10)
    clock.stall(30)
    clock.advance(30)
    assert len(told) == 1


def test_a_tick_that_raises_disturbs_no_other_device() -> None:
    clock = ManualClock()
    told: list[int] = []
    clock.subscribe(lambda now_ns: 1 // (now_ns - now_ns), 10)  # type: ignore[arg-type]
    clock.subscribe(told.append, 10)
    clock.advance(30)
    assert len(told) == 3


async def tick_times(clock: LoopClock, count: int, *, drift_ppm: int = 0) -> list[int]:
    done, times = asyncio.Event(), list[int]()

    def tick(now_ns: int) -> None:
        times.append(now_ns)
        if len(times) == count:
            done.set()

    ticks = clock.subscribe(tick, 10, drift_ppm=drift_ppm)
    await done.wait()
    ticks.stop()
    return times


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
@pytest.mark.parametrize("drift_ppm", [0, 5000])
def test_the_loops_ticks_are_never_early_and_do_not_slip(new_loop: type, drift_ppm: int) -> None:
    """Uvloop's timers alone may be 1 ms early."""

    async def scenario() -> None:
        begin_ns = time.monotonic_ns()
        times = await tick_times(LoopClock(), 40, drift_ppm=drift_ppm)
        if drift_ppm:
            deadlines = [begin_ns + n * 10 * MS_NS * 1_000_000 // 1_005_000 for n in range(1, 41)]
            assert all(now >= deadline for now, deadline in zip(times, deadlines, strict=True))
        else:  # the first phase: whole periods
            first_ns = (begin_ns // (10 * MS_NS) + 1) * 10 * MS_NS
            assert all(now >= first_ns + n * 10 * MS_NS for n, now in enumerate(times))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


def deadlines_ns(now_ns: int, end_ns: int, period_ms: int, *, phase_ms: int, drift_ppm: int) -> Iterator[int]:
    """Those of a device that came at ``now_ns``, a whole number of periods: after that, and not after ``end_ns``."""
    for count in itertools.count():
        at_ns = now_ns + phase_ms * MS_NS + count * period_ms * MS_NS * 1_000_000 // (1_000_000 + drift_ppm)
        if at_ns > end_ns:
            return
        if at_ns > now_ns:
            yield at_ns


@given(
    devices=st.lists(st.tuples(st.sampled_from([10, 20]), st.just(0) | st.integers(-500, 500)), min_size=1, max_size=9),
    late_ns=st.lists(st.integers(0, 100 * MS_NS), min_size=1, max_size=20),
)
def test_each_deadline_has_its_tick_at_the_first_waking_after_it_or_is_missed(
    devices: list[tuple[int, int]], late_ns: list[int]
) -> None:
    """Never early, never twice, and no error adds up, however late each waking is, and however many share it."""
    waker, lateness = MovedWaker(), itertools.cycle(late_ns)
    begin_ns = waker.now_ns
    clock, on_grid = LoopClock(waker.deadlines), Counter[int]()
    subscribed = list[tuple[Ticks, list[int], Callable[[int], Iterator[int]]]]()
    for period_ms, drift_ppm in devices:
        phase_ms = 0 if drift_ppm else on_grid[period_ms] * PHASE_MS % period_ms
        on_grid[period_ms] += not drift_ppm
        expected = functools.partial(
            deadlines_ns, begin_ns, period_ms=period_ms, phase_ms=phase_ms, drift_ppm=drift_ppm
        )
        told = list[int]()
        subscribed.append((clock.subscribe(told.append, period_ms, drift_ppm=drift_ppm), told, expected))
    while waker.now_ns < begin_ns + 400 * MS_NS:
        waker.wake(late_ns=next(lateness))
    for ticks, told, deadlines in subscribed:
        wakings_ns = waker.wakings_ns
        due = [(at_ns, wakings_ns[bisect_left(wakings_ns, at_ns)]) for at_ns in deadlines(waker.now_ns)]
        assert told == [woken_ns for at_ns, woken_ns in due if woken_ns - at_ns < RING_MS * MS_NS]
        assert ticks.missed == len(due) - len(told)
        ticks.stop()
    assert not waker.is_open


def test_a_device_that_takes_over_within_a_tick_leaves_one_deadline() -> None:
    """The last device stops inside its tick, and another subscribes in the same wake-up: two chains would stay."""
    waker, told, heirs = MovedWaker(), list[int](), list[Ticks]()
    clock = LoopClock(waker.deadlines)
    clock.subscribe(lambda _: None, 10).stop()  # makes the phases; the first is used again

    def inherit(_now_ns: int) -> None:
        first.stop()
        heirs.append(clock.subscribe(told.append, 10))

    first = clock.subscribe(inherit, 10)
    for _ in range(21):
        waker.wake()
    assert len(told) == 20
    heirs[0].stop()
    assert not waker.is_open


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they share a timer of the loop")
def test_three_hundred_devices_share_one_descriptor_and_four_moments() -> None:
    async def scenario() -> None:
        before = timerfds()
        clock = LoopClock()
        devices = [clock.subscribe(lambda _now_ns: None, 20) for _ in range(300)]
        devices.append(clock.subscribe(lambda _now_ns: None, 20, drift_ppm=100))
        assert [len(metronome.devices) for metronome in clock._shared[20]] == [75] * 4
        assert timerfds() == before + 1
        for device in devices:
            device.stop()
        assert timerfds() == before

    run(scenario())


def test_a_clock_is_shared_on_its_loop_and_goes_with_it() -> None:
    async def scenario() -> "weakref.ref[LoopClock]":
        assert shared_clock() is shared_clock()
        await tick_times(shared_clock(), 1)
        return weakref.ref(shared_clock())

    clock = run(scenario())
    gc.collect()
    assert clock() is None
