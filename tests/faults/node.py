"""The stage with the service in a process of its own: it can be asked to stop, killed, and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.app.process import SERVE, ServiceProcess, started
from tests.faults import invariants
from tests.faults.held import LET_GO_S, descriptors_of
from tests.faults.stage import Stage


class Node(Stage):
    """
    As ``Stage``, but for ``service``: there is ``process`` instead. If it still runs in the end it is asked to stop.

    What it and its workers have logged counts as with a stage.
    """

    process: ServiceProcess
    base_url: str
    arguments = SERVE
    """Of Python."""

    async def _serve(self, stack: AsyncExitStack) -> str:
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-")))
        self._starts = stack
        return await self.start(self._given()["listen"])

    async def start(self, listen: str) -> str:
        """Start it, there; its URL."""
        self.process, self.base_url = await self._start(listen)
        self.is_serving = True
        self._descriptors = descriptors_of(self.process.process.pid)
        return self.base_url

    async def start_again(self) -> None:
        """Start it where it was."""
        await self.start(self.base_url.removeprefix("http://"))

    async def start_second(self) -> ServiceProcess:
        """Start another service on the same keys, of which neither the carrier nor the bots know."""
        process, _ = await self._start(self._given()["listen"])
        return process

    async def _start(self, listen: str) -> tuple[ServiceProcess, str]:
        given = {**self._given(), **self._settings, "listen": listen, "log_format": "json"}
        env = {name.upper(): _env_text(value) for name, value in given.items()}
        process = await self._starts.enter_async_context(started(self._folder, env, self.arguments))
        return process, str((await process.until("serving"))["url"])

    def send(self, number: signal.Signals) -> None:
        """A signal to its main process."""
        self.process.process.send_signal(number)

    async def exited(self, *, within_s: float) -> int:
        """Its exit code."""
        code = await self.process.ended(within_s=within_s)
        self.is_serving = False
        for line in self.process.lines:
            self.logs += [json.loads(line)] if line.startswith("{") else []
            assert "Traceback" not in line, "".join(self.process.lines)
        return code

    def workers(self) -> set[int]:
        """The processes that it has started."""
        found: set[int] = set()
        for path in Path(f"/proc/{self.process.process.pid}/task").glob("*/children"):
            found |= {int(pid) for pid in path.read_text().split()}
        return found

    async def until_gone(self, pids: set[int], *, within_s: float) -> None:
        """Return when each of these processes has ended."""
        loop = asyncio.get_running_loop()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                gone = asyncio.Event()
                loop.add_reader(descriptor, gone.set)
                try:
                    await asyncio.wait_for(gone.wait(), within_s)
                finally:
                    loop.remove_reader(descriptor)
                    os.close(descriptor)

    async def readiness(self) -> tuple[int, Mapping[str, bool]]:
        """What ``/readyz`` says."""
        async with self.http.get(f"{self.base_url}/readyz") as answer:
            return answer.status, (await answer.json())["parts"]

    async def refusal(self, room: str = "green") -> tuple[int, str]:
        """How a bot is answered that asks for a transfer which is not to be."""
        body = {"room_url": self.room_url(room), "destination": "billing"}
        async with self.http.post(f"{self.base_url}/v1/transfers", json=body) as answer:
            return answer.status, (await answer.json(content_type=None))["type"]

    async def _check(self) -> None:
        await super()._check()
        if self.is_serving:
            await self._let_go()
            self.send(signal.SIGTERM)
            assert await self.exited(within_s=10) == 0
            invariants.check_complaints(self)

    async def _let_go(self) -> None:
        """Return when the service has no more descriptors open than before the first transfer."""
        pid, deadline_s = self.process.process.pid, time.monotonic() + LET_GO_S
        while more := descriptors_of(pid) - self._descriptors:
            assert time.monotonic() < deadline_s, more
            async with self.http.get(f"{self.base_url}/healthz") as answer:  # by then its loop has gone on
                assert answer.status == 200

    def worker_logs(self) -> list[dict[str, Any]]:
        """Those are in its own, which its workers write to as well."""
        return []


def _env_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value)
        case dict():
            return json.dumps(value)
    return str(value)
