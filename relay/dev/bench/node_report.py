"""The report of mode ``node``: as values for JSON, as tables for a terminal and for a page. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from relay.dev.bench.direction import LATE_MS
from relay.dev.bench.load import lost
from relay.dev.bench.report import DELAY_HEAD, NAMES, Report, TitledTable, as_page, delay_rows, drawn, late_share

if TYPE_CHECKING:  # its load is built on Linux only
    from relay.dev.bench.node_result import NodeResult

COST_HEAD: Final = (
    *("calls", "front, CPU ms", "user", "system", "workers", "user", "system", "store", "core"),
    *("load late p99 ms", "rooms late p99 ms", "load's core"),
)
MEMORY_HEAD: Final = ("calls", "worker, private KB", "PSS", "front per call, KB", "front before, KB")
FRAMES_HEAD: Final = ("calls", "lost", "late", "underruns", "concealed ms", "dropped to agent", "trimmed ms", "ended")
CAPACITY_HEAD: Final = ("calls", "to room, late or missing", "to agent", "answered", "core", "holds")
DELAY: Final = "ms that the relay adds, to the room with the jitter target; the codec's filters are not in it"
COST: Final = "CPU time per call and second, of the front, its workers and its store apart"
MEMORY: Final = "what no other process has of each worker in a call, and what the front has more than before the calls"
FRAMES: Final = "what the bridges said of themselves, of all their time"
CAPACITY: Final = (
    f"until 1 frame in 100 is missing or more than {LATE_MS:g} ms late, in two windows"
    " (to the room: of the target at the end)"
)


def node_report(
    arguments: Sequence[str],
    machine: Mapping[str, str],
    *,
    busy: float,
    results: Sequence[NodeResult] = (),
    capacity: Sequence[NodeResult] = (),
    notes: Sequence[str] = (),
    broke: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that a run found out, as JSON has it."""
    measured = [*results, *capacity]
    limits = [
        f"{each.calls} calls: {limit}"
        for each in measured
        for limit in (each.bottleneck, lost(each.ended, each.calls, each.load["ended_by"]))
        if limit
    ]
    refused = [f"{each.calls} calls: refused {each.overloads} times" for each in measured if each.overloads]
    return {
        "mode": "node",
        "command": shlex.join(["relay", "bench", *arguments]),
        "machine": dict(machine),
        "busy": busy,
        "results": [asdict(each) for each in results],
        "capacity": [{**asdict(each), "holds": each.holds} for each in capacity],
        "broke": list(broke),
        "notes": [*notes, *limits, *refused, *broke],
    }


def tables(report: Report) -> Iterator[TitledTable]:
    """Each table of a report."""
    results = report["results"]
    if results:
        yield f"Delay: {DELAY}", DELAY_HEAD, delay_rows(results, "added")
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
    late = (late_share(result[name]) for name in NAMES)
    answered = f"{result['load']['answered']:.3f}"
    return str(result["calls"]), *late, answered, f"{result['core']:.0%}", "yes" if result["holds"] else "no"
