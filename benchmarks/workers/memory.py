"""Owns the memory: what a worker has that no other process shares, among some others of its kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.transfers.processes import Cores, StandIn
from benchmarks.workers.front import Worker
from relay.dev.bench.phones import PhonesProcess

FRONT: Final = "benchmarks.workers.front"
ROOMS: Final = "benchmarks.workers.rooms"
WORKERS: Final = 8
"""At a time: pages of libraries are nobody's own as soon as there are two."""
_MIB: Final = 1 << 20
_PRIVATE: Final = re.compile(r"^Private_(?:Clean|Dirty):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """Private memory of each of some workers that were there at the same time, in MB of 1024 x 1024 bytes."""

    mb: list[float]


def measure_idle(worker: Worker, *, cores: Cores) -> Memory:
    """Of spares."""
    with StandIn(FRONT, "--worker", worker, "--spares", str(WORKERS), core=cores.service) as front:
        return _memory(front)


def measure_in_call(seconds: int, *, cores: Cores) -> Memory:
    """Of workers that have been in a call, in a local room, for so long."""
    with StandIn(ROOMS, "--calls", str(WORKERS), core=cores.others) as rooms:
        arguments = ("--spares", str(WORKERS), "--rooms-url", f"http://127.0.0.1:{rooms.port}")
        with (
            StandIn(FRONT, *arguments, core=cores.service) as front,
            PhonesProcess(front.port, WORKERS) as phones,
        ):
            phones.run(seconds)
            return _memory(front)


def _memory(front: StandIn) -> Memory:
    front.tell("pids")
    return Memory([private_mb(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in front.read_json()])


def private_mb(rollup: str) -> float:
    """What ``smaps_rollup`` has of a process's own."""
    return sum(int(kilobytes) for kilobytes in _PRIVATE.findall(rollup)) * 1024 / _MIB
