"""``relay serve`` and ``relay --help`` as real processes: what they say, what they load, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from relay.__main__ import COMMANDS
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import ANSWERED, NO_ANSWER, Script
from relay.dev.person import Person
from relay.dev.room_server import RoomServer
from tests.app.process import ServiceProcess, settings_with, started

TEST_MAX_S = 60.0
WEIGHTS = {"fastapi", "redis", "uvicorn", "pydantic", "aiohttp", "websockets", "numpy"}
NO_STORE = """
import relay.app.embedded_store
from pathlib import Path
from relay.__main__ import main

relay.app.embedded_store.valkey_binary = lambda: Path("/bin/false")
main()
"""


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(TEST_MAX_S):
            await scenario

    uvloop.run(bounded())


def loaded_by(*arguments: str) -> set[str]:
    """The modules that are loaded when the command is done."""
    code = f"""
import sys
sys.argv = {["relay", *arguments]!r}
from relay.__main__ import main
try:
    main()
finally:
    print("loaded:", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=TEST_MAX_S, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: pytest's own are too long for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="relay-") as name:
        yield Path(name)


# --- The commands ---


def test_help_loads_neither_the_service_nor_a_stand_in() -> None:
    loaded = loaded_by("--help")
    assert loaded & WEIGHTS == set()
    assert {name for name in loaded if name.startswith("relay.")} == {"relay.__main__"}


@pytest.mark.long
def test_the_service_loads_no_stand_in() -> None:
    loaded = loaded_by("serve", "--help")
    assert "relay.app.service" in loaded
    assert {name for name in loaded if name.startswith(("relay.dev", "relay.client"))} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_what_help_says_of_a_command_is_what_it_says_of_itself(name: str) -> None:
    module_name, says = COMMANDS[name]
    module = importlib.import_module(module_name)
    own = module.app.info.help if hasattr(module, "app") else module.run.__doc__
    assert " ".join(own.split()) == says


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["--", "serve"]])
def test_what_is_no_command_is_an_error_and_nothing_is_run(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "relay", *arguments], capture_output=True, text=True, timeout=TEST_MAX_S, check=False
    )
    assert done.returncode == 2
    assert "Usage: " in done.stdout + done.stderr


# --- What keeps it from serving ---


@pytest.mark.long
def test_f42_everything_that_is_wrong_with_the_settings_is_told_at_once_and_before_anything_binds(folder: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            wrong = {
                "LISTEN": f"127.0.0.1:{taken.getsockname()[1]}",
                "TWILIO_ACCOUNT_SID": "AC1",
                "RING_TIMEOUT_S": "soon",
                "RIN_TIMEOUT_S": "5",
            }
            async with started(folder, settings_with() | wrong) as service:
                assert await service.ended() == 2
        said = "".join(service.lines)
        for name in ("RELAY_TWILIO_ACCOUNT_SID", "RELAY_RING_TIMEOUT_S", "RELAY_RIN_TIMEOUT_S"):
            assert re.search(rf"^\W*{name}\b", said, re.MULTILINE), said
        assert "RELAY_LISTEN" not in said
        assert "Traceback" not in said

    run(scenario())


@pytest.mark.long
def test_a_port_that_is_taken_is_told_as_a_setting_that_is_wrong(folder: Path) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            async with started(folder, settings_with() | {"LISTEN": listen}) as service:
                assert await service.ended() == 2
        assert "RELAY_LISTEN" in "".join(service.lines)

    run(scenario())


@pytest.mark.long
def test_a_store_that_does_not_start_is_no_matter_of_settings(folder: Path) -> None:
    async def scenario() -> None:
        async with started(folder, settings_with(), ("-c", NO_STORE, "serve")) as service:
            assert await service.ended() == 1
        said = "".join(service.lines)
        assert "/bin/false ended" in said
        assert "Traceback" not in said

    run(scenario())


# --- Signals ---


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
@pytest.mark.long
def test_a_service_with_nothing_to_do_ends_at_once_with_0(folder: Path, number: signal.Signals) -> None:
    async def scenario() -> None:
        async with started(folder, settings_with()) as service:
            await service.until("serving")
            service.process.send_signal(number)
            assert await service.ended(within_s=5) == 0
        assert [line for line in service.lines if '"error"' in line] == []

    run(scenario())


@pytest.mark.long
def test_a_service_that_is_asked_to_stop_while_it_starts_does_so(folder: Path) -> None:
    """Its store takes the connection, and says nothing for a while."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(0)
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
            async with started(folder, settings_with() | {"REDIS_URL": url}) as service:
                asks, _ = await asyncio.get_running_loop().sock_accept(silent)
                with asks:
                    service.process.send_signal(signal.SIGTERM)
                    assert await service.ended() == 0

    run(scenario())


@pytest.mark.long
def test_a_service_that_is_killed_takes_its_store_with_it(folder: Path) -> None:
    async def scenario() -> None:
        async with started(folder, settings_with(), TMPDIR=str(folder)) as service:
            await service.until("serving")
            (store,) = await asyncio.to_thread(lambda: list(folder.glob("relay-store-*")))
            pid = await _pid_of_store(store / "socket")
            os.kill(pid, 0)
            service.process.send_signal(signal.SIGKILL)
            assert await service.ended() == -signal.SIGKILL  # the watch that kills it holds the same standard error
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert not store.exists()

    run(scenario())


async def _pid_of_store(path: Path) -> int:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"INFO server\r\n")
    found = re.search(rb"process_id:(\d+)\r\n", await reader.readuntil(b"process_id:") + await reader.readline())
    writer.close()
    assert found is not None
    return int(found[1])


# --- Signals during a call ---


@dataclass
class Call:
    """A service with one transfer."""

    service: ServiceProcess
    base_url: str
    carrier: SimulatedCarrier
    rooms: RoomServer
    customer: Person
    http: aiohttp.ClientSession
    transfer_url: str

    async def is_at(self, state: str) -> None:
        async with self.http.get(self.transfer_url, params={"wait_s": "10", "until": state}) as answer:
            assert (await answer.json())["state"] == state

    async def status(self, method: str, path: str, **what: Any) -> int:
        async with self.http.request(method, self.base_url + path, **what) as answer:
            return answer.status


@asynccontextmanager
async def call(folder: Path, script: Script) -> AsyncIterator[Call]:
    async with contextlib.AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(RoomServer("127.0.0.1", 0))
        carrier = await stack.enter_async_context(SimulatedCarrier(script=script))
        customer = await Person.enter(rooms.room_url("blue"), "customer")
        stack.push_async_callback(customer.leave)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        settings = settings_with(carrier, rooms)
        service = await stack.enter_async_context(started(folder, settings, TMPDIR=str(folder)))
        base_url = (await service.until("serving"))["url"]
        body = {"room_url": rooms.room_url("blue"), "destination": "billing"}
        async with http.post(f"{base_url}/v1/transfers", json=body) as answer:
            path = answer.headers["Location"]
        yield Call(service, base_url, carrier, rooms, customer, http, base_url + path)


@pytest.mark.long
def test_f29_sigterm_lets_a_call_go_on_and_nothing_else_begin(folder: Path) -> None:
    async def scenario() -> None:
        async with call(folder, ANSWERED) as on:
            await on.is_at("joined")
            on.service.process.send_signal(signal.SIGTERM)
            await on.service.until("draining")
            body = {"room_url": on.rooms.room_url("green"), "destination": "billing"}
            assert await on.status("GET", "/readyz") == 503
            assert await on.status("GET", "/healthz") == 200
            assert await on.status("POST", "/v1/transfers", json=body) == 503
            await on.customer.until_heard(20)
            await on.is_at("joined")
            assert on.service.process.returncode is None
            on.carrier.calls[0].hang_up()
            assert await on.service.ended(within_s=10) == 0
            assert on.carrier.calls[0].violations == []

    run(scenario())


@pytest.mark.long
def test_f29_a_second_sigterm_ends_the_call_and_the_service(folder: Path) -> None:
    async def scenario() -> None:
        async with call(folder, ANSWERED) as on:
            await on.is_at("joined")
            on.service.process.send_signal(signal.SIGTERM)
            await on.service.until("draining")
            on.service.process.send_signal(signal.SIGTERM)
            assert await on.service.ended(within_s=10) == 0
            assert on.carrier.live_calls == []

    run(scenario())


@pytest.mark.long
def test_a_service_whose_store_ends_by_itself_hangs_up_and_ends_with_1(folder: Path) -> None:
    """Nothing can go on without it: whoever runs the service starts it anew."""

    async def scenario() -> None:
        async with call(folder, ANSWERED) as on:
            await on.is_at("joined")
            (store,) = await asyncio.to_thread(lambda: list(folder.glob("relay-store-*")))
            os.kill(await _pid_of_store(store / "socket"), signal.SIGKILL)
            assert await on.service.ended(within_s=15) == 1
            assert on.carrier.live_calls == []

    run(scenario())


@pytest.mark.long
def test_f29_sigterm_hangs_a_phone_up_that_rings(folder: Path) -> None:
    async def scenario() -> None:
        async with call(folder, NO_ANSWER) as on:
            await on.is_at("ringing")
            on.service.process.send_signal(signal.SIGTERM)
            assert await on.service.ended(within_s=10) == 0
            assert [each.status for each in on.carrier.calls] == ["canceled"]

    run(scenario())
