"""What the tests of threats share: a real store, the whole service on it, and what it logs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Protocol

import pytest
import structlog
import uvloop

from relay.dev.carrier_outcomes import ANSWERED, Script
from relay.dev.carriers.dialect import Dialect
from tests.app.conftest import store_url
from tests.faults.conftest import in_process
from tests.threats.stage import Stage, stage

__all__ = ["in_process", "logged", "on_stage", "store_url"]

TEST_MAX_S = 120.0


class OnStage(Protocol):
    """Runs a scenario with the whole service."""

    def __call__(
        self,
        scenario: Callable[[Stage], Awaitable[None]],
        script: Script = ANSWERED,
        *,
        dialect: Dialect | None = None,
        **env: str,
    ) -> None: ...


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, which is printed nowhere: attacks are logged, and there are many."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def on_stage(store_url: str) -> OnStage:
    """See that nothing is left after the scenario: no call at the carrier, no transfer that goes on, no task."""

    def run(
        scenario: Callable[[Stage], Awaitable[None]],
        script: Script = ANSWERED,
        *,
        dialect: Dialect | None = None,
        **env: str,
    ) -> None:
        async def whole() -> None:
            async with asyncio.timeout(TEST_MAX_S), stage(store_url, script, env, dialect=dialect) as on_it:
                await scenario(on_it)
                await on_it.service.services.coordinator.shut_down(drain_timeout_s=0)
                assert on_it.carrier.live_calls == []
                assert on_it.service.services.coordinator.live_count == 0
            for _ in range(10):  # the last callbacks of sockets that were closed
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())

    return run
