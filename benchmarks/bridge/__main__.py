"""Measures the bridge's CPU per frame beside an echo's, and the delay it adds: ``python -m benchmarks.bridge``."""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import sys

from benchmarks.bridge.cpu import measure_cpu
from benchmarks.bridge.delay import measure_delay
from benchmarks.bridge.report import BridgeReport
from benchmarks.bridge.server import LOAD_CORE, pin
from relay.dev.bench import machine

DELAY_CALLS = (1, 50)


def run(*, seconds: int, rounds: int, calls: list[int], command: str) -> BridgeReport:
    """Measure everything; what comes first is the description, before the load of the run itself."""
    here = machine.describe()
    busy_before = machine.busy()
    pin(LOAD_CORE)
    delays = []
    for microphone_ptime_ms in (20, 10):
        for number in DELAY_CALLS:
            print(f"delay, {number} calls, {microphone_ptime_ms} ms", file=sys.stderr)
            delays.append(measure_delay(number, seconds=2 * seconds, microphone_ptime_ms=microphone_ptime_ms))
    cpu = []
    for number in calls:
        print(f"CPU, {number} calls", file=sys.stderr)
        cpu.append(measure_cpu(number, seconds=seconds, rounds=rounds))
    return BridgeReport(command, here, cpu, delays, busy_before)


def main() -> None:
    """Run and write the page."""
    if not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2:
        sys.exit("benchmarks.bridge: expected Linux with two cores, one for the server and one for the load")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bridge", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each window (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server (%(default)s)")
    parser.add_argument("--bridges", type=int, nargs="+", default=[40, 300], help="calls at once (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="file to write the page to, else it is printed")
    arguments = parser.parse_args()
    command = shlex.join(["python", "-m", "benchmarks.bridge", *sys.argv[1:]])
    report = run(seconds=arguments.seconds, rounds=arguments.rounds, calls=arguments.bridges, command=command)
    if arguments.out is None:
        print(report.as_markdown())
    else:
        arguments.out.write_text(report.as_markdown())


if __name__ == "__main__":
    main()
