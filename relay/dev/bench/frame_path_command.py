"""``relay bench frame-path``: the driver is the regression gate's, which is in a checkout and not in the wheel."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from relay.dev.bench import machine

CANNOT_RUN: Final = 2
CHECKOUT: Final = Path(__file__).parents[3]
DRIVER: Final = "benchmarks.gate.frame_path"


def run(
    *,
    frames: Annotated[int, typer.Option(min=1, help="In a batch.")] = 2000,
    batches: Annotated[int, typer.Option(min=1)] = 20,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write everything.")] = None,
) -> None:
    """A frame through a whole bridge each way, in process, without a socket or a real clock: CPU time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results = asyncio.run(_measure(_driver(), frames, batches))
    for name, times_us in results.items():
        least_us, most_us = min(times_us), max(times_us)
        median_us = statistics.median(times_us)
        print(f"{name:3}  {median_us:7.2f} us a frame, median of {batches} batches ({least_us:.2f} to {most_us:.2f})")
    if json_file is not None:
        command = shlex.join(["relay", "bench", *sys.argv[2:]])
        values = {"mode": "frame-path", "command": command, "machine": machine.describe(("relay", "websockets"))}
        json_file.write_text(json.dumps({**values, "frames": frames, "us_per_frame": results}, indent=1) + "\n")


def _driver() -> Any:
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    try:
        return importlib.import_module(DRIVER)
    except ModuleNotFoundError as error:
        if error.name is None or not DRIVER.startswith(error.name):
            raise
        print(f"relay bench: expected {DRIVER}, which a checkout has and the wheel has not", file=sys.stderr)
        raise typer.Exit(CANNOT_RUN) from None


async def _measure(driver: Any, frames: int, batches: int) -> dict[str, list[float]]:
    path = await driver.FramePath.open()
    try:
        made = [path.run(frames, time.thread_time_ns) for _ in range(batches)]
    finally:
        await path.close()
    return {"in": [each.in_us for each in made], "out": [each.out_us for each in made]}
