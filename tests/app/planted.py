"""What Linux shows of a process and its control groups, written into a folder of a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MIB = 1 << 20


class PlantedMachine:
    """
    ``proc`` and the control groups that it names, which are mounted in the same folder.

    Args:
        folder: an empty one.
        available_bytes: that the whole machine has left.
    """

    def __init__(self, folder: Path, *, available_bytes: int = 8 << 30) -> None:
        self.folder = folder
        self.proc = folder / "proc"
        (self.proc / "self" / "fd").mkdir(parents=True)
        self._write("proc/meminfo", f"MemTotal: 99999999 kB\nMemAvailable: {available_bytes // 1024} kB\n")
        self._write("proc/self/cgroup", "")
        self._write("proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n")

    def belongs_to(self, *lines: str) -> None:
        """These lines of ``/proc/self/cgroup``."""
        self._write("proc/self/cgroup", "".join(f"{line}\n" for line in lines))

    def mount(self, kind: str, place: str, *, options: str = "rw", root: str = "/") -> None:
        """A line of ``/proc/self/mountinfo``; ``place`` is in the folder."""
        line = f"30 22 0:26 {root} {self.folder / place} rw,nosuid shared:9 - {kind} {kind} {options}\n"
        with (self.proc / "self" / "mountinfo").open("a") as file:
            file.write(line)

    def write(self, group: str, **files: str | int) -> None:
        """Files of a group; ``__`` in a name stands for a dot."""
        for name, content in files.items():
            self._write(f"{group}/{name.replace('__', '.')}", f"{content}\n")

    def write_cpu_v2(self, group: str, *, quota: str, used_s: float) -> None:
        self.write(group, cpu__max=quota, cpu__stat=f"usage_usec {int(used_s * 1e6)}\nuser_usec 1\nnr_periods 3")

    def write_memory_v2(self, group: str, *, limit: int | str, used: int, droppable: int = 0) -> None:
        stat = f"anon {used}\ninactive_file {droppable}\nactive_file 5"
        self.write(group, memory__max=limit, memory__current=used, memory__stat=stat)

    def write_memory_v1(self, group: str, *, limit: int, used: int, droppable: int = 0) -> None:
        stat = f"cache 1\ninactive_file 77\ntotal_inactive_file {droppable}"
        self.write(group, memory__limit_in_bytes=limit, memory__usage_in_bytes=used, memory__stat=stat)

    def write_stat(self, *processors: Mapping[str, int]) -> None:
        """``/proc/stat`` with the ticks of each processor, by the names that proc_stat(5) has for them."""
        names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
        lines = [" ".join(str(ticks.get(name, 0)) for name in names) for ticks in processors]
        each = "".join(f"cpu{number} {line}\n" for number, line in enumerate(lines))
        self._write("proc/stat", f"cpu  1 2 3 4 5 6 7 8 9 10\n{each}intr 5 0 0\nctxt 77\n")

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def in_group_v2(folder: Path) -> PlantedMachine:
    """As in a container: its own group is all that is seen."""
    machine = PlantedMachine(folder)
    machine.belongs_to("0::/")
    machine.mount("cgroup2", "sys")
    return machine
