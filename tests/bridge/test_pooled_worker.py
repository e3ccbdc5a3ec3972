"""Several bridges in one worker: given out one by one, and what becomes of one is no matter of the others."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog

from relay.bridge import spares, worker_bridge
from relay.bridge.settings import BridgeSettings
from relay.bridge.worker_bridge import WorkerBridge
from relay.errors import Overloaded
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge.pooled import NOTICED_S, QUICK, Pooled, kill, pooled, state_of, until_last
from tests.bridge.process import Told
from tests.transfers.clock import ManualClock

Run = Callable[[Coroutine[Any, Any, None]], None]
Held = tuple[WorkerBridge, Told]


async def joined(here: Pooled, count: int) -> list[Held]:
    """So many bridges, whose rooms are joined."""
    held = [await here.acquire(f"t-{n}") for n in range(count)]
    await asyncio.gather(*(bridge.join() for bridge, _ in held))
    return held


async def go_on(*held: Held) -> None:
    """Each works, and nothing has been said of an end."""
    for bridge, told in held:
        bridge.ring()
        await told.changes.until(lambda told=told: ports.KeyPressed in told.kinds(), "a key", timeout_s=5)  # type: ignore[misc]
        assert ports.BridgeEnded not in told.kinds()


async def until_lost(told: Told) -> None:
    ended = await until_last(told, ports.BridgeEnded, timeout_s=NOTICED_S)
    assert isinstance(ended, ports.BridgeEnded)
    assert ended.reason is Reason.WORKER_LOST
    assert told.kinds().count(ports.BridgeEnded) == 1


async def until_gone(here: Pooled, pid: int) -> None:
    async with asyncio.timeout(NOTICED_S):
        for worker in [each for each in here.pool._workers if each.pid == pid]:
            await worker.gone.wait()
    assert state_of(pid) == ""


def processes(held: list[Held]) -> list[int]:
    """How many of them are in each process, one after the other."""
    return [len(list(some)) for _, some in itertools.groupby(bridge.pid for bridge, _ in held)]


def test_each_seat_is_used_once_and_the_process_is_gone_behind_the_last(run: Run) -> None:
    async def test() -> None:
        async with pooled(seats=3, spares=1) as here:
            await here.pool.until_spares_ready()
            assert (here.pool.spare_count, here.pool.process_count) == (3, 1)
            held = await joined(here, 2)
            await held.pop(0)[0].release(Reason.CANCELED_BY_API)
            assert (here.pool.spare_count, here.pool.process_count) == (1, 1), "what is over is no spare"
            held += [await here.acquire("t-3")]
            (pid,) = {bridge.pid for bridge, _ in held}
            await here.pool.until_spares_ready()
            assert (here.pool.spare_count, here.pool.process_count) == (3, 2)
            for bridge, _ in held:
                assert state_of(pid)
                await bridge.release(Reason.CANCELED_BY_API)
            await until_gone(here, pid)
            assert [(ended.reason, ended.stats.faults) for _, ended in here.endings] == [
                (Reason.CANCELED_BY_API, {"bad_message": 2})
            ] * 3

    run(test())


def test_who_waits_gets_a_seat_in_order_and_no_more_is_started_than_is_waited_for(run: Run) -> None:
    async def test() -> None:
        async with pooled(seats=2) as here:
            asking = [asyncio.ensure_future(here.acquire(f"t-{n}")) for n in range(5)]
            await asyncio.sleep(0)
            assert here.pool.process_count == spares.STARTING_MAX
            held = await asyncio.gather(*asking)
            assert processes(held) == [2, 2, 1]
            assert (here.pool.spare_count, here.pool.process_count) == (1, 3)

    run(test())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=lambda each: each.name)
def test_f44_process_that_dies_loses_its_own_bridges_and_its_unused_seats(run: Run, number: signal.Signals) -> None:
    async def test() -> None:
        with structlog.testing.capture_logs() as logs:
            async with pooled(seats=3, spares=1) as here:
                held = await joined(here, 5)
                assert processes(held) == [3, 2]
                lost, others = held[3:], held[:3]
                pid = lost[0][0].pid
                kill(pid, number)
                await asyncio.gather(*(until_lost(told) for _, told in lost))
                await here.until_ended(2)
                assert sorted(transfer_id for transfer_id, _ in here.endings) == ["t-3", "t-4"]
                await asyncio.gather(*(bridge.release(Reason.WORKER_LOST) for bridge, _ in lost))
                await until_gone(here, pid)
                await go_on(*others)
                await here.pool.until_spares_ready()
                assert (here.pool.count, here.pool.lost_count, here.pool.process_count) == (3, 2, 2)
        assert not [line for line in logs if "next_in_s" in line], "that it can be started it has shown"

    run(test())


@pytest.mark.parametrize("how", ["says garbage", "closes the pair", "ends alone", "says something out of order"])
def test_f44_bridge_that_ends_or_breaks_leaves_the_others_of_its_process(run: Run, how: str) -> None:
    async def test() -> None:
        async with pooled(seats=4) as here:
            others = await joined(here, 2)
            broken, told = await here.acquire("t-2", how)
            await broken.join()
            await until_last(told, ports.BridgeEnded, timeout_s=NOTICED_S)
            async with asyncio.timeout(NOTICED_S):
                await broken.release(Reason.WORKER_LOST)
            await go_on(*others)
            assert here.pool.lost_count == (how != "ends alone")
            later, _ = await here.acquire("t-3")
            assert (later.pid == broken.pid) == (how == "ends alone"), "nobody comes to one that is given up"
            for bridge, _ in (*others, (later, None)):
                await bridge.release(Reason.CANCELED_BY_API)
            await until_gone(here, broken.pid)

    run(test())


def test_f22_bridge_that_does_not_end_is_killed_with_its_process_when_the_others_are_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_bridge, "RELEASE_MARGIN_S", 0.2)

    async def test() -> None:
        async with pooled(seats=3) as here:
            hanging, _ = await here.acquire(how_it_goes_on="hangs in end")
            (other,) = await joined(here, 1)
            await hanging.join()
            async with asyncio.timeout(QUICK.notice_timeout_s + QUICK.close_timeout_s + 1):
                await hanging.release(Reason.CUSTOMER_LEFT)
            assert (here.pool.lost_count, here.pool.spare_count) == (1, 0)
            await go_on(other)
            await other[0].release(Reason.CANCELED_BY_API)
            await until_gone(here, hanging.pid)

    run(test())


def test_f22_process_in_which_a_room_did_not_let_go_gets_no_other_call(run: Run) -> None:
    async def test() -> None:
        async with pooled(seats=3, spares=1) as here:
            other, (stuck, _) = (await joined(here, 1))[0], await here.acquire("t-2", "does not let go")
            pid = stuck.pid
            assert other[0].pid == pid
            await stuck.release(Reason.CANCELED_BY_API)
            next_one, _ = await here.acquire("t-3")
            assert next_one.pid != pid
            await go_on(other)
            await other[0].release(Reason.CANCELED_BY_API)
            await until_gone(here, pid)
            await next_one.release(Reason.CANCELED_BY_API)

    run(test())


def test_f22_process_that_stands_still_is_gone_when_each_of_its_bridges_is_given_up(run: Run) -> None:
    async def test() -> None:
        async with pooled(seats=3, settings=BridgeSettings(tick_s=0.05)) as here:
            held = [await here.acquire(f"t-{n}") for n in range(2)]
            pid = held[0][0].pid
            kill(pid, signal.SIGSTOP)
            await asyncio.gather(*(until_lost(told) for _, told in held))
            await until_gone(here, pid)
            assert here.pool.lost_count == 2

    run(test())


def test_pool_that_closes_ends_each_bridge_of_a_process_and_its_unused_seats(run: Run) -> None:
    async def test() -> None:
        with structlog.testing.capture_logs() as logs:
            async with pooled(seats=3) as here:
                held = await joined(here, 2)
                await here.pool.close()
                assert [told.kinds()[-1] for _, told in held] == [ports.BridgeEnded] * 2
                assert {ended.reason for _, ended in here.endings} == {Reason.NODE_SHUTDOWN}
        assert {line["event"] for line in logs} <= {"worker_ready", "worker_gone"}

    run(test())


def test_process_that_dies_before_it_has_a_bridge_counts_once_however_many_seats_it_has(run: Run) -> None:
    async def test() -> None:
        clock = ManualClock()
        with structlog.testing.capture_logs() as logs:
            async with pooled(seats=3, spares=1, clock=clock) as here:
                await here.pool.until_spares_ready()
                (worker,) = here.pool._workers
                kill(worker.pid)
                await clock.pass_pause(spares.BACKOFF_FIRST_S)
                await here.pool.until_spares_ready()
                assert (here.pool.spare_count, here.pool.process_count) == (3, 1)
            async with pooled("dies at once", seats=3, clock=clock) as here:
                asking = asyncio.ensure_future(here.acquire())
                for pause_s in (0.25, 0.5):
                    await clock.pass_pause(pause_s)
                with pytest.raises(Overloaded):
                    await asking
        assert [line["in_a_row"] for line in logs if "in_a_row" in line] == [1, 1, 2, 3]

    run(test())
