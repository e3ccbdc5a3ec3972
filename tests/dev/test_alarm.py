"""An alarm is late at times, early never."""

import asyncio
import time

from relay.dev.alarm import Alarm
from tests.dev.conftest import Run


def test_an_alarm_is_never_early(run: Run) -> None:
    """A timer of uvloop may be, by a millisecond: a tick would then find nothing due."""

    async def scenario() -> None:
        for wait_ns in range(1_000_000, 4_000_000, 100_000):
            due_ns, fired = time.monotonic_ns() + wait_ns, asyncio.Event()
            Alarm(due_ns, fired.set)
            await fired.wait()
            assert time.monotonic_ns() >= due_ns

    run(scenario)


def test_a_canceled_alarm_does_not_call(run: Run) -> None:
    async def scenario() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        now_ns = time.monotonic_ns()
        Alarm(now_ns + 1_000_000, first.set).cancel()
        Alarm(now_ns + 5_000_000, second.set)
        await second.wait()
        assert not first.is_set()

    run(scenario)
