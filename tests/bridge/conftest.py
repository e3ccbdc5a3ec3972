"""What tests of the bridge share: a loop like the service's, with a bound on how long anything may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

TEST_MAX_S = 60.0  # of a test that hangs: ten workers take 20 s to start beside others on two cores


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run a coroutine on uvloop; nothing may be left running when it returns."""

    async def bounded(test: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(TEST_MAX_S):
            await test
        # The last callbacks of sockets that were closed.
        for _ in range(10):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    return lambda test: uvloop.run(bounded(test))
