"""``relay bench node``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console

from relay.client import ClientError
from relay.dev.bench import machine
from relay.dev.bench.breaks import Breaks
from relay.dev.bench.bridge_command import MIN_S, NO_SECOND_CORE, PACKAGES, fail
from relay.dev.bench.cores import can_pin
from relay.dev.bench.ending import end_as_by_ctrl_c
from relay.dev.bench.load import SETTLE_S, LoadPlan
from relay.dev.bench.service import BUSY_MACHINE, CALLS_MAX, SERVE


def run(
    more: Annotated[list[int] | None, typer.Argument(metavar="", hidden=True)] = None,
    *,
    calls: Annotated[
        int, typer.Option(min=1, max=CALLS_MAX, metavar="N [N]...", help="Calls at once, one window each.")
    ] = 10,
    seconds: Annotated[float, typer.Option(min=MIN_S, help="Length of each window.")] = 10.0,
    settle: Annotated[float, typer.Option(min=0.1, help="Seconds before it.")] = SETTLE_S,
    jitter_ms: Annotated[float, typer.Option(min=0, help="Each frame of a phone waits for up to this.")] = 0.0,
    drift_ppm: Annotated[float, typer.Option(help="How much too fast the phones' clocks run.")] = 0.0,
    capacity_step: Annotated[int, typer.Option(min=0, help="More and more calls, by so many; 0: not.")] = 0,
    capacity_max: Annotated[int, typer.Option(min=1, max=CALLS_MAX, help="And at most so many.")] = CALLS_MAX,
    admission: Annotated[
        bool, typer.Option("--admission", help="Let the service refuse calls when its core is busy, as it does.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write everything.")] = None,
    page: Annotated[Path | None, typer.Option(help="Where to write the tables as a page.")] = None,
) -> None:
    """Calls through a whole service, its workers and their sockets, markers both ways: delay, loss, CPU, memory."""
    if not sys.platform.startswith("linux"):
        fail(f"expected Linux, whose epoll and timerfd the load stands on, got {sys.platform}")
    from relay.dev.bench import node, node_report  # noqa: PLC0415 - where the load is not built, help is still there
    from relay.dev.bench.phones import LoadError  # noqa: PLC0415

    end_as_by_ctrl_c()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    here, busy = machine.describe(PACKAGES), machine.busy()
    plan = LoadPlan(jitter_ms=jitter_ms, drift_ppm=drift_ppm)
    command = SERVE if admission else BUSY_MACHINE

    def setup(count: int) -> node.Setup:
        return node.Setup(count, seconds, settle, command)

    steps = range(capacity_step, capacity_max + 1, capacity_step) if capacity_step else ()
    console = Console(highlight=False)
    breaks, last_step = (Breaks(LoadError, ClientError, OSError) for _ in range(2))
    results = []
    with console.status("measures"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for count in (calls, *(more or ())):
            with breaks.noted(f"{count} calls"):
                results.append(runner.run(node.measure(setup(count), plan)))
        capacity = runner.run(node.measure_capacity([setup(count) for count in steps], last_step))
    notes = () if can_pin() else (NO_SECOND_CORE,)
    values = node_report.node_report(
        sys.argv[2:],
        here,
        busy=busy,
        results=results,
        capacity=capacity,
        notes=notes,
        broke=(*breaks.found, *last_step.found),
    )
    for table in node_report.for_terminal(values):
        console.print(table)
    for note in values["notes"]:
        console.print(f"- {note}")
    if page is not None:
        page.write_text(node_report.as_markdown(values))
    if json_file is not None:
        json_file.write_text(json.dumps(values, indent=1) + "\n")
    if breaks.found:
        fail("; ".join(breaks.found))
