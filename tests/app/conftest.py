"""What the tests of the service share: a real store, and the application served on it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

import pytest
import uvloop

from relay.app.settings import Settings
from relay.transfers.coordinator_settings import CoordinatorSettings
from tests.app.served import Served, serving
from tests.app.valkey import running_valkey

TEST_MAX_S = 150.0  # of one that hangs; all checks of the OpenAPI document take 64 s beside others on two cores


class RunServed(Protocol):
    """Runs a scenario with a service that listens."""

    def __call__(
        self,
        scenario: Callable[[Served], Awaitable[None]],
        settings: Settings | None = None,
        coordinating: CoordinatorSettings | None = None,
    ) -> None: ...


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def run_served(store_url: str) -> RunServed:
    """See that nothing is left of the service after the scenario: no task, no phone, no bridge."""

    def run(
        scenario: Callable[[Served], Awaitable[None]],
        settings: Settings | None = None,
        coordinating: CoordinatorSettings | None = None,
    ) -> None:
        async def whole() -> None:
            async with asyncio.timeout(TEST_MAX_S), serving(store_url, settings, coordinating) as served:
                await scenario(served)
            assert served.carrier.alive == {}
            assert served.bridges.taken == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(whole())

    return run
