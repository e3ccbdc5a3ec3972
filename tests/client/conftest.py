"""What the tests of the client share: one client of one stand-in, whose pauses take no time and are kept."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from relay.client import RelayClient
from tests.client.stand_in import StandIn, stand_in

KEY = "canary-key-5f1c"


@dataclass
class Case:
    """A stand-in, a client of it, and how long that paused each time."""

    relay: StandIn
    client: RelayClient
    paused_s: list[float] = field(default_factory=list)


MakeCase: TypeAlias = Callable[..., AbstractAsyncContextManager[Case]]


@asynccontextmanager
async def _case(*, timeout_s: float = 10.0, api_key: str | None = KEY) -> AsyncIterator[Case]:
    paused_s: list[float] = []

    async def pause(duration_s: float) -> None:
        paused_s.append(duration_s)

    async with (
        stand_in() as relay,
        RelayClient(relay.url, api_key=api_key, timeout_s=timeout_s, pause=pause) as client,
    ):
        yield Case(relay, client, paused_s)


@pytest.fixture
def case() -> MakeCase:
    return _case
