"""Runs every benchmark and writes the report: ``python -m benchmarks [--output DIR]``, or ``scripts/bench``."""

from __future__ import annotations

import argparse
import pathlib
import shlex
import sys

from benchmarks import native, paths, plot, quality
from benchmarks.carriers.paths import measure_streams
from benchmarks.quality import QualityResult
from benchmarks.report import Report
from benchmarks.rivals import Missing
from benchmarks.signal_figures import signal_figures
from relay.dev.bench import machine
from relay.dev.bench.measure import ROUNDS, PathResult, measure

RESULTS = pathlib.Path(__file__).parent / "results"


def run(rounds: int, command: str) -> Report:
    """Measure everything that can be measured here, and say what cannot."""
    here = machine.describe()
    left_out: list[str] = []
    print("paths", file=sys.stderr)
    results = measure(list(paths.all_paths()), rounds) + _compared_in_c(left_out)
    scores = _scores(left_out)
    print("signal", file=sys.stderr)
    signal = signal_figures()
    print("carriers", file=sys.stderr)
    return Report(command, here, results, scores, signal, left_out, measure_streams(rounds))


def _compared_in_c(left_out: list[str]) -> list[PathResult]:
    print("C against C", file=sys.stderr)
    try:
        return native.compare_with_soxr()
    except native.Unavailable as reason:
        left_out.append(f"C against C: {reason}")
        return []


def _scores(left_out: list[str]) -> list[QualityResult]:
    print("quality", file=sys.stderr)
    try:
        return quality.measure_quality()
    except Missing as reason:
        left_out.append(f"quality: {reason}")
        return []


def main() -> None:
    """Run, and write report.md, report.json, ratios.svg and ratios_c.svg."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="folder to write into (%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each contender (%(default)s)")
    arguments = parser.parse_args()
    report = run(arguments.rounds, shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]))
    report.write(arguments.output)
    where = f"{report.machine['processor']}, {report.machine['Python']}, {report.machine['date']}"
    try:
        _draw(report, arguments.output, where)
    except Missing as reason:
        print(f"no plots: {reason}", file=sys.stderr)
    print(f"written: report.md, report.json and plots in {arguments.output}")


def _draw(report: Report, folder: pathlib.Path, where: str) -> None:
    """Draw what a Python program sees, and C against C, apart."""
    in_c = [result for result in report.results if result.name.startswith(native.PREFIX)]
    from_python = [result for result in report.results if result not in in_c]
    plot.draw(from_python, folder / "ratios.svg", where)
    if in_c:
        plot.draw(in_c, folder / "ratios_c.svg", where)


if __name__ == "__main__":
    main()
