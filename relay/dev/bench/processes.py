"""Owns the processes of a run: how one is started, spoken with and ended, and what Linux says that it holds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

_PROC: Final = Path("/proc")
_KERNELS_OWN: Final = "iou-"
"""Threads of io_uring: they come and go with what the loop happens to do."""
ZOMBIE: Final = "Z"
LINE_MAX_BYTES: Final = 1 << 20
TERMINATE_S: Final = 20.0


class Child:
    """
    A Python process whose standard output is read line by line; use as ``async with``, which kills it if it still runs.

    Args:
        arguments: of Python.
        environment: beside what this process has that is not relay's.
        stderr: a file for its standard error; None: that goes with its standard output.
        on_line: told each line, from the start on; without it, lines wait for ``answer``.
        core: it and all that it starts are kept to that one; None: to none.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        stderr: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        core: int | None = None,
    ) -> None:
        self._core = core
        self._arguments = arguments
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
        self._environment = {**inherited, **environment}
        self._stderr = stderr
        self._on_line = on_line
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_kept_to(self._core))
            error = STDOUT if self._stderr is None else stack.enter_context(self._stderr.open("ab"))
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                env=self._environment,
                stdin=PIPE,
                stdout=PIPE,
                stderr=error,
                limit=LINE_MAX_BYTES,
            )
        if self._on_line is not None:
            self._reading = asyncio.create_task(self._read(self._on_line))
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._running.kill()
        await self._running.wait()
        if self._reading is not None:
            await self._reading

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._running.pid

    async def ask(self, command: str) -> Any:
        """
        Give a command, and return what it answers; see ``obey``.

        Raises:
            ConnectionError: it has ended.
        """
        self.tell(command)
        return await self.answer()

    def tell(self, command: str) -> None:
        """Give a command that has no answer."""
        assert self._running.stdin is not None  # noqa: S101 - it was made with one
        self._running.stdin.write(f"{command}\n".encode())

    async def answer(self) -> Any:
        """
        The next thing that it says.

        Raises:
            ConnectionError: it has ended.
        """
        assert self._running.stdout is not None  # noqa: S101 - it was made with one
        line = await self._running.stdout.readline()
        if not line:
            raise ConnectionError(f"expected an answer of {self._arguments}, got its end")
        return json.loads(line)

    async def terminate(self) -> int:
        """
        Ask it to end; its exit status.

        Raises:
            TimeoutError: it has not, for ``TERMINATE_S``.
        """
        self._running.terminate()
        async with asyncio.timeout(TERMINATE_S):
            return await self._running.wait()

    async def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._running.stdout is not None  # noqa: S101 - it was made with one
        while line := await self._running.stdout.readline():
            on_line(line.decode(errors="replace"))

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("child: expected a process, got none: use it as `async with`")
        return self._process


@contextlib.contextmanager
def _kept_to(core: int | None) -> Iterator[None]:
    """Within the block this thread is kept to a core: what it starts there stays there."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def obey(commands: Mapping[str, Callable[[], object]]) -> None:
    """In a ``Child``: answer each line of the standard input by what its command returns, to the input's end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(commands[line.decode().strip()]()), flush=True)


@dataclass(frozen=True, slots=True)
class Held:
    """
    What a process holds.

    Args:
        pss_bytes: its memory, with its share of what it has in common with others.
        anonymous_bytes: of that, what is of no file: the part that can leak, and that no other process changes.
        private_bytes: what no other process has.
        threads: the kernel's own apart.
    """

    pss_bytes: int
    anonymous_bytes: int
    private_bytes: int
    descriptors: int
    threads: int


def held_by(pid: int) -> Held | None:
    """What a process holds now; None: it has ended."""
    folder = _PROC / str(pid)
    with contextlib.suppress(OSError, LookupError):
        lines = (line.split() for line in (folder / "smaps_rollup").read_text().splitlines()[1:])
        sizes = {name: int(size) * 1024 for name, size, *_ in lines}
        return Held(
            pss_bytes=sizes["Pss:"],
            anonymous_bytes=sizes["Pss_Anon:"],
            private_bytes=sizes["Private_Clean:"] + sizes["Private_Dirty:"],
            descriptors=sum(1 for _ in (folder / "fd").iterdir()),
            threads=sum(not name.startswith(_KERNELS_OWN) for name in _threads(folder)),
        )
    return None


def _threads(folder: Path) -> list[str]:
    names = []
    for task in (folder / "task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            names.append((task / "comm").read_text())
    return names


def descendants(pid: int) -> Mapping[int, Sequence[str]]:
    """Every process that it, or one of these, has started and that is still there: its state, and its command line."""
    found: dict[int, Sequence[str]] = {}
    waiting = [pid]
    while waiting:
        for children in (_PROC / str(waiting.pop()) / "task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in map(int, children.read_text().split()):
                    waiting.append(child)
                    found[child] = (_state(child), *_command(child))
    return found


def is_there(pid: int) -> bool:
    """Whether there is such a process, a zombie too."""
    return (_PROC / str(pid)).exists()


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _command(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_text().split("\0")[:-1]
    return []
