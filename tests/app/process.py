"""``relay serve`` as its user starts it: a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from relay.dev.carrier import SimulatedCarrier
from relay.dev.room_server import RoomServer
from tests.app.served import BILLING_NUMBER

START_S = 20.0
SERVE = ("-m", "relay", "serve")
WHATEVER_THE_LOAD = {"RELAY_MAX_CPU_PERCENT": "100", "RELAY_MAX_LOOP_LAG_MS": "10000"}
"""Settings with which no transfer is refused for what other tests do to the machine."""


class ServiceProcess:
    """A service that was started, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        """Of its standard error, as far as it has been read."""

    async def until(self, event: str) -> dict[str, Any]:
        """The next line that logs this."""
        async with asyncio.timeout(START_S):
            while line := await self._line():
                if line.startswith("{") and json.loads(line)["event"] == event:
                    found: dict[str, Any] = json.loads(line)
                    return found
        raise AssertionError("".join(self.lines))

    async def ended(self, *, within_s: float = START_S) -> int:
        """Its exit code; all of its lines have been read then."""
        async with asyncio.timeout(within_s):
            while await self._line():
                pass
            return await self.process.wait()

    def stop_reading(self) -> None:
        """Nobody reads what it logs any longer."""
        pipe = self.process._transport.get_pipe_transport(2)  # type: ignore[attr-defined] # there is no other way
        pipe.close()

    async def _line(self) -> str:
        assert self.process.stderr is not None
        line = (await self.process.stderr.readline()).decode()
        self.lines.append(line)
        return line


@asynccontextmanager
async def started(
    folder: Path, env: Mapping[str, str], arguments: tuple[str, ...] = SERVE, **system: str
) -> AsyncIterator[ServiceProcess]:
    """A service whose standard error is read; see ``launched``."""
    environment = {f"RELAY_{name}": value for name, value in env.items()} | system
    async with launched(folder, environment, *arguments, stdout=DEVNULL, stderr=PIPE) as process:
        yield ServiceProcess(process)


@asynccontextmanager
async def launched(
    folder: Path, environment: Mapping[str, str], *arguments: str, stdout: int, stderr: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """
    A service with these settings and ``WHATEVER_THE_LOAD``, killed afterwards if it has not ended.

    Args:
        folder: where it is started.
        environment: more than this process has that is not relay's.
        arguments: of Python.
        stdout: where that goes, as for ``subprocess``.
        stderr: the same.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env=inherited | WHATEVER_THE_LOAD | dict(environment),
        stdout=stdout,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        process._transport.close()  # type: ignore[attr-defined] # what it said last is read by nobody


def settings_with(carrier: SimulatedCarrier | None = None, rooms: RoomServer | None = None) -> dict[str, str]:
    """What a service needs that works with these two; without them it starts all the same."""
    return {
        "LISTEN": "127.0.0.1:0",
        "LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port if rooms else 1}",
        "DESTINATIONS": f'{{"billing": {{"to": "{BILLING_NUMBER}"}}}}',
        "TWILIO_ACCOUNT_SID": carrier.account_sid if carrier else "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": carrier.auth_token if carrier else "c" * 32,
        "TWILIO_FROM": "+14155550100",
        "TWILIO_API_URL": carrier.api_url if carrier else "http://127.0.0.1:1",
    }
