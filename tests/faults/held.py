"""What this process holds: tasks, threads, descriptors; and that it lets go of all it took."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

LET_GO_S = 6.0
"""A phone that nobody knows of is looked for several times: that takes the longest."""
_DESCRIPTORS = Path("/proc/self/fd")
_THREADS = Path("/proc/self/task")
_TCP = ("tcp", "tcp6")
_INODE = 9
"""Where a line of /proc/net/tcp has it."""


@dataclass(frozen=True)
class Held:
    """
    What was held at one time.

    Args:
        tasks: of the running loop.
        threads: of the process by name, those of libraries too; not the kernel's own, which come and go with io_uring.
        descriptors: what each is of: ``/dev/null``, ``anon_inode:[eventpoll]``, ``tcp``, ...
    """

    tasks: frozenset[asyncio.Task[object]]
    threads: Counter[str]
    descriptors: Counter[str]

    @classmethod
    def now(cls) -> Self:
        return cls(frozenset(asyncio.all_tasks()), Counter(_threads()), Counter(_descriptors()))

    async def let_go(self, *, only_tcp: bool = False) -> None:
        """
        Return when no more is held than then; ``only_tcp``: other descriptors may be kept, as pools of connections do.

        Raises:
            AssertionError: it is, after ``LET_GO_S``; with all of it.
        """
        deadline_s = time.monotonic() + LET_GO_S
        while more := await self._more(only_tcp=only_tcp):
            assert time.monotonic() < deadline_s, more
            await asyncio.sleep(0)  # sockets are closed in the loop's next turns

    async def _more(self, *, only_tcp: bool) -> dict[str, object]:
        """What is held beyond that, once its tasks have had time to end."""
        tasks = self._more_tasks()
        if tasks:
            await asyncio.wait(tasks, timeout=LET_GO_S)
            tasks = self._more_tasks()
        now = Held.now()
        descriptors = now.descriptors - self.descriptors
        if only_tcp:
            descriptors = Counter({"tcp": descriptors["tcp"]}) - Counter()
        threads = Counter() if only_tcp else now.threads - self.threads
        found = {"tasks": tasks, "threads": threads, "descriptors": descriptors}
        return {name: held for name, held in found.items() if held}

    def _more_tasks(self) -> set[asyncio.Task[object]]:
        """Those that took no other's place: a line to the store that was broken is made anew."""
        ended = Counter(_coroutine(task) for task in self.tasks if task.done())
        more = set[asyncio.Task[object]]()
        for task in asyncio.all_tasks() - self.tasks - {asyncio.current_task()}:
            if ended[_coroutine(task)]:
                ended[_coroutine(task)] -= 1
            else:
                more.add(task)
        return more


def _coroutine(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", "")


def descriptors_of(pid: int) -> Counter[str]:
    """Of another process, as ``Held.descriptors``, but that all sockets which are not TCP's are alike."""
    tables = [Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in _TCP]
    tcp = {f"socket:[{line.split()[_INODE]}]" for lines in tables for line in lines}
    found: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it is closed meanwhile
            link = str(entry.readlink())
            found["tcp" if link in tcp else link.partition(":[")[0]] += 1
    return found


async def warm_up() -> None:
    """
    Let the loop take what it keeps for good: threads that look names up, and a spare descriptor for its sockets.

    And numpy, which measures here: it gives its threads up when a process is started, and takes them again.
    """
    np.ones((256, 256)) @ np.ones((256, 256))
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()


def _threads() -> list[str]:
    names = []
    for entry in _THREADS.iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            names.append((entry / "comm").read_text().strip())
    return [name for name in names if not name.startswith("iou-")]


def _descriptors() -> list[str]:
    found = []
    for entry in _DESCRIPTORS.iterdir():
        with contextlib.suppress(OSError):  # the one that reads the directory is gone by now
            is_socket = stat.S_ISSOCK(entry.stat().st_mode)
            found.append(_kind(int(entry.name)) if is_socket else str(entry.readlink()))
    return found


def _kind(descriptor: int) -> str:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        is_tcp = copy.family in (socket.AF_INET, socket.AF_INET6) and copy.type == socket.SOCK_STREAM
        return "tcp" if is_tcp else copy.family.name
