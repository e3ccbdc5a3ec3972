"""Workers that are kept ready: given out at once, replaced, and started again with patience when they die."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from relay.bridge import spares
from relay.errors import Overloaded
from relay.transfers.reasons import Reason
from tests.bridge.pooled import kill, pooled, stand_in, state_of
from tests.transfers.clock import ManualClock

Run = Callable[[Coroutine[Any, Any, None]], None]


def failures(logs: list[EventDict]) -> list[tuple[str, float]]:
    return [(line["event"], line["next_in_s"]) for line in logs if "next_in_s" in line]


def test_spares_are_ready_and_each_that_is_taken_is_replaced(run: Run) -> None:
    async def test() -> None:
        async with pooled(spares=2) as here:
            await here.pool.until_spares_ready()
            assert (here.pool.spare_count, here.pool.process_count) == (2, 2)
            assert not {state_of(pid) for pid in here.pool.pids} & {"", "Z"}
            bridge, _ = await here.acquire()
            assert here.pool.spare_count == 1
            await asyncio.sleep(0)  # its successor is begun, and not waited for
            assert here.pool.process_count == 3
            await here.pool.until_spares_ready()
            assert here.pool.spare_count == 2
            await bridge.release(Reason.CANCELED_BY_API)
            assert here.pool.spare_count == 2, "a used one is none"

    run(test())


def test_spare_is_taken_without_waiting(run: Run) -> None:
    async def test() -> None:
        async with pooled(spares=1) as here:
            await here.pool.until_spares_ready()
            acquiring = here.acquire()
            with pytest.raises(StopIteration) as returned:  # it came to its end without giving way once
                acquiring.send(None)
            bridge, _ = returned.value.value
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_there_are_no_more_spares_than_there_may_be_bridges(run: Run) -> None:
    async def test() -> None:
        async with pooled(spares=2, workers_max=2) as here:
            await here.pool.until_spares_ready()
            first, _ = await here.acquire("t-1")
            second, _ = await here.acquire("t-2")
            await here.pool.until_spares_ready()
            assert (here.pool.spare_count, here.pool.process_count) == (0, 2)
            await first.release(Reason.CANCELED_BY_API)
            await here.pool.until_spares_ready()
            assert here.pool.spare_count == 1
            await second.release(Reason.CANCELED_BY_API)

    run(test())


def test_who_asks_while_there_is_none_waits_for_a_fresh_one_and_in_order(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            order: list[str] = []

            async def ask(name: str) -> None:
                bridge, _ = await here.acquire(name)
                order.append(name)
                await bridge.release(Reason.CANCELED_BY_API)

            names = ["t-1", "t-2", "t-3", "t-4"]
            asking = [asyncio.ensure_future(ask(name)) for name in names]
            await asyncio.sleep(0)
            assert here.pool.process_count == spares.STARTING_MAX, "calls need the cores, too"
            await asyncio.gather(*asking)
            assert order == names

    run(test())


def test_nobody_waits_for_ever(run: Run) -> None:
    async def test() -> None:
        async with pooled("is never ready", take_s=0.1) as here:
            with pytest.raises(Overloaded, match=r"no worker was ready within 0\.1 s") as refused:
                await here.acquire()
            assert refused.value.retry_after_s > 0
            assert here.pool.count == 0

    run(test())


def test_who_would_wait_in_vain_is_refused_at_once_and_told_when_the_others_are_served(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with pooled(clock=clock, take_s=5.0) as here:
            first = asyncio.ensure_future(here.acquire("t-0"))
            await asyncio.sleep(0)
            clock.advance(2 * spares.PACE_OF)  # its start takes so long, those before took none
            bridges = [(await first)[0]]
            waiting = [asyncio.ensure_future(here.acquire(f"t-{each}")) for each in range(1, 7)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match=r"within 5 s, got 6 transfers that wait") as refused:
                here.acquire("t-7").send(None)  # without giving way once
            assert refused.value.retry_after_s == 6
            bridges += [bridge for bridge, _ in await asyncio.gather(*waiting)]
            for bridge in bridges:
                await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_who_stops_waiting_takes_nothing(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            asking = asyncio.ensure_future(here.acquire())
            await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            bridge, _ = await here.acquire("t-2")
            assert here.pool.process_count == 1, "it got the one that was begun for the other"
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_who_stops_waiting_as_it_comes_gives_it_back(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            asking = asyncio.ensure_future(here.acquire())
            await asyncio.sleep(0)
            (waiting,) = here.pool._spares._waiting
            waiting.add_done_callback(lambda _: asking.cancel())
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert (here.pool.spare_count, here.pool.process_count) == (1, 1)

    run(test())


@pytest.mark.parametrize("start", ["dies at once", "says garbage", "says too much"])
@pytest.mark.long
def test_workers_that_die_at_once_are_started_again_with_patience(run: Run, start: str) -> None:
    async def test() -> None:
        clock = ManualClock()
        with structlog.testing.capture_logs() as logs:
            async with pooled(start, spares=2, clock=clock) as here:
                for pause_s in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)[: 8 if start == "dies at once" else 3]:
                    assert here.pool.is_able == (pause_s < 2)
                    await clock.until_pause(pause_s)
                    assert here.pool.spare_count == 0
                    clock.advance(pause_s - 0.01)
                    assert pause_s in clock.delays_s, "nothing is started before"
                    clock.advance(0.01)
                await clock.until_pause(30.0 if start == "dies at once" else 2.0)
        kind = "spare_lost" if start == "says too much" else "worker_not_started"
        assert failures(logs)[:4] == [(kind, 0.25), (kind, 0.5), (kind, 1.0), (kind, 2.0)]

    run(test())


def test_worker_that_is_not_ready_in_time_is_killed_and_counts_as_dead(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with pooled("is never ready", spares=1, clock=clock) as here:
            await clock.pass_pause(spares.START_S)
            await clock.until_pause(spares.BACKOFF_FIRST_S)
            assert here.pool.spare_count == 0

    run(test())


def test_program_that_is_not_there_is_no_busy_loop_and_no_crash(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with pooled(command=["/nowhere/relay-worker"], spares=1, clock=clock) as here:
            for pause_s in (0.25, 0.5):
                assert clock.delays_s == [pause_s]
                clock.advance(pause_s)
            assert not here.pool.is_able
            with pytest.raises(Overloaded, match="die as soon as they are started"):
                await here.acquire()

    run(test())


def test_who_waits_is_told_when_workers_die_at_once(run: Run) -> None:
    async def test() -> None:
        async with pooled("dies at once", take_s=10) as here:
            with pytest.raises(Overloaded, match="die as soon as they are started"):
                await here.acquire()
            with pytest.raises(Overloaded, match="die as soon as they are started"):
                await asyncio.wait_for(here.acquire(), 0.01)

    run(test())


def test_pool_that_wants_no_spare_tries_one_after_failures_and_goes_on(run: Run) -> None:
    """Nobody is let wait while workers die, so that nobody would ever ask for the one that lives."""

    async def test() -> None:
        clock = ManualClock()
        async with pooled("dies at once", spares=0, clock=clock) as here:
            asking = asyncio.ensure_future(here.acquire())
            for pause_s in (0.25, 0.5):
                await clock.pass_pause(pause_s)
            with pytest.raises(Overloaded):
                await asking
            assert not here.pool.is_able
            here.pool._command = tuple(stand_in())
            await clock.pass_pause(1.0)
            while not here.pool.is_able:
                await here.pool._spares._changed.wait()
                here.pool._spares._changed.clear()
            bridge, _ = await here.acquire("t-2")
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_f44_spare_that_is_killed_is_replaced(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        async with pooled(spares=1, clock=clock) as here:
            await here.pool.until_spares_ready()
            (worker,) = here.pool._workers
            kill(worker.pid, signal.SIGKILL)
            await clock.pass_pause(spares.BACKOFF_FIRST_S)
            await here.pool.until_spares_ready()
            assert here.pool.is_able
            assert state_of(worker.pid) == ""
            clock.advance(spares.STEADY_S)
            (worker,) = here.pool._workers
            kill(worker.pid, signal.SIGKILL)
            await clock.until_pause(spares.BACKOFF_FIRST_S)  # and not twice as long: it has lived

    run(test())


@pytest.mark.parametrize("count", [1, 2])
def test_f44_spare_that_has_died_unnoticed_is_not_given_out(run: Run, count: int) -> None:
    """The next one is, or a fresh one."""

    async def test() -> None:
        async with pooled(spares=count) as here:
            await here.pool.until_spares_ready()
            dead, *others = [seat.pid for seat in here.pool._spares._ready]
            kill(dead, signal.SIGKILL)
            os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop is to stand still
            bridge, _ = await here.acquire()
            assert bridge.pid != dead
            assert bridge.pid in others or not others
            await bridge.join()
            await bridge.release(Reason.CANCELED_BY_API)
            assert here.pool.lost_count == 0

    run(test())


def test_worker_that_dies_as_it_is_given_out_is_not_given_out(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            asking = asyncio.ensure_future(here.acquire())
            await asyncio.sleep(0)
            (waiting,) = here.pool._spares._waiting
            waiting.add_done_callback(lambda done: done.result().kill())
            with pytest.raises(Overloaded):
                await asking
            assert here.pool.count == 0

    run(test())


def test_who_waits_for_spares_while_the_pool_closes_waits_no_longer(run: Run) -> None:
    async def test() -> None:
        async with pooled("is never ready", spares=1) as here:
            waiting = asyncio.ensure_future(here.pool.until_spares_ready())
            await asyncio.sleep(0)
            await here.pool.close()
            await asyncio.wait_for(waiting, 1)

    run(test())


def test_who_waits_while_the_pool_closes_is_refused(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            asking = asyncio.ensure_future(here.acquire())
            await asyncio.sleep(0)
            await here.pool.close()
            with pytest.raises(Overloaded, match="shutting down"):
                await asking
            with pytest.raises(Overloaded, match="shutting down"):
                await here.acquire()

    run(test())
