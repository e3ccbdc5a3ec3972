"""
Owns a server under test: a process of its own on a core of its own, told what to do on its standard input.

It says ``{"port": ...}`` first, and answers ``end`` with one JSON line; ``freeze`` and ``begin`` have no answer.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

SERVER_CORE, LOAD_CORE = 0, 1
_ROOT = pathlib.Path(__file__).parents[2]


def pin(core: int) -> None:
    """Keep this process to one core. It may have been kept to another one: a server starts as its load's child."""
    os.sched_setaffinity(0, {core})


def freeze() -> None:
    """Take what is there out of the garbage collector's way, as a service does after its start."""
    gc.collect()
    gc.freeze()


async def obey(port: int, commands: Mapping[str, Callable[[], object]]) -> None:
    """In the server: say the port, and do what is asked until ``end``, whose answer is printed; it may be awaited."""
    print(json.dumps({"port": port}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = line.decode().strip()
        answer = commands[command]()
        if command == "end":
            print(json.dumps(await answer if inspect.isawaitable(answer) else answer), flush=True)


class ObedientProcess:
    """
    Any program that keeps to what is said above; use as ``with``.

    Args:
        command: with its arguments.
        environment: added to this process's.

    Raises:
        ConnectionError: it ended instead of saying its port.
    """

    def __init__(self, command: Sequence[str | pathlib.Path], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
        )
        try:
            self.port = int(self._answer()["port"])
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def cpu_ns(self) -> int:
        """CPU time of the process so far, user and system: of the threads that it has now, to the ns."""
        threads = pathlib.Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def tell(self, command: str) -> None:
        """Give a command that has no answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Ask for what the server has found out."""
        self.tell("end")
        return self._answer()

    def _stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ConnectionError(f"expected an answer of the server, got its end: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class ServerProcess(ObedientProcess):
    """A server of ``benchmarks.bridge``."""

    def __init__(self, module: str, *arguments: str) -> None:
        super().__init__([sys.executable, "-m", f"benchmarks.bridge.{module}", *arguments])
