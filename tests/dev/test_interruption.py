"""What is awaited can be given up from outside, and the task lives on."""

import asyncio

import pytest

from relay.dev.interruption import Interrupted, Interruption
from tests.dev.conftest import Run


def test_what_is_awaited_is_given_up_and_the_task_goes_on(run: Run) -> None:
    async def scenario() -> None:
        interruption = Interruption()
        asyncio.get_running_loop().call_soon(interruption.interrupt)
        with pytest.raises(Interrupted):
            async with interruption.awaiting():
                await asyncio.get_running_loop().create_future()
        assert await asyncio.wait_for(asyncio.sleep(0, "on"), 10) == "on"

    run(scenario)


def test_after_it_nothing_is_awaited(run: Run) -> None:
    async def scenario() -> None:
        interruption = Interruption()
        interruption.interrupt()
        began = False
        with pytest.raises(Interrupted):
            async with interruption.awaiting():
                began = True
        assert not began

    run(scenario)


def test_what_is_done_in_time_is_left_alone(run: Run) -> None:
    async def scenario() -> None:
        interruption = Interruption()
        async with interruption.awaiting():
            value = await asyncio.sleep(0, "done")
        interruption.interrupt()
        await asyncio.sleep(0)
        assert value == "done"

    run(scenario)


def test_a_time_out_of_what_is_awaited_stays_one(run: Run) -> None:
    async def scenario() -> None:
        interruption = Interruption()
        with pytest.raises(TimeoutError):
            async with interruption.awaiting(), asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()

    run(scenario)


def test_cancelling_the_task_is_no_interruption(run: Run) -> None:
    async def scenario() -> None:
        interruption = Interruption()

        async def wait() -> None:
            async with interruption.awaiting():
                await asyncio.get_running_loop().create_future()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not interruption.is_interrupted

    run(scenario)
