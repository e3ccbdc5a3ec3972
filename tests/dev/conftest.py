"""What the tests of the stand-ins share: both event loops, and stand-ins for what they talk with."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
import uvloop

from relay.dev.carrier import SimulatedCarrier
from tests.dev.stand_in_relay import StandInRelay
from tests.dev.stand_in_service import StandInService

Run: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]
RunWithRelay: TypeAlias = Callable[[Callable[[StandInRelay], Awaitable[None]]], None]
RunWithCarrier: TypeAlias = Callable[[Callable[[SimulatedCarrier, StandInService], Awaitable[None]]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on each of the two loops, and see that it leaves no task behind."""

    def run(scenario: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await scenario()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=uvloop.new_event_loop if request.param == "uvloop" else None) as runner:
            runner.run(whole())

    return run


@pytest.fixture
def run_with_relay(run: Run) -> RunWithRelay:
    """Run a scenario with a relay's stand-in."""

    def run_with_relay(scenario: Callable[[StandInRelay], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with StandInRelay() as relay:
                await scenario(relay)

        run(whole)

    return run_with_relay


@pytest.fixture
def run_with_carrier(run: Run) -> RunWithCarrier:
    """Run a scenario with a simulated carrier and a service that its webhooks come to."""

    def run_with_carrier(scenario: Callable[[SimulatedCarrier, StandInService], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with SimulatedCarrier() as carrier, StandInService(carrier) as service:
                await scenario(carrier, service)

        run(whole)

    return run_with_carrier
