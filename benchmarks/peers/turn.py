"""Owns one turn: one server under one load for one window, what it cost and what it delayed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from benchmarks.peers.contenders import Command, Contender
from relay.dev.bench.bridge import Setup, measure
from relay.dev.bench.direction import ANSWERED_MIN, TAIL_NS, Direction
from relay.dev.bench.heard import round_trips
from relay.dev.bench.load import PHONE_FRAME_BYTES, Load, PhoneRecord
from relay.dev.bench.phones import LoadError, PhonesProcess
from relay.dev.bench.server import Cpu, Memory, ServerProcess

DELAYS_OF_CALLS: Final = 100
"""The markers of the first so many are looked for in what a server echoes."""
HEARD: Final = 0.9
TO_ROOM, TO_PHONE, ROUND_TRIP = "to the room", "to the phone", "round trip"


@dataclass(frozen=True, slots=True)
class Delay:
    """What frames were delayed by on one way, less the filters' delay; ``beyond``: less the jitter target, too."""

    said: int
    missing: int
    """Never heard as a whole."""
    p50_ms: float
    p99_ms: float
    beyond_p50_ms: float
    beyond_p99_ms: float

    @classmethod
    def of(cls, way: Direction) -> Self:
        """Of all calls that were followed."""
        added, beyond = way.added, way.beyond
        return cls(way.said, way.missing, added.p50, added.p99, beyond.p50, beyond.p99)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did. A frame is 20 ms of audio to it and 20 ms back."""

    cpu_us: float = 0.0
    """For each frame answered: what was not done must not make it look cheap."""
    user_us: float = 0.0
    """Of ``cpu_us``; the rest, ``system_us``, is the kernel's."""
    system_us: float = 0.0
    answered: float = 0.0
    """Audio that came back, of what was said."""
    memory_kb: float = 0.0
    """Private to the process, for each call more than none."""
    base_mb: float = 0.0
    delays: Mapping[str, Delay] = field(default_factory=dict)
    """By the way that the frames went."""
    ended: int = 0
    """Calls that the server gave up."""
    broke: str = ""
    """Why there was no window."""
    load_late_ms: float = 0.0
    load_core: float = 0.0
    load_limit: str = ""
    """Why these are the load's figures rather than the server's."""

    @property
    def collapsed(self) -> str:
        """How the server failed at this load; "" if it carried it."""
        if self.broke:
            return self.broke
        if self.ended:
            return f"{self.ended} calls ended"
        if self.answered < ANSWERED_MIN:
            return f"answered {self.answered:.0%}"
        for way, delay in self.delays.items():
            if delay.missing > (1 - HEARD) * delay.said:
                return f"{delay.missing} of {delay.said} frames not heard as a whole ({way})"
        return ""


def take_turn(
    contender: Contender, command: Command, calls: int, *, seconds: float, settle_s: float | None = None
) -> Turn:
    """Start the server, put the calls on it, and stop both; ``settle_s`` is the contender's if it is not given."""
    setup = Setup(calls, seconds, contender.settle_s if settle_s is None else settle_s)
    try:
        return _echo(contender, command, setup) if contender.echoes else _bridge(setup)
    except (LoadError, OSError) as error:
        return Turn(broke=f"{type(error).__name__}: {error}"[:200])


def _bridge(setup: Setup) -> Turn:
    result = measure(setup)
    load = result.load
    delays = {TO_ROOM: result.agent_to_room, TO_PHONE: result.room_to_agent}
    return Turn(
        *_per_frame(
            load["heard_bytes"], 1e6 * result.core * result.seconds, user=result.user_ms, system=result.system_ms
        ),
        answered=load["answered"],
        memory_kb=result.private_kb,
        base_mb=result.base_kb / 1024,
        delays={way: Delay.of(each) for way, each in delays.items()},
        ended=load["ended"],
        load_late_ms=load["late_p99_ms"],
        load_core=load["core"],
        load_limit=load["bottleneck"] or "",
    )


def _echo(contender: Contender, command: Command, setup: Setup) -> Turn:
    with ServerProcess(command) as server:
        base = server.memory()
        with PhonesProcess(server.port, setup.calls, keep=True) as phones:
            server.tell("freeze")
            phones.run(setup.settle_s)
            full = server.memory()
            server.tell("begin")
            before = server.cpu()
            load = phones.run(setup.seconds)
            cpu = server.cpu() - before
            records = phones.records()
    return _echoed(contender, load, cpu, memory=(base, full), records=records)


def _echoed(
    contender: Contender, load: Load, cpu: Cpu, *, memory: tuple[Memory, Memory], records: Sequence[PhoneRecord]
) -> Turn:
    base, full = memory
    times = {"since_ns": load.since_ns, "until_ns": load.until_ns - TAIL_NS}
    trips = round_trips(records[:DELAYS_OF_CALLS], contender.filter_ms, **times)
    return Turn(
        *_per_frame(load.heard_bytes, cpu.total_ns / 1000, user=cpu.user_s, system=cpu.system_s),
        answered=load.answered,
        memory_kb=(full.private_kb - base.private_kb) / len(records),
        base_mb=base.private_kb / 1024,
        delays={ROUND_TRIP: Delay.of(Direction.of([(each, ()) for each in trips], load.since_ns))},
        ended=load.ended,
        load_late_ms=load.late_p99_ms,
        load_core=load.core,
        load_limit=load.bottleneck or "",
    )


def _per_frame(heard_bytes: int, cpu_us: float, *, user: float, system: float) -> tuple[float, float, float]:
    """All, user, system: all is known exactly, the parts in steps of 10 ms, in whatever unit: they divide it."""
    frames = heard_bytes / PHONE_FRAME_BYTES
    if not frames:
        return 0.0, 0.0, 0.0
    each_us = cpu_us / frames
    user_us = each_us * user / (user + system or 1)
    return each_us, user_us, each_us - user_us
