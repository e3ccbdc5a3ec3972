"""What one window of mode ``node`` has come to, and how that is made of what was kept. Pure but for the kept files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relay._codec import Decoder, Encoder
from relay.dev.bench.direction import TAIL_NS, Direction, carried
from relay.dev.bench.heard import PHONE_RATE_HZ, Frames, Hearing, frames_of
from relay.dev.bench.load import Load, PhoneRecord, lived
from relay.dev.bench.node_rooms import lateness_ms
from relay.dev.bench.processes import Held
from relay.dev.bench.server import Cpu
from relay.dev.bench.spread import percentile
from relay.rooms.wire import FRAME_BYTES, RATE_HZ

ROOMS_LATE_MAX_MS: Final = 2.0
"""Rooms that speak later than this at p99 are what is measured, and not the service."""
FAMILY: Final = ("front", "workers", "store")


@dataclass(slots=True)
class Kept:
    """
    What was read in one window.

    Args:
        folder: where the rooms have written what each place has said and heard.
    """

    folder: Path
    load: Load | None = None
    records: Sequence[PhoneRecord] = ()
    phones: Mapping[str, int] = field(default_factory=dict)
    """Of each number that was dialled, its place in ``records``."""
    rooms: Mapping[str, Any] = field(default_factory=dict)
    """What the rooms have counted."""
    cpu: Mapping[str, Cpu] = field(default_factory=dict)
    """Of each of ``FAMILY``, in the window."""
    base: Held | None = None
    """The front before the calls."""
    front: Held | None = None
    """The front with them."""
    workers: Sequence[Held] = ()
    transfer_ids: list[str] = field(default_factory=list)
    """Of the calls, in order."""
    overloads: int = 0
    ended: int = 0
    events: list[Mapping[str, Any]] = field(default_factory=list)
    """What the service has logged."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time per call and second, ms."""

    cpu_ms: float
    user_ms: float
    system_ms: float

    @classmethod
    def of(cls, cpu: Cpu, calls: int, seconds: float) -> Cost:
        """Of so many calls in so many seconds."""
        each = 1000 / calls / seconds
        return cls(cpu.total_ns / 1e9 * each, cpu.user_s * each, cpu.system_s * each)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """So many calls for one window."""

    calls: int
    seconds: float
    agent_to_room: Direction
    room_to_agent: Direction
    phone_late_p99_ms: float
    """How much more than 20 ms passed between a message and the one before it, at the phones."""
    room_late_p99_ms: float
    """The same in the rooms."""
    front: Cost
    workers: Cost
    store: Cost
    core: float
    """How much of its core the service took, with workers and store."""
    worker_private_kb: float
    """Of a worker in a call, the mean: what no other process has."""
    worker_pss_kb: float
    front_kb: float
    """What the front has more than before the calls, per call."""
    front_base_kb: int
    counts: Mapping[str, float]
    """What the bridges said of themselves at their end, all together, of all their time."""
    ended: int
    """Calls that ended by themselves."""
    overloads: int
    """How often the service took no call for want of machine; it was asked again."""
    room_own_late_p99_ms: float
    """How late the rooms said their frames."""
    load: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """As ``BridgeResult.holds``; to the room, late is against the jitter target that each call ended with."""
        return not self.ended and carried(self.load, self.agent_to_room, self.room_to_agent)

    @property
    def bottleneck(self) -> str | None:
        """Why the figures are of what stands in; None: they are the service's."""
        said: str | None = self.load["bottleneck"]
        if said is None and self.room_own_late_p99_ms > ROOMS_LATE_MAX_MS:
            return f"the rooms spoke {self.room_own_late_p99_ms:.1f} ms late at p99, expected {ROOMS_LATE_MAX_MS:g} ms"
        return said


def number_of(call: int) -> str:
    """That is dialled for a call: by it carrier, phone and room are told together."""
    return f"+1415555{call:04d}"


def room_of(call: int) -> str:
    """The name of its room."""
    return f"call-{call}"


def result_of(kept: Kept) -> NodeResult:
    """
    Follow each frame, and sum up.

    Raises:
        ValueError: the window is not whole.
    """
    load, base, front = kept.load, kept.base, kept.front
    if load is None or base is None or front is None:
        raise ValueError("node: expected a window that was read to its end, got less")
    ends = {event["transfer_id"]: event for event in kept.events if event.get("event") == "bridge_ended"}
    calls = len(kept.transfer_ids)
    alive = lived(kept.ended, calls)
    to_room, to_agent = [], []
    for call, transfer_id in enumerate(kept.transfer_ids):
        if room_of(call) not in kept.rooms["first"]:
            continue  # it has ended: its room has nothing of it
        record = kept.records[kept.phones[number_of(call)]]
        room_frames, agent_frames = _frames(record, kept.folder, room_of(call), kept.rooms["first"], load)
        to_room.append((room_frames, [(0, _playout(ends.get(transfer_id, {})).get("target_ms", 0.0))]))
        to_agent.append((agent_frames, ()))
    arrived = [[at_ns for at_ns in each.arrived_ns if load.since_ns <= at_ns < load.until_ns] for each in kept.records]
    costs = {name: Cost.of(kept.cpu[name], alive, load.seconds) for name in FAMILY}
    return NodeResult(
        calls=calls,
        seconds=load.seconds,
        agent_to_room=Direction.of(to_room, load.since_ns),
        room_to_agent=Direction.of(to_agent, load.since_ns),
        phone_late_p99_ms=percentile(lateness_ms(arrived), 99),
        room_late_p99_ms=kept.rooms["late_p99_ms"],
        front=costs["front"],
        workers=costs["workers"],
        store=costs["store"],
        core=sum(cpu.total_ns for cpu in kept.cpu.values()) / 1e9 / load.seconds,
        worker_private_kb=_mean(kept.workers, lambda held: held.private_bytes),
        worker_pss_kb=_mean(kept.workers, lambda held: held.pss_bytes),
        front_kb=(front.private_bytes - base.private_bytes) / 1024 / alive,
        front_base_kb=base.private_bytes // 1024,
        counts=_counts(ends),
        ended=kept.ended,
        overloads=kept.overloads,
        room_own_late_p99_ms=kept.rooms["own_late_p99_ms"],
        load=load.as_dict(),
    )


def _playout(end: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the jitter buffer of a bridge said at its end."""
    found: Mapping[str, Any] = (end.get("agent_to_room") or {}).get("playout") or {}
    return found


def _frames(
    record: PhoneRecord, folder: Path, room: str, first: Mapping[str, int], load: Load
) -> tuple[Frames, Frames]:
    """What became of one call's frames: to the room, to the agent."""
    window = {"since_ns": load.since_ns, "until_ns": load.until_ns - TAIL_NS}
    said_ns, given_ns = (array("q", (folder / f"{room}.{name}").read_bytes()) for name in ("said", "given"))
    samples = FRAME_BYTES // 2
    in_room = Hearing(
        (folder / f"{room}.pcm").read_bytes(),
        RATE_HZ,
        given_ns,
        range(samples, samples * len(given_ns) + 1, samples),
        Decoder("pcmu", PHONE_RATE_HZ, RATE_HZ).delay_ms,
    )
    at_phone = Hearing.of_phone(record, Encoder("pcmu", PHONE_RATE_HZ, RATE_HZ).delay_ms)
    return frames_of(record.written_ns, in_room, **window), frames_of(said_ns, at_phone, first=first[room], **window)


def _mean(held: Sequence[Held], of: Callable[[Held], int]) -> float:
    return sum(map(of, held)) / 1024 / max(1, len(held))


def _counts(ends: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for event in ends.values():
        for name in ("frames_lost", "frames_late", "underruns", "concealed_ms"):
            counts[name] = counts.get(name, 0) + _playout(event).get(name, 0)
        for name in ("frames_dropped", "trimmed_ms"):
            counts[name] = counts.get(name, 0) + (event.get("room_to_agent") or {}).get(name, 0)
    return counts
