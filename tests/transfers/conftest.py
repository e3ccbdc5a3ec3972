"""What the tests of transfers share: a loop like the service's, with a bound on how long anything may take."""

from __future__ import annotations

import asyncio
import inspect

import pytest
import uvloop

TEST_MAX_S = 30.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function on uvloop; nothing may be left running when it returns."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters

    async def bounded() -> None:
        async with asyncio.timeout(TEST_MAX_S):
            await pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted})
        assert asyncio.all_tasks() == {asyncio.current_task()}

    uvloop.run(bounded())
    return True
