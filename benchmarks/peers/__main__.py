"""relay's bridge beside the floor and what one would pick instead, in one run: ``python -m benchmarks.peers``."""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks.peers.comparison import compare
from benchmarks.peers.contenders import CONTENDERS, PIPECAT_CALLS, Contender
from benchmarks.peers.report import PeersReport
from benchmarks.peers.venvs import PIPECAT
from benchmarks.rivals import Missing
from relay.dev.bench import machine
from relay.dev.bench.cores import LOAD_CORE, can_pin, pin

PACKAGES: Final = ("websockets", "uvloop")
SECONDS_MIN: Final = 1.5
"""The last second of a window has no delays."""


def run(
    calls: Sequence[int], *, rounds: int, seconds: float, contenders: Sequence[Contender], command: str
) -> PeersReport:
    """Measure everything; what comes first is the description, before the load of the run itself."""
    here = machine.describe(PACKAGES) | _pipecat()
    busy = machine.busy()
    pin(LOAD_CORE)
    return PeersReport(command, here, compare(calls, rounds=rounds, seconds=seconds, contenders=contenders), busy)


def _pipecat() -> dict[str, str]:
    try:
        return {PIPECAT.package: PIPECAT.version(PIPECAT.python())}
    except Missing:
        return {}  # the report says why it is not here where it would stand


def main() -> None:
    """Run and write the page, and the figures as JSON if a file for them is named."""
    if not sys.platform.startswith("linux") or not can_pin():
        sys.exit(f"benchmarks.peers: expected Linux and two cores, got {sys.platform} and {os.cpu_count()}")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--calls", type=int, nargs="+", default=[PIPECAT_CALLS, 300, 1000], help="at once (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender (%(default)s)")
    parser.add_argument("--seconds", type=float, default=6, help="of each window (%(default)s)")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS], metavar="NAME", help=", ".join(CONTENDERS)
    )
    parser.add_argument("--json", type=pathlib.Path, help="file for every turn's figures")
    parser.add_argument("--out", type=pathlib.Path, help="file to write the page to, else it is printed")
    arguments = parser.parse_args()
    if arguments.seconds < SECONDS_MIN:
        parser.error(f"--seconds: expected {SECONDS_MIN:g} or more, got {arguments.seconds:g}")
    report = run(
        arguments.calls,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        contenders=[CONTENDERS[name] for name in CONTENDERS if name in arguments.contenders],
        command=shlex.join(["python", "-m", "benchmarks.peers", *sys.argv[1:]]),
    )
    if arguments.json is not None:
        arguments.json.write_text(report.as_json())
    if arguments.out is None:
        print(report.as_markdown())
    else:
        arguments.out.write_text(report.as_markdown())


if __name__ == "__main__":
    main()
