"""What the tests of transfers share: a loop like the service's, with a bound on how long anything may take; servers."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Iterator

import pytest
import uvloop

from tests.transfers.redis_servers import RedisServer, server_binaries
from tests.transfers.stores import OpenStore

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


SERVER_KINDS = [
    pytest.param(kind, marks=() if kind == "valkey" else pytest.mark.long) for kind in sorted(server_binaries())
]
"""One of them is enough for a first look."""


@pytest.fixture(scope="session", params=SERVER_KINDS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of each kind that there is here, for all tests."""
    server = RedisServer(server_binaries()[request.param])
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture(params=SERVER_KINDS)
def own_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server of each kind for this test alone, which may do to it what it likes. It keeps what it stores."""
    server = RedisServer(server_binaries()[request.param], keeps=True)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def prefix() -> str:
    """What no other test's keys begin with."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def open_store(redis_url: str, prefix: str) -> OpenStore:
    """What opens stores with keys of the test's own, each as one node does."""
    return OpenStore(redis_url, prefix)


@pytest.fixture(scope="session")
def store_url() -> Iterator[str]:
    """One Valkey for all tests to which it does not matter which server it is, each with keys of its own."""
    server = RedisServer(server_binaries()["valkey"])
    server.start()
    yield server.url
    server.remove()
