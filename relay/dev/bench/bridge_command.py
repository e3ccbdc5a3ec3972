"""``relay bench bridge``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from relay._codec import RATES_HZ
from relay.dev.bench import machine
from relay.dev.bench.breaks import Breaks
from relay.dev.bench.cores import can_pin
from relay.dev.bench.load import SETTLE_S, LoadPlan

CANNOT_RUN: Final = 2
MIN_S: Final = 1.5
"""The last second of a window is not counted."""
PACKAGES: Final = ("relay", "uvloop", "websockets", "orjson")
NO_SECOND_CORE: Final = "no second core: the load takes part of the server's, and its figures are not to be compared"
NO_MATPLOTLIB: Final = 'no plots: matplotlib is not installed (pip install "relay[bench]")'


def run(
    more: Annotated[list[int] | None, typer.Argument(metavar="", hidden=True)] = None,
    *,
    calls: Annotated[int, typer.Option(min=1, metavar="N [N]...", help="Calls at once, one window each.")] = 40,
    seconds: Annotated[float, typer.Option(min=MIN_S, help="Length of each window.")] = 10.0,
    settle: Annotated[float, typer.Option(min=0.1, help="Seconds before it.")] = SETTLE_S,
    rate_hz: Annotated[int, typer.Option(help=f"Of the rooms: {', '.join(map(str, RATES_HZ))}.")] = 16000,
    microphone_ptime_ms: Annotated[int, typer.Option(help="Of the rooms: 10 or 20.")] = 20,
    jitter_ms: Annotated[float, typer.Option(min=0, help="Each frame of a phone waits for up to this.")] = 0.0,
    drift_ppm: Annotated[float, typer.Option(help="How much too fast the phones' clocks run.")] = 0.0,
    stalls: Annotated[bool, typer.Option("--stalls", help="Measure what a stall does to the delay, too.")] = False,
    capacity_step: Annotated[int, typer.Option(min=0, help="More and more calls, by so many; 0: not.")] = 0,
    capacity_max: Annotated[int, typer.Option(min=1, help="And at most so many.")] = 2000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write everything.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the plots.")] = None,
    page: Annotated[Path | None, typer.Option(help="Where to write the tables as a page.")] = None,
) -> None:
    """Bridges in one process, phones in another, markers both ways: delay, loss, CPU, memory."""
    if not sys.platform.startswith("linux"):
        fail(f"expected Linux, whose epoll and timerfd the load stands on, got {sys.platform}")
    if rate_hz not in RATES_HZ or microphone_ptime_ms not in {10, 20}:
        fail(f"expected a rate of {RATES_HZ} and 10 or 20 ms, got {rate_hz} Hz and {microphone_ptime_ms} ms")
    from relay.dev.bench import bridge, report  # noqa: PLC0415 - where the load is not built, this help is still there

    here, busy = machine.describe(PACKAGES), machine.busy()
    notes = () if can_pin() else (NO_SECOND_CORE,)
    plan = LoadPlan(jitter_ms=jitter_ms, drift_ppm=drift_ppm)
    setup = bridge.Setup(calls, seconds, settle, rate_hz, microphone_ptime_ms)
    console = Console(highlight=False, markup=False)
    breaks, last_step = (Breaks(bridge.LoadError, OSError) for _ in range(2))
    results, stalled, steps = [], [], []
    with console.status("measures"):
        for each in (calls, *(more or ())):
            with breaks.noted(f"{each} calls"):
                results.append(bridge.measure(replace(setup, calls=each), plan))
        if stalls:
            stalled = bridge.measure_stalls(setup, breaks)
        if capacity_step:
            steps = bridge.measure_capacity(setup, last_step, step=capacity_step, calls_max=capacity_max)
    values = report.bridge_report(
        sys.argv[2:],
        here,
        busy=busy,
        results=results,
        stalls=stalled,
        capacity=steps,
        notes=notes,
        broke=(*breaks.found, *last_step.found),
        drift_ppm=drift_ppm,
    )
    for table in report.for_terminal(values):
        console.print(table)
    drawn = _draw(values, plots) if plots is not None else []
    if page is not None:
        page.write_text(report.as_markdown(values, [os.path.relpath(each, page.parent) for each in drawn]))
    _keep(values, json_file)
    for note in values["notes"]:
        console.print(f"- {note}")
    if breaks.found:
        fail("; ".join(breaks.found))


def _keep(values: dict[str, Any], json_file: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(json.dumps(values, indent=1) + "\n")


def _draw(values: dict[str, Any], folder: Path) -> list[Path]:
    try:
        from relay.dev.bench.plots import write_plots  # noqa: PLC0415 - an extra's
    except ModuleNotFoundError:
        values["notes"].append(NO_MATPLOTLIB)
        return []
    return write_plots(values, folder)


def fail(message: str) -> NoReturn:
    """Say why nothing can be measured, and end."""
    print(f"relay bench: {message}", file=sys.stderr)
    raise typer.Exit(CANNOT_RUN)
