"""Ticks: at absolute deadlines, never early, late ones as a sound card has them, few wake-ups for many devices."""

import asyncio
import gc
import time
import weakref

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from relay.rooms.device_clock import (
    MS_NS,
    RING_MS,
    LoopClock,
    ManualClock,
    Schedule,
    Ticks,
    _Metronome,
    shared_clock,
)
from tests.rooms.listener import run

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
        else:  # on the grid of whole 5 ms: at most the lateness is over it
            begin = times[0] // (5 * MS_NS) * 5 * MS_NS
            assert all(now >= begin + n * 10 * MS_NS for n, now in enumerate(times))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


def test_a_device_that_takes_over_within_a_tick_leaves_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last device stops inside its tick, and another subscribes in the same wake-up: two timers would stay."""
    wake_ups = list[_Metronome]()
    wake = _Metronome._wake

    def counted(metronome: _Metronome) -> None:
        wake_ups.append(metronome)
        wake(metronome)

    monkeypatch.setattr(_Metronome, "_wake", counted)

    async def scenario() -> None:
        metronome = _Metronome(Schedule(time.monotonic_ns(), 10 * MS_NS))
        done, told, heirs = asyncio.Event(), list[int](), list[Ticks]()

        def inherit(_now_ns: int) -> None:
            first.stop()
            heirs.append(metronome.add(heir))

        def heir(now_ns: int) -> None:
            told.append(now_ns)
            if len(told) == 20:
                done.set()

        first = metronome.add(inherit)
        await done.wait()
        heirs[0].stop()
        assert metronome._timer is None
        assert len(wake_ups) <= 25  # 21, and a few if timers are early; 40 with a second chain

    run(scenario())


def test_three_hundred_devices_share_four_timers() -> None:
    async def scenario() -> None:
        clock = LoopClock()
        devices = [clock.subscribe(lambda _now_ns: None, 20) for _ in range(300)]
        assert [len(metronome.devices) for metronome in clock._shared[20]] == [75] * 4
        for device in devices:
            device.stop()
        assert all(metronome._timer is None for metronome in clock._shared[20])

    run(scenario())


def test_a_clock_is_shared_on_its_loop_and_goes_with_it() -> None:
    async def scenario() -> "weakref.ref[LoopClock]":
        assert shared_clock() is shared_clock()
        await tick_times(shared_clock(), 1)
        return weakref.ref(shared_clock())

    clock = run(scenario())
    gc.collect()
    assert clock() is None
