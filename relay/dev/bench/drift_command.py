"""``relay bench drift``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table

from relay.dev.bench import machine
from relay.dev.bench.drift import CASES, LONGEST_S, SETTLED_S, DriftResult, simulate

HEAD: Final = ("ppm", "jitter", "apart", "first", "last", "most", "underruns", "concealed", "held")
TITLE: Final = "ms; apart: the clocks; at first, at last and at most: the delay beyond its target"


def run(
    *,
    seconds: Annotated[float, typer.Option(min=SETTLED_S + 2 * LONGEST_S, help="Of the simulated call.")] = 3600.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write everything.")] = None,
) -> None:
    """A carrier's clock 300 ppm fast and slow, for an hour that is simulated: the delay beyond its target."""
    results = [simulate(ppm, jitter_ms, seconds) for ppm, jitter_ms in CASES]
    console = Console(highlight=False, markup=False)
    table = Table(*(Column(each, no_wrap=True) for each in HEAD), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title, table.title_justify = TITLE, "left"
    for each in results:
        table.add_row(*_row(each))
    console.print(table)
    if json_file is not None:
        command = shlex.join(["relay", "bench", *sys.argv[2:]])
        values = {"mode": "drift", "command": command, "machine": machine.describe(("relay",))}
        json_file.write_text(json.dumps({**values, "results": [each.as_dict() for each in results]}, indent=1) + "\n")


def _row(result: DriftResult) -> tuple[str, ...]:
    delay = result.delay
    return (
        *(f"{result.drift_ppm:+.0f}", f"{result.jitter_ms:.0f}", f"{delay.apart_ms:.0f}"),
        *(f"{each:.1f}" for each in (delay.begin_ms, delay.end_ms, result.most_ms)),
        *(str(result.underruns), f"{result.concealed_ms:.0f}", "yes" if delay.held else "no"),
    )
