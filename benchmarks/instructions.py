"""
Owns the gate on instruction counts: what one call of each fused path executes, against instruction_budget.json.

    python -m benchmarks.instructions --check       # exit status 1 if a path takes more than its budget allows
    python -m benchmarks.instructions --update      # write what it takes now as the budget

valgrind counts, so a busy machine changes nothing. A path is run N times and 2 N times; the difference is N calls,
without start-up and with the interpreter's part of a call. Counts belong to a compiler and a Python minor version:
with another of either, only a gross excess is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from benchmarks.instruction_driver import PATHS
from relay._codec import instruction_sets
from relay.dev.bench.machine import compiler

ROOT = pathlib.Path(__file__).parent.parent
BUDGET = pathlib.Path(__file__).parent / "instruction_budget.json"
INSTRUCTION_SETS = tuple(name for name in instruction_sets() if name != "portable")  # that one is for being right

CALLS = 500  # starting Python under valgrind takes as long
TOLERANCE = 0.05  # point releases of a compiler
TOLERANCE_ELSEWHERE = 0.25  # another compiler or Python minor version


@dataclass(frozen=True, slots=True)
class Budget:
    """Instructions per call, by "path, instruction set", and what they were counted with."""

    compiler: str
    python: str
    instructions: Mapping[str, int]

    @classmethod
    def read(cls, path: pathlib.Path) -> Budget:
        """Read the budget file."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: pathlib.Path) -> None:
        """Write the budget file."""
        path.write_text(json.dumps(asdict(self), indent=4) + "\n")

    def tolerance_for(self, now: Budget) -> float:
        """Return by which part a count may exceed this budget."""
        return TOLERANCE if (self.compiler, self.python) == (now.compiler, now.python) else TOLERANCE_ELSEWHERE


def broken(budget: Budget, now: Budget) -> Iterator[str]:
    """Say of every path that takes too much, or has no budget, what is wrong."""
    tolerance = budget.tolerance_for(now)
    for name, count in now.instructions.items():
        allowed = budget.instructions.get(name)
        if allowed is None:
            yield f"{name}: {count} instructions a call, and no budget"
        elif count > allowed * (1 + tolerance):
            yield (
                f"{name}: {count} instructions a call, {count / allowed - 1:+.1%} on the budget of {allowed}"
                f" (tolerance {tolerance:.0%})"
            )


def count_now(tree: pathlib.Path = ROOT, *, sets: Sequence[str] = INSTRUCTION_SETS) -> Budget:
    """Count every path in each of the instruction sets, of the relay in ``tree``."""
    jobs = [(chosen, doubled) for chosen in sets for doubled in (None, *PATHS)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        counts = dict(zip(jobs, threads.map(lambda job: _instructions_of_run(tree, *job), jobs), strict=True))
    per_call = {
        f"{path}, {chosen}": round((counts[chosen, path] - counts[chosen, None]) / CALLS)
        for chosen in sets
        for path in PATHS
    }
    return Budget(compiler(), _python_minor(), per_call)


def _instructions_of_run(tree: pathlib.Path, chosen: str, doubled: str | None) -> int:
    """Count a whole run of the driver, with twice the calls of the path ``doubled``."""
    calls = [str(CALLS * 2 if path == doubled else CALLS) for path in PATHS]
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory, "callgrind.out")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        # Hashes of strings decide how often a dictionary is probed: the same in every run.
        environment = os.environ | {"RELAY_INSTRUCTION_SET": chosen, "PYTHONHASHSEED": "0", "PYTHONPATH": str(tree)}
        driver = [sys.executable, "-m", "benchmarks.instruction_driver", *calls]
        done = subprocess.run(
            [*valgrind, *driver], check=False, cwd=tree, env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"expected the driver to run under valgrind, got status {done.returncode}:\n{done.stderr}"
            )
        return read_total(out.read_text())


def read_total(profile: str) -> int:
    """Return the instructions of a whole callgrind profile."""
    found = re.search(r"^(?:totals|summary): (\d+)$", profile, re.MULTILINE)
    if found is None:
        raise ValueError("expected a line 'totals: <count>' in callgrind's profile, got none")
    return int(found[1])


def _python_minor() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def check(budget: Budget, now: Budget) -> int:
    """Print the verdict; return the exit status."""
    if budget.tolerance_for(now) != TOLERANCE:
        print(
            f"the budget was counted with {budget.compiler}, Python {budget.python}; this is {now.compiler}, Python"
            f" {now.python}: tolerance {TOLERANCE_ELSEWHERE:.0%} instead of {TOLERANCE:.0%}"
        )
    for name, count in now.instructions.items():
        if count < budget.instructions.get(name, 0) * (1 - TOLERANCE):
            print(
                f"{name}: {count} instructions a call, well within {budget.instructions[name]}: tighten with --update"
            )
    problems = list(broken(budget, now))
    for problem in problems:
        print(problem)
    if problems:
        print(
            "The fused paths got slower. Find out what was added (valgrind --tool=callgrind, callgrind_annotate); if it"
            " is worth its price, run `python -m benchmarks.instructions --update` and say why in the commit."
        )
        return 1
    print("within budget: " + "; ".join(f"{name}: {count}" for name, count in now.instructions.items()))
    return 0


def main() -> int:
    """Count, then check or update."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="compare with the budget")
    what.add_argument("--update", action="store_true", help="make what is counted now the budget")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("not counted: valgrind is not installed (Debian: valgrind)")
        return 0
    now = count_now()
    if arguments.update:
        now.write(BUDGET)
        print(f"written: {BUDGET.relative_to(ROOT)}")
        return 0
    return check(Budget.read(BUDGET), now)


if __name__ == "__main__":
    sys.exit(main())
