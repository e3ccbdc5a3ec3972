"""
Shows what the gate's verdict on times is worth: how often it is wrong, and how often it finds what is planted.

    python -m benchmarks.gate.self_check [--runs 20] [--planted 20]

Runs of this tree against itself, whose every alarm is false; and against a copy whose codec takes ten percent more
instructions. It prints the table of docs/gate.md.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from benchmarks.gate.plants import plant_instructions
from benchmarks.gate.report import bound_of
from benchmarks.gate.statistic import Slowdown
from benchmarks.gate.trees import copy_here, make_ready
from benchmarks.gate.versus import LAUNCHES, QUADS, compare

TENTH: Final = 460
"""Instructions: a tenth of what a fused call takes with AVX2, by benchmarks/instruction_budget.json."""


def table(title: str, runs: Sequence[Sequence[Slowdown]]) -> str:
    """One row for each path: what the runs found, and how many of them closed the gate."""
    lines = [
        f"{title}, {len(runs)} runs:",
        "",
        "| per frame | us | slower by, median (least to most) | at least, median (least to most) | bound | beyond it |",
        "|---|---|---|---|---|---|",
    ]
    for each in zip(*runs, strict=True):
        path, bound = each[0].path, bound_of(each[0].path)
        now_us = statistics.median(run.now_us for run in each)
        found = [_spread([run.estimate for run in each]), _spread([run.lower for run in each])]
        beyond = sum(run.is_beyond(bound) for run in each)
        lines.append(f"| {path} | {now_us:.2f} | {' | '.join(found)} | {bound:.0%} | {beyond} of {len(each)} |")
    closed = sum(any(each.is_beyond(bound_of(each.path)) for each in run) for run in runs)
    return "\n".join([*lines, "", f"The gate closed in {closed} of {len(runs)}."])


def _spread(shares: Sequence[float]) -> str:
    return f"{statistics.median(shares):+.1%} ({min(shares):+.1%} to {max(shares):+.1%})"


def _repeat(title: str, run: Callable[[], Sequence[Slowdown]], runs: int) -> None:
    results: list[Sequence[Slowdown]] = []
    for _ in range(runs):
        results.append(run())
        print(".", end="", flush=True)
    if results:
        print(f"\n\n{table(title, results)}\n", flush=True)


def main() -> None:
    """Build, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.self_check", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of this tree against itself (%(default)s)")
    parser.add_argument("--planted", type=int, default=20, help="runs with the plant (%(default)s)")
    parser.add_argument("--launches", type=int, default=LAUNCHES, help="(%(default)s)")
    parser.add_argument("--quads", type=int, default=QUADS, help="(%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        base, here, slow = (pathlib.Path(directory, name) for name in ("base", "here", "slow"))
        for tree in (base, here, slow):
            copy_here(tree)
        plant_instructions(slow, TENTH)
        make_ready((base, here, slow))
        turns = {"launches": arguments.launches, "quads": arguments.quads}
        _repeat("The same tree twice", partial(compare, base, here, **turns), arguments.runs)
        title = f"The codec with {TENTH} instructions a frame more"
        _repeat(title, partial(compare, base, slow, **turns), arguments.planted)


if __name__ == "__main__":
    main()
