"""T12, T13: what the process itself prints, tracebacks included, has no canary in it either."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest
import uvloop
from redis.asyncio import Redis

from relay.dev.carrier import SimulatedCarrier
from relay.dev.room_server import RoomServer
from tests.app.process import launched
from tests.app.valkey import running_valkey
from tests.e2e.person import Person
from tests.threats.canaries import (
    ADMIN,
    ENV,
    FROM,
    REDIS_PASSWORD,
    ROOM_TOKEN,
    SUMMARY,
    TO,
    TWILIO_TOKEN,
    leaks,
    redis_url,
)
from tests.threats.stage import environment_of

BODY: Final[dict[str, Any]] = {"from": FROM, "room_token": ROOM_TOKEN, "metadata": {"summary": SUMMARY}}
TIMEOUT_S: Final = 30
AS_USERS_DO: Final = ("-m", "relay", "serve")
DIAL_BREAKS: Final = """
from relay.__main__ import main
from relay.providers.twilio_control import TwilioControl

def dial(self, order):
    raise RuntimeError(f"{order} {order.to} {vars(self)} {vars(self._account)} {self._secret.key}")

TwilioControl.dial = dial
main()
"""
START_BREAKS: Final = """
import relay.app.service
from relay.__main__ import main

def defect(*arguments):
    raise RuntimeError(f"a defect at the start, and {arguments}")

relay.app.service.CarrierUrls = defect
main()
"""


@dataclass
class Process:
    """A service, as its user starts it, and all that it prints."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def until_line(self, part: str) -> str:
        """Read its output until there is a line with this in it."""
        async for line in self._read():
            if part in line:
                return line
        raise AssertionError("".join(self.lines))

    async def rest(self) -> str:
        """All of its output, once it has ended."""
        async for _ in self._read():
            pass
        await self.process.wait()
        return "".join(self.lines)

    async def _read(self) -> AsyncIterator[str]:
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async for line in self.process.stdout:
                    self.lines.append(line.decode())
                    yield self.lines[-1]
        except TimeoutError:
            raise AssertionError("".join(self.lines)) from None


@asynccontextmanager
async def started(folder: Path, env: Mapping[str, str], *arguments: str) -> AsyncIterator[Process]:
    environment = {f"RELAY_{name}": value for name, value in env.items() if value}
    async with launched(folder, environment, *arguments, stdout=PIPE, stderr=STDOUT) as process:
        yield Process(process)


async def printed(folder: Path, url: str, *arguments: str, is_joined: bool = True) -> str:
    """What a service prints in which a transfer is made, and which is then asked to stop."""
    async with (
        Redis.from_url(url) as redis,
        RoomServer("127.0.0.1", 0) as rooms,
        SimulatedCarrier(auth_token=TWILIO_TOKEN) as carrier,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {ADMIN}"}) as http,
    ):
        await redis.config_set("requirepass", REDIS_PASSWORD)
        env = environment_of(rooms, carrier) | ENV | {"REDIS_URL": redis_url(url), "PUBLIC_URL": ""}
        customer = await Person.enter(rooms.room_url("call"), "customer")
        async with started(folder, env, *arguments) as process:
            base_url = orjson.loads(await process.until_line('"serving"'))["url"]
            body = BODY | {"to": TO, "room_url": rooms.room_url("call")}
            async with http.post(f"{base_url}/v1/transfers", json=body) as made:
                assert made.status == 201
                path = f"{base_url}/v1/transfers/{(await made.json())['id']}"
            if is_joined:
                async with http.get(f"{path}?wait_s=10&until=joined") as reply:
                    assert (await reply.json())["state"] == "joined"
            else:
                await process.until_line('"dial_broke"')
            async with http.get(f"{path}?key={ADMIN}", headers={"Authorization": f"Bearer {TWILIO_TOKEN}"}) as refused:
                assert refused.status == 401
            async with http.delete(path) as ended:
                assert ended.status == 200
            process.process.send_signal(signal.SIGTERM)
            output = await process.rest()
            assert process.process.returncode == 0
        await customer.leave()
        return output


@pytest.mark.long
def test_t12_t13_a_service_that_works_prints_no_canary(tmp_path: Path) -> None:
    with running_valkey() as url:
        output = uvloop.run(printed(tmp_path, url, *AS_USERS_DO))
    assert leaks(output) == set()
    assert output.count('"http_request"') >= 4


@pytest.mark.long
def test_t12_t13_a_defect_that_quotes_everything_prints_no_canary(tmp_path: Path) -> None:
    with running_valkey() as url:
        output = uvloop.run(printed(tmp_path, url, "-c", DIAL_BREAKS, "serve", is_joined=False))
    assert leaks(output) == set()
    assert "RuntimeError: " in output
    assert "Basic ***" in output


@pytest.mark.long
def test_t12_a_service_that_does_not_start_prints_no_canary(tmp_path: Path) -> None:
    """Typer's tracebacks can show local variables, and these have the settings."""

    async def scenario() -> str:
        async with RoomServer("127.0.0.1", 0) as rooms, SimulatedCarrier(auth_token=TWILIO_TOKEN) as carrier:
            env = environment_of(rooms, carrier) | ENV
            async with started(tmp_path, env, "-c", START_BREAKS, "serve") as process:
                return await process.rest()

    output = uvloop.run(scenario())
    assert "a defect at the start" in output
    assert "Traceback" in output
    assert leaks(output) == set()
