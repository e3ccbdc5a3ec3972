"""
Owns the exact gates on a frame's whole way: instructions, allocations and delay, against committed budgets.

    python -m benchmarks.gate.exact --check [--tree TREE]     # exit status 1 if there is more of anything than allowed
    python -m benchmarks.gate.exact --update                  # make what is counted now the budget

Nothing here depends on how busy the machine is. Instructions and allocations belong to a Python minor version: each has
its own budgets, and one that has none is told and not refused. Delays are the same everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from benchmarks.gate.delays import all_delays
from benchmarks.gate.instruction_driver import FRAMES, SEGMENTS
from benchmarks.instructions import read_total
from relay._codec import instruction_set

ROOT: Final = pathlib.Path(__file__).parents[2]
BUDGET: Final = pathlib.Path(__file__).parents[1] / "frame_budget.json"
DELAYS: Final = pathlib.Path(__file__).parents[1] / "delay_budget.json"
TOLERANCE: Final = 0.02
"""Of instructions: runs differ by less than a thousandth, point releases of a compiler by more."""
WAITS_MAX: Final = 10
"""In a thousand frames: a page that is read from a disk is one, a sleep in each frame is a thousand."""

Counts: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure beside what it may be. ``problem`` is empty if it is within it."""

    name: str
    now: str
    budget: str
    problem: str = ""


def python_minor() -> str:
    """Whose budgets hold."""
    return ".".join(platform.python_version_tuple()[:2])


def count_instructions(tree: pathlib.Path = ROOT) -> dict[str, int]:
    """
    Per frame, in and out, of the relay in ``tree``.

    Raises:
        RuntimeError: it does not run under valgrind.
    """
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory, "out")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--dump-before=getpriority"]
        _run([*valgrind, sys.executable, "-m", "benchmarks.gate.instruction_driver"], tree)
        # Each call ends a part: before the first, the first segment, what is between, the second, and the rest.
        totals = [read_total(pathlib.Path(f"{out}.{2 * part + 2}").read_text()) for part in range(len(SEGMENTS))]
    both, inward = (round(total / FRAMES) for total in totals)
    return {f"in, {instruction_set()}": inward, f"out, {instruction_set()}": both - inward}


def steady_counts(tree: pathlib.Path = ROOT) -> dict[str, Counts]:
    """
    Of a thousand frames each way: ``steady``, what is allocated and what stays; ``bridge``, delays in samples.

    Raises:
        RuntimeError: it does not run, or there is no C compiler.
    """
    with tempfile.TemporaryDirectory() as directory:
        library = pathlib.Path(directory, "allocations.so")
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        include = f"-I{sysconfig.get_path('include')}"
        source = pathlib.Path(__file__).parent / "allocations.c"
        undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
        _run([*compiler, "-O2", "-shared", "-fPIC", *undefined, include, str(source), "-o", str(library)], ROOT)
        said = _run([sys.executable, "-m", "benchmarks.gate.steady", str(library)], tree)
    counted: dict[str, Counts] = json.loads(said)
    return counted


def _run(command: list[str], tree: pathlib.Path) -> str:
    """With the same hashes of strings in every run: they decide how often a dictionary is probed."""
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=False, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(
            f"expected {shlex.join(command[:4])} to succeed, got {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stdout


def count_now(tree: pathlib.Path = ROOT) -> tuple[Counts, Counts, dict[str, str]]:
    """What there is to compare: instructions (none without valgrind), what a thousand frames leave, and delays."""
    instructions = count_instructions(tree) if shutil.which("valgrind") else {}
    counted = steady_counts(tree)
    bridge = {f"bridge {direction}": f"{samples} samples" for direction, samples in counted["bridge"].items()}
    return instructions, counted["steady"], bridge | all_delays()


def look(budget: Mapping[str, Counts] | None, instructions: Counts, steady: Counts) -> Iterator[Finding]:
    """Hold counts to the budget of this Python, or to nothing where it has none."""
    budget = budget or {"instructions": {}, "allocations": {}}
    for name, count in instructions.items():
        allowed = budget["instructions"].get(name)
        problem = ""
        if allowed is not None and count > allowed * (1 + TOLERANCE):
            problem = f"{count / allowed - 1:+.1%}, and {TOLERANCE:.0%} are allowed"
        yield Finding(
            f"instructions a frame, {name}", str(count), "none yet" if allowed is None else str(allowed), problem
        )
    for name, count in steady.items():
        if not name.startswith("allocations"):
            most = WAITS_MAX if name.startswith("waits") else 0
            problem = "" if count <= most else "more than there may be"
            yield Finding(f"{name}, 1,000 frames", str(count), str(most), problem)
            continue
        allowed = budget["allocations"].get(name)
        problem = "" if allowed is None or count <= allowed else f"{count - allowed} more"
        yield Finding(f"{name}, 1,000 frames", str(count), "none yet" if allowed is None else str(allowed), problem)


def look_at_delays(budget: Mapping[str, str], delays: Mapping[str, str]) -> Iterator[Finding]:
    """Hold every delay to the table, to the sample: less is a change, too, and one that nobody may miss."""
    for name in sorted(budget.keys() | delays.keys()):
        now, then = delays.get(name, "not there"), budget.get(name, "none yet")
        if now != then:
            yield Finding(f"delay, {name}", now, then, "another delay")
    bridge = ", ".join(f"{name[7:]} {samples}" for name, samples in delays.items() if name.startswith("bridge "))
    yield Finding("delay through the bridge", bridge, bridge)
    yield Finding("delays of the codec, to the sample", f"{len(delays)} looked at", f"{len(budget)}")


def findings(tree: pathlib.Path = ROOT) -> list[Finding]:
    """Count, and compare with the budgets."""
    instructions, steady, delays = count_now(tree)
    budgets = json.loads(BUDGET.read_text())
    return [
        *look(budgets.get(python_minor()), instructions, steady),
        *look_at_delays(json.loads(DELAYS.read_text()), delays),
    ]


def update() -> None:
    """Make what is counted now the budget of this Python, and the table of delays."""
    instructions, steady, delays = count_now()
    budgets = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    allocations = {name: count for name, count in steady.items() if name.startswith("allocations")}
    budgets[python_minor()] = {"instructions": instructions, "allocations": allocations}
    BUDGET.write_text(json.dumps(budgets, indent=4, sort_keys=True) + "\n")
    DELAYS.write_text(json.dumps(delays, indent=4) + "\n")


def main() -> int:
    """Count, then check or update."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.exact", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="compare with the budgets")
    what.add_argument("--update", action="store_true", help="make what is counted now the budgets")
    if parser.parse_args().update:
        update()
        return 0
    found = findings()
    for each in found:
        print(f"{each.name}: {each.now} (budget: {each.budget}) {each.problem}".rstrip())
    return int(any(each.problem for each in found))


if __name__ == "__main__":
    sys.exit(main())
