"""Measures a frame with each carrier, as ``python -m benchmarks`` does too: ``python -m benchmarks.carriers``."""

from __future__ import annotations

import argparse
import pathlib
import shlex
import sys

from benchmarks.carriers.paths import measure_streams
from benchmarks.carriers.report import CarriersReport
from relay._codec import instruction_set
from relay.dev.bench import machine
from relay.dev.bench.measure import ROUNDS

PACKAGES = ("orjson",)


def main() -> None:
    """Run and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.carriers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each contender (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="file to write the page to, else it is printed")
    arguments = parser.parse_args()
    command = shlex.join(["python", "-m", "benchmarks.carriers", *sys.argv[1:]])
    here, busy = machine.describe(PACKAGES), machine.busy()
    results = measure_streams(arguments.rounds)
    page = CarriersReport(command, here, busy, instruction_set(), results).as_markdown()
    if arguments.out is None:
        print(page)
    else:
        arguments.out.write_text(page)


if __name__ == "__main__":
    main()
