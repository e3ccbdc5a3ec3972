"""Owns the report of a run: as values for JSON, as tables for a terminal and for a page. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rich import box
from rich.table import Column, Table

from relay.dev.bench.direction import LATE_MS
from relay.dev.bench.drift import of_moments
from relay.dev.bench.load import lost

if TYPE_CHECKING:  # its load is built on Linux only
    from relay.dev.bench.bridge import BridgeResult, StallResult

Report = Mapping[str, Any]
Rows = Sequence[tuple[str, ...]]
TitledTable: TypeAlias = tuple[str, tuple[str, ...], Rows]
"""Its title, what that says behind a colon, its head and its rows."""
NAMES: Final = {"agent_to_room": "to room", "room_to_agent": "to agent"}
DELAY_HEAD: Final = ("calls", "", "frames", "p50 ms", "p99", "p99.9", "max", "missing", "late", "unread")
COST_HEAD: Final = ("calls", "ms/s", "user", "system", "core", "KB", "PSS KB", "base KB", "load late", "load core")
STALL_HEAD: Final = ("what happens", "to room, s", "to agent, s", "max ms")
DRIFT_HEAD: Final = ("calls", "clocks apart, ms", "at first, ms", "at last, ms", "held")
CAPACITY_HEAD: Final = ("calls", "to room, p99 ms", "late, missing", "to agent", "late, missing", "core", "holds")
BEHIND: Final = {
    "delay": "ms that the relay adds; the codec's filters and, to the room, the jitter target are not in it",
    "cost": "CPU ms per bridge and second, memory of each beyond the base; load late: p99 ms",
    "drift": "ms to the room beyond the jitter target, at first and at last",
    "stall": "s from the stall's end until the delay is as before; not yet: not in the window",
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
    broke: Sequence[str] = (),
    drift_ppm: float = 0.0,
) -> dict[str, Any]:
    """Everything that a run of mode ``bridge`` found out, as JSON has it."""
    measured = [*results, *(each.result for each in stalls), *capacity]
    limits = [
        f"{each.calls} calls: {limit}"
        for each in measured
        for limit in (each.load["bottleneck"], lost(each.load["ended"], each.calls, each.load["ended_by"]))
        if limit
    ]
    drifts = [(each.calls, of_moments(each.agent_to_room.moments, drift_ppm)) for each in results if drift_ppm]
    return {
        "mode": "bridge",
        "command": shlex.join(["relay", "bench", *arguments]),
        "machine": dict(machine),
        "busy": busy,
        "results": [asdict(each) for each in results],
        "drift": [{"calls": calls, **delay.as_dict()} for calls, delay in drifts if delay is not None],
        "stalls": [asdict(each) for each in stalls],
        "capacity": [{**asdict(each), "holds": each.holds} for each in capacity],
        "broke": list(broke),
        "notes": [*notes, *limits, *broke],
    }


def tables(report: Report) -> Iterator[TitledTable]:
    """Each table of a report: its title, its head, its rows."""
    if report["results"]:
        yield f"Delay: {BEHIND['delay']}", DELAY_HEAD, delay_rows(report["results"])
        yield f"Cost: {BEHIND['cost']}", COST_HEAD, [_cost(each) for each in report["results"]]
    if report["drift"]:
        yield f"Clock drift: {BEHIND['drift']}", DRIFT_HEAD, [_drift(each) for each in report["drift"]]
    if report["stalls"]:
        yield f"After a stall: {BEHIND['stall']}", STALL_HEAD, [_stall(each) for each in report["stalls"]]
    if report["capacity"]:
        title = f"Capacity: until 1 frame in 100 is missing or more than {LATE_MS:g} ms late, in two windows"
        yield title, CAPACITY_HEAD, [_capacity(each) for each in report["capacity"]]


def for_terminal(report: Report) -> Iterator[Table]:
    """The tables, drawn by rich."""
    return drawn(tables(report))


def drawn(tables: Iterable[TitledTable]) -> Iterator[Table]:
    """Tables as rich draws them."""
    for title, head, rows in tables:
        columns = (Column(each, no_wrap=True) for each in head)
        table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for row in rows:
            table.add_row(*row)
        yield table


def as_markdown(report: Report, plots: Sequence[str] = ()) -> str:
    """The report as a page, with plots that are files beside it."""
    page = as_page("The bridge: what it costs and what it delays", report, tables(report))
    return page + "".join(f"\n![{Path(each).stem}]({each})\n" for each in plots)


def as_page(title: str, report: Report, tables: Iterable[TitledTable]) -> str:
    """A report of any mode as a page."""
    machine = [f"| {name} | {value} |" for name, value in report["machine"].items()]
    lines = [
        *(f"# {title}", "", f"`{report['command']}`", ""),
        *("| | |", "|---|---|", *machine, ""),
        *(f"Others took {100 * report['busy']:.0f} % of the machine just before the run.", ""),
    ]
    for named, head, rows in tables:
        name, _, says = named.partition(": ")
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


def _ms(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"  # a column has room for six characters


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def delay_rows(results: Sequence[Report], part: str = "beyond") -> list[tuple[str, ...]]:
    """The rows below ``DELAY_HEAD``, two for each result, of that part of the delay."""
    return [
        (
            *(str(result["calls"]), title, str(result[name][part]["count"])),
            *(_ms(result[name][part][each]) for each in ("p50", "p99", "p99_9", "most")),
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


def _drift(drift: Report) -> tuple[str, ...]:
    delays = (f"{drift[name]:.1f}" for name in ("apart_ms", "begin_ms", "end_ms"))
    return str(drift["calls"]), *delays, "yes" if drift["held"] else "no"


def _stall(stall: Report) -> tuple[str, ...]:
    moments = [each for name in NAMES for each in stall["result"][name]["moments"]]
    most_ms = max((each["max_ms"] for each in moments), default=0.0)
    return stall["name"], *(_back(stall[f"{name}_back_s"]) for name in NAMES), f"{most_ms:.0f}"


def _back(back_s: float | None) -> str:
    return "not yet" if back_s is None else f"{back_s:.1f}"


def _capacity(result: Report) -> tuple[str, ...]:
    late = (each for name in NAMES for each in (_ms(result[name]["beyond"]["p99"]), late_share(result[name])))
    return str(result["calls"]), *late, f"{result['core']:.0%}", "yes" if result["holds"] else "no"


def late_share(way: Report) -> str:
    """How much of a direction's frames came late or not at all."""
    return f"{(way['late'] + way['missing']) / way['said']:.2%}" if way["said"] else "none said"
