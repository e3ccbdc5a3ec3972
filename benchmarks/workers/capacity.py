"""
Owns the capacity: how many calls a core carries, a process each, before frames are late.

More and more calls, each step with a new front and new workers on one core, while load and rooms have the other. A
frame is late by how much more than 20 ms passed since the one before it, at the phone and in the room.
"""

from __future__ import annotations

import gc
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.bridge import wire
from benchmarks.bridge.load import Load
from benchmarks.transfers.processes import Cores, StandIn
from benchmarks.workers.memory import FRONT, ROOMS
from benchmarks.workers.rooms import lateness_ms, percentile
from tests.signals.waves import pcm, speech

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
    prefixes = wire.media_prefixes(pcm(speech(wire.RATE_HZ, SETTLE_S + seconds)))
    for calls in range(STEP, calls_max + 1, STEP):
        gc.disable()  # the load's own pauses are nobody's lateness
        try:
            steps.append(_step(calls, prefixes, seconds, cores))
        except (ConnectionError, BlockingIOError, TimeoutError) as error:
            late = float("inf")
            steps.append(Step(calls, late, late, 0.0, late, {}, 1.0, 1.0, 0, failure=repr(error)))
        finally:
            gc.enable()
        if not steps[-1].holds:
            break
    return steps


def held(steps: list[Step]) -> int:
    """The most calls that held."""
    return max((step.calls for step in steps if step.holds), default=0)


def _step(calls: int, prefixes: list[bytes], seconds: int, cores: Cores) -> Step:
    with StandIn(ROOMS, "--calls", str(calls), core=cores.others) as rooms:
        arguments = ("--spares", str(calls), "--rooms-url", f"http://127.0.0.1:{rooms.port}")
        with (
            StandIn(FRONT, *arguments, core=cores.service) as front,
            Load(front.port, calls, prefixes, keep=True) as load,
        ):
            front.tell("freeze")
            load.run(SETTLE_S * wire.FRAMES_PER_S)
            for each in (front, rooms):
                each.tell("begin")
            for stream in load.streams:
                assert stream.heard is not None
                stream.heard.arrived_ns.clear()
                stream.heard.messages.clear()
            first, used = len(load.sent_ns), _Used(cores)
            load.run(seconds * wire.FRAMES_PER_S)
            core, load_core = used.shares()
            in_rooms, in_front = rooms.end(), front.end()
            return _found(load, first, in_rooms, in_front, core=core, load_core=load_core)


def _found(
    load: Load, first: int, in_rooms: dict[str, Any], in_front: dict[str, Any], *, core: float, load_core: float
) -> Step:
    arrivals_ns = [stream.heard.arrived_ns for stream in load.streams if stream.heard is not None]
    sent = len(load.sent_ns) - first
    return Step(
        calls=len(load.streams),
        phone_late_p99_ms=percentile(lateness_ms(arrivals_ns), 99),
        room_late_p99_ms=in_rooms["late_p99_ms"],
        answered=min(sum(len(each) for each in arrivals_ns), in_rooms["received"]) / sent,
        load_late_p99_ms=percentile([late_ns / 1e6 for late_ns in load.late_ns(first)], 99),
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
