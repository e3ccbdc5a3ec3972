"""
Owns a server under test: a process of its own on a core of its own, told what to do on its standard input.

It says ``{"port": ...}`` first, and answers ``end`` with one JSON line; other commands have no answer.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_OF_A_PROCESS: Final = 2
"""The clock whose id is made of a process's, as ``clock_getcpuclockid`` does: CPUCLOCK_SCHED."""
_ROLLUP: Final = re.compile(r"^(Pss|Private_Clean|Private_Dirty):\s+(\d+) kB$", re.MULTILINE)


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


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time of a process so far, or in a window."""

    total_ns: int
    user_s: float
    """In steps of 10 ms, as ``system_s``."""
    system_s: float

    def __sub__(self, before: Cpu) -> Cpu:
        return Cpu(self.total_ns - before.total_ns, self.user_s - before.user_s, self.system_s - before.system_s)


def cpu_of(pid: int) -> Cpu:
    """
    CPU time of a process so far, of all its threads, those that have ended too.

    Raises:
        OSError: it has ended.
    """
    total_ns = time.clock_gettime_ns((~pid << 3) | _OF_A_PROCESS)
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return Cpu(total_ns, int(user) / _TICKS_PER_S, int(system) / _TICKS_PER_S)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process has: its share of what it has with others, and what nobody else has."""

    pss_kb: int
    private_kb: int


class ServerProcess:
    """
    A server; use as ``with``.

    Args:
        command: of the process.
        environment: added to this process's.

    Raises:
        ConnectionError: it ended before it said its port.
    """

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the harness's own servers
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._commands, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        try:
            self.port = int(self._answer()["port"])
        except BaseException:
            self.close()
            raise

    @classmethod
    def of_module(cls, module: str, *arguments: str) -> Self:
        """A module of Python, in this interpreter."""
        return cls([sys.executable, "-m", module, *arguments])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill it. May be called again."""
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def cpu(self) -> Cpu:
        """CPU time so far; raises ``OSError`` when it has ended."""
        return cpu_of(self._process.pid)

    def memory(self) -> Memory:
        """What it has now."""
        kb = {name: int(value) for name, value in _ROLLUP.findall(self._read("smaps_rollup"))}
        return Memory(kb["Pss"], kb["Private_Clean"] + kb["Private_Dirty"])

    def tell(self, command: str) -> None:
        """Give a command that has no answer."""
        self._commands.write(command + "\n")
        self._commands.flush()

    def end(self) -> dict[str, Any]:
        """Ask for what the server has found out."""
        self.tell("end")
        return self._answer()

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise ConnectionError(f"expected an answer of the server, got its end: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
