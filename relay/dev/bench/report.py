"""Owns the report of a run: as values for JSON, as tables for a terminal and for a page. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Column, Table

from relay.dev.bench.direction import LATE_MS

if TYPE_CHECKING:  # its load is built on Linux only
    from relay.dev.bench.bridge import BridgeResult, StallResult

Report = Mapping[str, Any]
Rows = Sequence[tuple[str, ...]]
NAMES: Final = {"agent_to_room": "to room", "room_to_agent": "to agent"}
DELAY_HEAD: Final = ("calls", "", "frames", "p50 ms", "p99", "p99.9", "max", "missing", "late", "unread")
COST_HEAD: Final = ("calls", "ms/s", "user", "system", "core", "KB", "PSS KB", "base KB", "load late", "load core")
STALL_HEAD: Final = ("what happens", "to room, s", "to agent, s", "max ms")
CAPACITY_HEAD: Final = ("calls", "to room, p99 ms", "to agent, p99 ms", "core", "answered", "holds")
BEHIND: Final = {
    "delay": "ms that the relay adds; the codec's filters and, to the room, the jitter target are not in it",
    "cost": "CPU ms per bridge and second, memory of each beyond the base; load late: p99 ms",
    "stall": "s from the stall's end until the delay is as before",
}


def bridge_report(
    arguments: Sequence[str],
    machine: Mapping[str, str],
    *,
    busy: float,
    results: Sequence[BridgeResult] = (),
    stalls: Sequence[StallResult] = (),
    capacity: Sequence[BridgeResult] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that a run of mode ``bridge`` found out, as JSON has it."""
    measured = [*results, *(each.result for each in stalls), *capacity]
    limits = [f"{each.calls} calls: {each.load['bottleneck']}" for each in measured if each.load["bottleneck"]]
    return {
        "mode": "bridge",
        "command": shlex.join(["relay", "bench", *arguments]),
        "machine": dict(machine),
        "busy": busy,
        "results": [asdict(each) for each in results],
        "stalls": [asdict(each) for each in stalls],
        "capacity": [{**asdict(each), "holds": each.holds} for each in capacity],
        "notes": [*notes, *limits],
    }


def tables(report: Report) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """Each table of a report: its title, its head, its rows."""
    if report["results"]:
        yield f"Delay: {BEHIND['delay']}", DELAY_HEAD, _delays(report["results"])
        yield f"Cost: {BEHIND['cost']}", COST_HEAD, [_cost(each) for each in report["results"]]
    if report["stalls"]:
        yield f"After a stall: {BEHIND['stall']}", STALL_HEAD, [_stall(each) for each in report["stalls"]]
    if report["capacity"]:
        title = f"Capacity: until 1 frame in 100 is more than {LATE_MS:g} ms late"
        yield title, CAPACITY_HEAD, [_capacity(each) for each in report["capacity"]]


def for_terminal(report: Report) -> Iterator[Table]:
    """The tables, drawn by rich."""
    for title, head, rows in tables(report):
        columns = (Column(each, no_wrap=True) for each in head)
        table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for row in rows:
            table.add_row(*row)
        yield table


def as_markdown(report: Report) -> str:
    """The report as a page."""
    machine = [f"| {name} | {value} |" for name, value in report["machine"].items()]
    lines = [
        *("# The bridge: what it costs and what it delays", "", f"`{report['command']}`", ""),
        *("| | |", "|---|---|", *machine, ""),
        *(f"Others took {100 * report['busy']:.0f} % of the machine just before the run.", ""),
    ]
    for title, head, rows in tables(report):
        name, _, says = title.partition(": ")
        lines += [
            f"## {name}",
            "",
            f"{says[0].upper()}{says[1:]}.",
            "",
            _line(head),
            _line(["---"] * len(head)),
            *map(_line, rows),
            "",
        ]
    lines += [f"- {note}" for note in report["notes"]]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _delays(results: Sequence[Report]) -> list[tuple[str, ...]]:
    return [
        (
            *(str(result["calls"]), title, str(result[name]["beyond"]["count"])),
            *(f"{result[name]['beyond'][each]:.2f}" for each in ("p50", "p99", "p99_9", "most")),
            *(str(result[name][each]) for each in ("missing", "late", "unreadable")),
        )
        for result in results
        for name, title in NAMES.items()
    ]


def _cost(result: Report) -> tuple[str, ...]:
    load = result["load"]
    return (
        *(str(result["calls"]), *(f"{result[name]:.2f}" for name in ("cpu_ms", "user_ms", "system_ms"))),
        *(f"{result['core']:.0%}", f"{result['private_kb']:.0f}", f"{result['pss_kb']:.0f}", str(result["base_kb"])),
        *(f"{load['late_p99_ms']:.2f}", f"{load['core']:.0%}"),
    )


def _stall(stall: Report) -> tuple[str, ...]:
    moments = [each for name in NAMES for each in stall["result"][name]["moments"]]
    most_ms = max((each["max_ms"] for each in moments), default=0.0)
    return stall["name"], *(_back(stall[f"{name}_back_s"]) for name in NAMES), f"{most_ms:.0f}"


def _back(back_s: float | None) -> str:
    return "not in the window" if back_s is None else f"{back_s:.1f}"


def _capacity(result: Report) -> tuple[str, ...]:
    late = (f"{result[name]['beyond']['p99']:.2f}" for name in NAMES)
    answered = f"{result['load']['answered']:.3f}"
    return str(result["calls"]), *late, f"{result['core']:.0%}", answered, "yes" if result["holds"] else "no"
