"""How late a loop is: of one that is made to be, and of a clock that a test moves."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from relay.app.loop_lag import TICK_S, WINDOW_S, LoopLag
from tests.transfers.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lag(clock: ManualClock) -> LoopLag:
    lag = LoopLag(clock.call_later, now_s=lambda: clock.now_s)
    lag.start()
    return lag


def test_a_loop_that_is_in_time_is_not_late(clock: ManualClock, lag: LoopLag) -> None:
    assert lag.p99_ms() is None
    clock.advance(10)
    assert lag.p99_ms() == pytest.approx(0, abs=0.001)


def test_what_happens_once_in_a_hundred_times_is_none_of_the_99_percent(clock: ManualClock, lag: LoopLag) -> None:
    clock.advance(WINDOW_S)
    clock.stand_still(0.3)
    clock.advance(0.1)
    assert lag.p99_ms() == pytest.approx(0, abs=0.001)


def test_f36_a_loop_that_is_late_again_and_again_is_late(clock: ManualClock, lag: LoopLag) -> None:
    for _ in range(20):
        clock.stand_still(0.045)
        clock.advance(0.05)
    assert lag.p99_ms() == pytest.approx(40, abs=5)  # as far from its beginning as the timer was


def test_what_was_late_is_forgotten(clock: ManualClock, lag: LoopLag) -> None:
    for _ in range(20):
        clock.stand_still(0.045)
        clock.advance(0.05)
    clock.advance(WINDOW_S + 2 * TICK_S)
    assert lag.p99_ms() == pytest.approx(0, abs=0.001)


def test_one_that_is_stopped_leaves_no_timer(clock: ManualClock, lag: LoopLag) -> None:
    clock.advance(1)
    lag.stop()
    lag.stop()
    assert clock.delays_s == []


def test_f36_a_real_loop_that_is_made_to_lag() -> None:
    async def measured() -> float | None:
        loop = asyncio.get_running_loop()
        lag = LoopLag(loop.call_later)
        lag.start()
        done = loop.create_future()

        def work(times: int) -> None:
            time.sleep(0.04)  # it is this that makes the loop late
            if times:
                loop.call_later(0.001, work, times - 1)
            else:
                done.set_result(None)

        work(10)
        await done
        lag.stop()
        return lag.p99_ms()

    late_ms = uvloop.run(measured())
    assert late_ms is not None
    assert late_ms > 20
