"""Many bridges, each in a process of its own: what becomes of one is no matter of the others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from relay.bridge.messages import RoomSpec
from relay.errors import Overloaded, RoomRefused
from relay.transfers import ports
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder
from tests.bridge.pooled import (
    NOTICED_S,
    PATIENT,
    children,
    descriptors,
    kill,
    pooled,
    resident_kib,
    state_of,
    until_last,
)

Run = Callable[[Coroutine[Any, Any, None]], None]

FRONT = """
import asyncio, signal, structlog, sys, uvloop
from relay.transfers.reasons import Reason
from tests.bridge.pooled import pooled

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def front():
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    async with pooled(spares=1) as here:
        await here.pool.until_spares_ready()
        bridge, told = await here.acquire()
        print("up", flush=True)
        await interrupted.wait()
        await bridge.join()
        await here.pool.until_spares_ready()
        print(*(kind.__name__ for kind in told.kinds()), here.pool.spare_count, flush=True)
        await bridge.release(Reason.NODE_SHUTDOWN)

uvloop.run(front())
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGABRT, marks=pytest.mark.long)], ids=lambda each: each.name
)
def test_f44_one_worker_of_ten_dies_and_the_nine_others_go_on(run: Run, number: signal.Signals) -> None:
    async def test() -> None:
        async with pooled(settings=PATIENT) as here:
            held = [await here.acquire(f"t-{n}") for n in range(10)]
            await asyncio.gather(*(bridge.join() for bridge, _ in held))
            victim, its_news = held.pop(4)
            kill(victim.pid, number)
            ended = await until_last(its_news, ports.BridgeEnded, timeout_s=NOTICED_S)
            assert isinstance(ended, ports.BridgeEnded)
            assert ended.reason is Reason.WORKER_LOST
            for bridge, told in held:
                bridge.ring()
                await told.until(ports.KeyPressed)
                assert told.kinds() == [ports.RoomJoined, ports.KeyPressed]
            assert its_news.kinds() == [ports.RoomJoined, ports.BridgeEnded]
            assert [transfer_id for transfer_id, _ in here.endings] == ["t-4"]
            assert (here.pool.count, here.pool.lost_count) == (9, 1)
            await victim.release(Reason.WORKER_LOST)
            assert state_of(victim.pid) == ""

    run(test())


def test_f44_all_workers_that_die_at_once_are_each_told(run: Run) -> None:
    async def test() -> None:
        async with pooled(settings=PATIENT) as here:
            held = [await here.acquire(f"t-{n}") for n in range(5)]
            for bridge, _ in held:
                kill(bridge.pid)
            await here.until_ended(5, timeout_s=NOTICED_S)
            assert all(told.kinds() == [ports.BridgeEnded] for _, told in held)
            assert here.pool.lost_count == 5

    run(test())


def test_each_bridge_has_a_process_that_serves_no_other_after_it(run: Run) -> None:
    async def test() -> None:
        async with pooled(spares=1) as here:
            pids = []
            for n in range(4):
                bridge, _ = await here.acquire(f"t-{n}")
                pids.append(bridge.pid)
                await bridge.join()
                await bridge.release(Reason.CANCELED_BY_API)
            assert len(set(pids)) == 4

    run(test())


def test_no_more_bridges_than_there_may_be_waiting_ones_included(run: Run) -> None:
    async def test() -> None:
        async with pooled(workers_max=2) as here:
            first = asyncio.ensure_future(here.acquire("t-1"))
            second = asyncio.ensure_future(here.acquire("t-2"))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match="fewer than 2 bridges") as refused:
                await here.acquire("t-3")
            assert refused.value.retry_after_s > 0
            bridge, _ = await first
            await bridge.release(Reason.CANCELED_BY_API)
            third, _ = await here.acquire("t-3")
            await third.release(Reason.CANCELED_BY_API)
            await (await second)[0].release(Reason.CANCELED_BY_API)

    run(test())


def test_room_that_is_refused_takes_no_worker(run: Run) -> None:
    def refuse(order: TransferOrder) -> RoomSpec:
        raise RoomRefused(f"expected another room than that of {order.provider}")

    async def test() -> None:
        async with pooled(spares=1, rooms=refuse) as here:
            await here.pool.until_spares_ready()
            with pytest.raises(RoomRefused):
                await here.acquire()
            assert (here.pool.count, here.pool.spare_count) == (0, 1)

    run(test())


def test_order_that_cannot_be_told_takes_no_place(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            with pytest.raises(ValueError, match="Assign"):
                await here.acquire(how_it_goes_on="\ud800")  # half a character: JSON has no form for it
            assert here.pool.count == 0

    run(test())


def test_pool_that_closes_ends_its_bridges_and_its_spares(run: Run) -> None:
    async def test() -> None:
        before = children()
        async with pooled(spares=1) as here:
            held = [await here.acquire(f"t-{n}") for n in range(3)]
            await held[0][0].join()
            await here.pool.until_spares_ready()
            await here.pool.close()
            assert all(told.kinds()[-1] is ports.BridgeEnded for _, told in held)
            assert {ended.reason for _, ended in here.endings} == {Reason.NODE_SHUTDOWN}
            assert (here.pool.lost_count, children()) == (0, before)

    run(test())


def test_front_that_stops_hurries_no_worker_with_the_signals_of_a_terminal() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FRONT],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    ) as front:
        assert front.stdout is not None
        try:
            assert front.stdout.readline() == "up\n"
            os.killpg(front.pid, signal.SIGINT)
            assert front.stdout.readline() == "RoomJoined 1\n"
            assert front.wait(10) == 0
        finally:
            front.kill()


@pytest.mark.long
def test_thirty_workers_in_a_row_leave_nothing() -> None:
    """Processes, descriptors and tasks are counted after each; memory after the first ones have filled every cache."""

    async def test() -> None:
        async with pooled() as here:
            resident = []
            before = descriptors(), children(), len(asyncio.all_tasks())
            for n in range(30):
                async with asyncio.timeout(15):
                    bridge, told = await here.acquire(f"t-{n}")
                    await bridge.join()
                    if n % 3 == 2:
                        kill(bridge.pid)
                    await bridge.release(Reason.CANCELED_BY_API)
                    assert told.kinds() == [ports.RoomJoined, ports.BridgeEnded]
                    while here.pool.process_count:
                        await next(iter(here.pool._workers)).gone.wait()
                    await asyncio.sleep(0)
                assert (descriptors(), children(), len(asyncio.all_tasks())) == before
                resident.append(resident_kib())
            assert resident[-1] - resident[9] < 512, "KiB"
            assert here.pool.lost_count == 10

    uvloop.run(test())
