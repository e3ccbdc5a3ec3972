"""The report of mode ``node``: as values for JSON, as tables for a terminal and for a page. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from relay.dev.bench.direction import LATE_MS
from relay.dev.bench.report import BEHIND, DELAY_HEAD, Report, TitledTable, as_page, delay_rows, drawn
from relay.media.format import PTIME_MS

if TYPE_CHECKING:  # its load is built on Linux only
    from relay.dev.bench.node_result import NodeResult

COST_HEAD: Final = (
    *("calls", "front, CPU ms", "user", "system", "workers", "user", "system", "store", "core"),
    *("load late p99 ms", "rooms late p99 ms", "load's core"),
)
MEMORY_HEAD: Final = ("calls", "worker, private KB", "PSS", "front per call, KB", "front before, KB")
FRAMES_HEAD: Final = ("calls", "lost", "late", "underruns", "concealed ms", "dropped to agent", "trimmed ms", "ended")
CAPACITY_HEAD: Final = ("calls", "late p99 ms, phones", "late p99 ms, rooms", "answered", "core", "holds")
COST: Final = "CPU time per call and second, of the front, its workers and its store apart"
MEMORY: Final = "what no other process has of each worker in a call, and what the front has more than before the calls"
FRAMES: Final = "what the bridges said of themselves, of all their time"
CAPACITY: Final = (
    f"until 1 frame in 100 comes more than {PTIME_MS + LATE_MS:g} ms after the one before it, to phones or rooms"
)


def node_report(
    arguments: Sequence[str],
    machine: Mapping[str, str],
    *,
    busy: float,
    results: Sequence[NodeResult] = (),
    capacity: Sequence[NodeResult] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that a run found out, as JSON has it."""
    measured = [*results, *capacity]
    limits = [f"{each.calls} calls: {each.bottleneck}" for each in measured if each.bottleneck]
    refused = [f"{each.calls} calls: refused {each.overloads} times" for each in measured if each.overloads]
    return {
        "mode": "node",
        "command": shlex.join(["relay", "bench", *arguments]),
        "machine": dict(machine),
        "busy": busy,
        "results": [asdict(each) for each in results],
        "capacity": [{**asdict(each), "holds": each.holds} for each in capacity],
        "notes": [*notes, *limits, *refused],
    }


def tables(report: Report) -> Iterator[TitledTable]:
    """Each table of a report."""
    results = report["results"]
    if results:
        yield f"Delay: {BEHIND['delay']}", DELAY_HEAD, delay_rows(results)
        yield f"Cost: {COST}", COST_HEAD, [_cost(each) for each in results]
        yield f"Memory: {MEMORY}", MEMORY_HEAD, [_memory(each) for each in results]
        yield f"Frames: {FRAMES}", FRAMES_HEAD, [_frames(each) for each in results]
    if report["capacity"]:
        yield f"Capacity: {CAPACITY}", CAPACITY_HEAD, [_capacity(each) for each in report["capacity"]]


def for_terminal(report: Report) -> Iterator[Table]:
    """The tables, drawn by rich."""
    return drawn(tables(report))


def as_markdown(report: Report) -> str:
    """The report as a page."""
    return as_page("A node: what calls through the whole service cost and are delayed by", report, tables(report))


def _cost(result: Report) -> tuple[str, ...]:
    front, workers = (
        tuple(f"{result[name][each]:.2f}" for each in ("cpu_ms", "user_ms", "system_ms"))
        for name in ("front", "workers")
    )
    late = f"{result['load']['late_p99_ms']:.2f}", f"{result['room_own_late_p99_ms']:.2f}"
    store, core = f"{result['store']['cpu_ms']:.2f}", f"{result['core']:.0%}"
    return str(result["calls"]), *front, *workers, store, core, *late, f"{result['load']['core']:.0%}"


def _memory(result: Report) -> tuple[str, ...]:
    sizes = (result[name] for name in ("worker_private_kb", "worker_pss_kb", "front_kb", "front_base_kb"))
    return str(result["calls"]), *(f"{size:.0f}" for size in sizes)


def _frames(result: Report) -> tuple[str, ...]:
    names = ("frames_lost", "frames_late", "underruns", "concealed_ms", "frames_dropped", "trimmed_ms")
    counts = (f"{result['counts'].get(name, 0):.0f}" for name in names)
    return str(result["calls"]), *counts, str(result["ended"])


def _capacity(result: Report) -> tuple[str, ...]:
    late = (f"{result[name]:.2f}" for name in ("phone_late_p99_ms", "room_late_p99_ms"))
    answered = f"{result['load']['answered']:.3f}"
    return str(result["calls"]), *late, answered, f"{result['core']:.0%}", "yes" if result["holds"] else "no"
