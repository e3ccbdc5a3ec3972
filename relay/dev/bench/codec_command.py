"""``relay bench codec``."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table

from relay.dev.bench import machine
from relay.dev.bench.codec import codec_paths
from relay.dev.bench.measure import ROUNDS, PathResult, measure


def run(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each.")] = ROUNDS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write everything.")] = None,
) -> None:
    """A frame through the codec, in each instruction set, beside the standard library: CPU time."""
    results = measure(codec_paths(), rounds, clock=time.thread_time)
    rows = [row for result in results for row in _rows(result)]
    console = Console(highlight=False, markup=False)
    columns = (Column(each, no_wrap=True) for each in ("path", "by", "ns", "least to most", "times"))
    table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(
            row["path"],
            row["by"],
            f"{row['ns']:.0f}",
            f"{row['least_ns']:.0f} to {row['most_ns']:.0f}",
            f"{row['ratio']:.2f}",
        )
    console.print(table)
    notes = sorted({note for result in results for note in result.missing})
    for note in notes:
        console.print(f"- {note}")
    if json_file is not None:
        command = shlex.join(["relay", "bench", *sys.argv[2:]])
        values = {"mode": "codec", "command": command, "machine": machine.describe(("relay",)), "notes": notes}
        json_file.write_text(json.dumps({**values, "results": rows}, indent=1) + "\n")


def _rows(result: PathResult) -> list[dict[str, Any]]:
    rows = []
    for name in result.rounds_ns:
        took, ratio = result.time_ns(name), result.ratio(name)
        values = {"ns": took.median, "least_ns": took.least, "most_ns": took.most, "ratio": ratio.median}
        rows.append({"path": result.name, "by": name, **values})
    return rows
