"""What the tests of faults share: a store, a stage, and a loop on which nothing is left of either."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pytest
import uvloop

from benchmarks.transfers.service import bridging_in_process
from relay.app import bridging, service
from relay.app.bridging import WORKER
from relay.bridge.settings import BridgeSettings
from relay.dev.carrier_outcomes import ANSWERED, Script
from relay.dev.carriers.dialect import Dialect
from tests.app.valkey import running_valkey
from tests.faults.held import Held, warm_up
from tests.faults.stage import Stage

TEST_MAX_S = 40.0
LONG_MAX_S = 600.0


class SetStage(Protocol):
    """Makes a stage; see ``Stage``."""

    def __call__(
        self,
        script: Script = ANSWERED,
        *,
        dialect: Dialect | None = None,
        rooms_origin: str | None = None,
        worker: Sequence[str] = WORKER,
        **settings: Any,
    ) -> Stage: ...


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def set_stage(store_url: str) -> SetStage:
    return functools.partial(Stage, store_url)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs of media that are not settings, shortened: the real ones are for ``long`` tests."""
    quick = functools.partial(BridgeSettings, media_timeout_s=0.6, tick_s=0.05, close_timeout_s=0.2)
    monkeypatch.setattr(bridging, "BridgeSettings", quick)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No workers: hundreds of transfers, which are about something else, would wait for hundreds of processes."""
    monkeypatch.setattr(service, "bridging", bridging_in_process)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function on uvloop; nothing may be held when it returns that was not before."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    max_s = LONG_MAX_S if pyfuncitem.get_closest_marker("long") else TEST_MAX_S

    async def bounded() -> None:
        await warm_up()
        before = Held.now()
        async with asyncio.timeout(max_s):
            await pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted})
        await before.let_go()

    uvloop.run(bounded())
    return True
