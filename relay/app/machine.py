"""What is read of the machine: how much of its processors, memory and descriptors is in use."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.app.admission import Reading
from relay.app.cgroups import Cgroups
from relay.errors import ConfigurationError, Problem

DESCRIPTORS_PER_TRANSFER: Final = 4
"""The carrier's media connection, the worker's process and the pair to it, and a request to the carrier."""
CPU_WINDOW_S: Final = 2.0
"""Of less, a quota is seen that is doled out every 100 ms, and a reading that was itself kept waiting."""
_PROC: Final = Path("/proc")
_BUSY: Final = (0, 2, 5, 6, 7)
"""Where proc_stat(5) has a processor's time for user, system, interrupts of both kinds, and what a hypervisor took."""
_NICED: Final = 1
"""And where that of programs that give way to others (nice)."""


def check_descriptors(max_transfers: int) -> None:
    """
    See that so many transfers at a time do not run out of descriptors.

    Raises:
        ConfigurationError: they might.
    """
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = DESCRIPTORS_PER_TRANSFER * max_transfers
    if allowed == resource.RLIM_INFINITY or allowed >= needed:
        return
    fix = f"raise it (`ulimit -n {needed}`, LimitNOFILE={needed} in a systemd unit, a container's ulimits)"
    if fitting := allowed // DESCRIPTORS_PER_TRANSFER:
        fix += f", or set RELAY_MAX_TRANSFERS to {fitting} at most"
    expected = f"at least {needed} descriptors, {DESCRIPTORS_PER_TRANSFER} for each of RELAY_MAX_TRANSFERS"
    raise ConfigurationError([Problem("RLIMIT_NOFILE", expected, str(allowed), fix)])


class Machine:
    """
    How much of what relay may use is in use. What cannot be read here (macOS has neither of the two) is not bounded.

    Args:
        proc: as ``/proc``.
    """

    def __init__(self, *, proc: Path = _PROC) -> None:
        self._proc = proc
        self._cgroups = Cgroups(proc)
        self._cpu: deque[tuple[float, float, float]] = deque()
        """When it was read; processors, and what had been used of them. The first is ``CPU_WINDOW_S`` old."""

    def read(self, now_s: float) -> Reading:
        """
        What it is like now, of processors in the last ``CPU_WINDOW_S``; ``now_s`` never goes back.

        How late the loop is, is not known here.
        """
        memory_share, memory_left_bytes = self._memory()
        return Reading(
            cpu_share=self._cpu_share(now_s),
            memory_share=memory_share,
            memory_left_bytes=memory_left_bytes,
            descriptors_share=self._descriptors_share(),
        )

    def _cpu_share(self, now_s: float) -> float | None:
        """
        Of the group's quota, by all that is in it; else of all processors, by whoever is on this machine.

        Not by its pressure (PSI): that says how often somebody waits, not how much there is left for one call more.
        """
        busy, quota = list(self._busy()), self._cgroups.cpu_quota()
        cores, used_s = float(len(busy)), sum(busy)
        if quota is not None and (not busy or quota.cores < cores):
            cores, used_s = quota.cores, quota.used_s
        if not cores:
            return None
        if self._cpu and self._cpu[-1][1] != cores:  # another quota has another account
            self._cpu.clear()
        self._cpu.append((now_s, cores, used_s))
        while len(self._cpu) > 1 and now_s - self._cpu[1][0] >= CPU_WINDOW_S:
            self._cpu.popleft()
        began_s, _, before_s = self._cpu[0]
        if now_s - began_s < CPU_WINDOW_S:
            return None
        return max(used_s - before_s, 0.0) / ((now_s - began_s) * cores)

    def _busy(self) -> Iterator[float]:
        """
        For how long each processor that this process may run on was busy so far, in seconds.

        Not with what gives way to us: a backup at night, started with ``nice``, keeps no call from its time.
        """
        counted = _BUSY if os.getpriority(os.PRIO_PROCESS, 0) <= 0 else (*_BUSY, _NICED)
        ours = _processors()
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (self._proc / "stat").read_text().splitlines():
                name, *ticks = line.split()
                if name in ours:
                    yield sum(int(ticks[field]) for field in counted) / os.sysconf("SC_CLK_TCK")

    def _memory(self) -> tuple[float | None, int | None]:
        limits = list(self._cgroups.memory_limits())
        share = max((each.used_bytes / each.limit_bytes for each in limits), default=None)
        left = [each.limit_bytes - each.used_bytes for each in limits]
        with contextlib.suppress(OSError, StopIteration, ValueError):
            lines = (self._proc / "meminfo").read_text().splitlines()
            left.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024)
        return share, min(left, default=None)

    def _descriptors_share(self) -> float | None:
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed == resource.RLIM_INFINITY:
            return None
        with contextlib.suppress(OSError):
            folder = self._proc / "self" / "fd"
            # Since Linux 6.2 its size is how many there are; before, they are counted, which takes one more.
            return (folder.stat().st_size or len(os.listdir(folder))) / allowed  # noqa: PTH208 - a descriptor less
        return None


def _processors() -> frozenset[str]:
    """Those that this process may run on, by the names that Linux has for them."""
    return frozenset(f"cpu{each}" for each in os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset()
