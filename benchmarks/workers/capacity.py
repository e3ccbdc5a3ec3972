"""
Owns the capacity: how many calls a core carries, a process each, before frames are late.

More and more calls, each step with a new front and new workers on one core, while load and rooms have the other. A
frame is late by how much more than 20 ms passed since the one before it, at the phone and in the room.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.transfers.processes import Cores, StandIn
from benchmarks.workers.memory import FRONT, ROOMS
from benchmarks.workers.rooms import lateness_ms, percentile
from relay.dev.bench.load import Load, PhoneRecord
from relay.dev.bench.phones import LoadError, PhonesProcess

SETTLE_S: Final = 4
LATE_P99_MAX_MS: Final = 20.0
ANSWERED_MIN: Final = 0.98
STEP: Final = 20


@dataclass(frozen=True, slots=True)
class Step:
    """So many calls for one window."""

    calls: int
    phone_late_p99_ms: float
    room_late_p99_ms: float
    answered: float
    """Of the frames that phones and rooms should have heard, how many came: the lesser of the two."""
    load_late_p99_ms: float
    """How late the load was itself, after its own deadlines."""
    own_time_p99_ms: Mapping[str, float]
    core: float
    """How much of the workers' core was in use."""
    load_core: float
    ended: int
    """Calls that ended by themselves."""
    failure: str = ""
    """Why it came to nothing."""

    @property
    def holds(self) -> bool:
        """Every call went on, and nearly every frame was in time."""
        late_ms = max(self.phone_late_p99_ms, self.room_late_p99_ms)
        is_whole = not self.failure and not self.ended and self.answered >= ANSWERED_MIN
        return is_whole and late_ms <= LATE_P99_MAX_MS


def measure_capacity(*, seconds: int, calls_max: int, cores: Cores) -> list[Step]:
    """Take steps until one does not hold, or at ``calls_max``."""
    steps: list[Step] = []
    for calls in range(STEP, calls_max + 1, STEP):
        try:
            steps.append(_step(calls, seconds, cores))
        except (ConnectionError, LoadError) as error:
            late = float("inf")
            steps.append(Step(calls, late, late, 0.0, late, {}, 1.0, 1.0, 0, failure=repr(error)))
        if not steps[-1].holds:
            break
    return steps


def held(steps: list[Step]) -> int:
    """The most calls that held."""
    return max((step.calls for step in steps if step.holds), default=0)


def _step(calls: int, seconds: int, cores: Cores) -> Step:
    with StandIn(ROOMS, "--calls", str(calls), core=cores.others) as rooms:
        arguments = ("--spares", str(calls), "--rooms-url", f"http://127.0.0.1:{rooms.port}")
        with (
            StandIn(FRONT, *arguments, core=cores.service) as front,
            PhonesProcess(front.port, calls, keep=True) as phones,
        ):
            front.tell("freeze")
            phones.run(SETTLE_S)
            for each in (front, rooms):
                each.tell("begin")
            used = _Used(cores)
            load = phones.run(seconds)
            core, load_core = used.shares()
            in_rooms, in_front = rooms.end(), front.end()
            return _found(load, phones.records(), in_rooms, in_front, core=core, load_core=load_core)


def _found(
    load: Load,
    records: Sequence[PhoneRecord],
    in_rooms: dict[str, Any],
    in_front: dict[str, Any],
    *,
    core: float,
    load_core: float,
) -> Step:
    arrivals_ns = [
        [came_ns for came_ns in record.arrived_ns if load.since_ns <= came_ns < load.until_ns] for record in records
    ]
    return Step(
        calls=len(records),
        phone_late_p99_ms=percentile(lateness_ms(arrivals_ns), 99),
        room_late_p99_ms=in_rooms["late_p99_ms"],
        answered=min(sum(len(each) for each in arrivals_ns), in_rooms["received"]) / load.sent,
        load_late_p99_ms=load.late_p99_ms,
        own_time_p99_ms=in_front["own_time_p99_ms"],
        core=core,
        load_core=load_core,
        ended=in_front["ended"],
    )


class _Used:
    """How much of each of the two cores is in use, by whatever runs, from now on."""

    def __init__(self, cores: Cores) -> None:
        self._cores = (cores.service, cores.others)
        self._began = [_jiffies(core) for core in self._cores]

    def shares(self) -> tuple[float, float]:
        """Of the service's core, and of the other."""
        used = []
        for core, (idle_before, all_before) in zip(self._cores, self._began, strict=True):
            idle, whole = _jiffies(core)
            used.append(1 - (idle - idle_before) / max(whole - all_before, 1))
        return used[0], used[1]


def _jiffies(core: int) -> tuple[int, int]:
    line = next(line for line in pathlib.Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    values = [int(each) for each in line.split()[1:9]]
    return values[3] + values[4], sum(values)
