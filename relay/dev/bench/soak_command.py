"""``relay bench soak``."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import structlog
import typer
import uvloop

from relay.client import ClientError
from relay.dev.bench.bridge_command import NO_MATPLOTLIB
from relay.dev.bench.ending import end_as_by_ctrl_c
from relay.dev.bench.service import BUSY_MACHINE, SERVE
from relay.dev.bench.soak import Plan, soak
from relay.dev.bench.soak_report import GROWTH_MAX, as_json, as_table, memory_series, verdicts

FAILED: Final = 1


def run(  # noqa: PLR0917 - typer's options are keywords
    minutes: Annotated[float, typer.Option(min=0.1, help="Over which the set-ups are spread.")] = 60.0,
    bridges: Annotated[int, typer.Option(min=1, max=60, help="Calls that carry audio all the time.")] = 20,
    set_ups: Annotated[int, typer.Option(min=20, help="Calls that come and go meanwhile.")] = 5000,
    calls_per_worker: Annotated[int, typer.Option(min=1, max=16, help="Calls that a worker carries in its life.")] = 16,
    growth_max: Annotated[float, typer.Option(min=0.0, help="Of memory, as a share.")] = GROWTH_MAX,
    busy_machine: Annotated[  # noqa: FBT002 - typer's flags are keywords
        bool, typer.Option("--busy-machine", help="Others use the machine: take calls however busy it is.")
    ] = False,
    out: Annotated[Path, typer.Option(help="A folder for what is found.")] = Path("soak-output"),
) -> None:
    """Carry calls for an hour while thousands come and go, and see that everything is as it was before."""
    end_as_by_ctrl_c()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    plan = Plan(
        minutes=minutes,
        bridges=bridges,
        set_ups=set_ups,
        calls_per_worker=calls_per_worker,
        command=BUSY_MACHINE if busy_machine else SERVE,
        out=out,
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            course = runner.run(soak(plan, lambda text: print(text, flush=True)))
    except (ClientError, aiohttp.ClientError, ConnectionError, TimeoutError, ExceptionGroup) as error:
        print(f"The soak came to nothing: {error!r}; see the logs in {out}")
        raise typer.Exit(FAILED) from error
    found = verdicts(course, growth_max=growth_max)
    table = as_table(course, found)
    (out / "soak.md").write_text(f"{table}\n")
    (out / "soak.json").write_text(as_json(course, found))
    print(table)
    try:
        from relay.dev.bench.plots import write_memory_plot  # noqa: PLC0415 - an extra's

        write_memory_plot(memory_series(course), out / "memory.svg")
    except ModuleNotFoundError:
        print(NO_MATPLOTLIB)
    if not all(each.holds for each in found):
        raise typer.Exit(FAILED)


if __name__ == "__main__":
    typer.run(run)
