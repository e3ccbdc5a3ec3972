"""The limits that a control group sets to this process, of versions 1 and 2, and how much of them is used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_NO_LIMIT_BYTES: Final = 1 << 60
"""Version 1 writes "none" as a number of pages that no machine has."""
_V2: Final = ""
_MOUNT_FIELDS: Final = 6
"""Of mountinfo(5), before those that there may be any number of."""


@dataclass(frozen=True, slots=True)
class CpuQuota:
    """Processors that a group may use, and the processor time that it has used so far, in seconds."""

    cores: float
    used_s: float


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """What a group may have; of what it has, without files that are kept but can be dropped (as Kubernetes counts)."""

    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """The groups of this process in one hierarchy, its own first, then those around it."""

    is_v2: bool
    groups: tuple[Path, ...]


class Cgroups:
    """
    Where this process's groups are is looked up once: it stays in them. What cannot be read sets no limit.

    Args:
        proc: as ``/proc``.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        found = _hierarchies(proc / "self")
        self._cpu = found.get("cpu", found.get(_V2))
        self._cpuacct = found.get("cpuacct")
        self._memory = found.get("memory", found.get(_V2))
        self._pids = found.get("pids", found.get(_V2))

    def cpu_quota(self) -> CpuQuota | None:
        """The smallest quota of all groups."""
        if self._cpu is None:
            return None
        read = _cpu_v2 if self._cpu.is_v2 else self._cpu_v1
        quotas = [quota for depth, group in enumerate(self._cpu.groups) if (quota := read(group, depth)) is not None]
        return min(quotas, key=lambda quota: quota.cores, default=None)

    def memory_limits(self) -> Iterator[MemoryLimit]:
        """That of each group that has one."""
        if self._memory is None:
            return
        read = _memory_v2 if self._memory.is_v2 else _memory_v1
        for group in self._memory.groups:
            with contextlib.suppress(OSError, ValueError, LookupError):
                limit = read(group)
                if 0 < limit.limit_bytes < _NO_LIMIT_BYTES:
                    yield limit

    def tasks_left(self) -> int | None:
        """Processes and threads that may still be started; None: as many as there is memory for."""
        left = []
        for group in self._pids.groups if self._pids is not None else ():
            with contextlib.suppress(OSError, ValueError):  # "max" is no number
                left.append(int((group / "pids.max").read_text()) - int((group / "pids.current").read_text()))
        return min(left, default=None)

    def _cpu_v1(self, group: Path, depth: int) -> CpuQuota | None:
        with contextlib.suppress(OSError, ValueError, LookupError):
            quota_us = int((group / "cpu.cfs_quota_us").read_text())
            if quota_us > 0:
                period_us = int((group / "cpu.cfs_period_us").read_text())
                # The accounts are in the same place, as a rule, or in one of the same name.
                accounts = group if self._cpuacct is None else self._cpuacct.groups[depth]
                return CpuQuota(quota_us / period_us, int((accounts / "cpuacct.usage").read_text()) / 1e9)
        return None


def _cpu_v2(group: Path, _depth: int) -> CpuQuota | None:
    with contextlib.suppress(OSError, ValueError, LookupError):
        quota_us, period_us = (group / "cpu.max").read_text().split()
        if quota_us != "max":
            used_us = _table(group / "cpu.stat")["usage_usec"]
            return CpuQuota(int(quota_us) / int(period_us), used_us / 1e6)
    return None


def _memory_v1(group: Path) -> MemoryLimit:
    limit_bytes = int((group / "memory.limit_in_bytes").read_text())
    used_bytes = int((group / "memory.usage_in_bytes").read_text())
    return MemoryLimit(limit_bytes, used_bytes - _table(group / "memory.stat").get("total_inactive_file", 0))


def _memory_v2(group: Path) -> MemoryLimit:
    limit_bytes = int((group / "memory.max").read_text())  # "max" is none, and no number
    used_bytes = int((group / "memory.current").read_text())
    return MemoryLimit(limit_bytes, used_bytes - _table(group / "memory.stat").get("inactive_file", 0))


def _table(path: Path) -> Mapping[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def _hierarchies(process: Path) -> Mapping[str, _Hierarchy]:
    """By controller; that of version 2 by ``_V2``."""
    try:
        # Paths are bytes to Linux, and need be no UTF-8.
        groups = (process / "cgroup").read_text(errors="surrogateescape").splitlines()
        mounts = (process / "mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:  # not Linux
        return {}
    mounted = {name: place for line in mounts for name, place in _mounted(line)}
    found: dict[str, _Hierarchy] = {}
    for line in groups:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounted:
                mount, root = mounted[name]
                found[name] = _Hierarchy(name == _V2, tuple(_upwards(mount, root, path)))
    return found


def _mounted(line: str) -> Iterator[tuple[str, tuple[Path, str]]]:
    """What a line of mountinfo(5) mounts: controllers, each with where, and which group is seen there."""
    fields, kind = line.partition(" - ")[0].split(), line.partition(" - ")[2].split()  # a source may be empty
    if len(fields) < _MOUNT_FIELDS or not kind:
        return
    place = (Path(fields[4]), fields[3])
    if kind[0] == "cgroup2":
        yield _V2, place
    elif kind[0] == "cgroup":
        yield from ((option, place) for option in kind[-1].split(","))


def _upwards(mount: Path, root: str, path: str) -> Iterator[Path]:
    """A group and those around it, as far as they are seen; one that is not seen is the one that is mounted."""
    inside = PurePosixPath(path)
    inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
    for each in (inside, *inside.parents):
        if ".." not in each.parts:
            yield mount / str(each).lstrip("/")
