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
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias

from benchmarks import instructions as fused
from benchmarks.gate.delays import all_delays
from benchmarks.gate.instruction_driver import FRAMES, REPORTS, SEGMENTS
from benchmarks.instructions import read_total
from relay._codec import instruction_set
from relay.dev.bench.machine import compiler

ROOT: Final = pathlib.Path(__file__).parents[2]
BUDGET: Final = pathlib.Path(__file__).parents[1] / "frame_budget.json"
DELAYS: Final = pathlib.Path(__file__).parents[1] / "delay_budget.json"
TOLERANCE: Final = 0.01
"""Of instructions of a frame: docs/gate.md says by how much runs differ."""
TOLERANCE_OF_REPORTS: Final = 0.03
"""Of instructions of a report: there are few, and runs differ by more."""
TOLERANCE_ELSEWHERE: Final = 0.25
"""Of instructions and allocations, with another compiler or another build of Python than the budget's."""
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


@dataclass(frozen=True, slots=True)
class Budget:
    """What a frame may take, and what that was counted with."""

    counted_with: str
    instructions: Counts
    allocations: Counts

    @classmethod
    def of_this_python(cls) -> Budget | None:
        """That of this minor version, if there is one."""
        found = json.loads(BUDGET.read_text()).get(python_minor())
        return cls(**found) if found else None


def python_minor() -> str:
    """Whose budgets hold."""
    return ".".join(platform.python_version_tuple()[:2])


def counted_with() -> str:
    """What decides how many instructions the same source is: the interpreter and how it was built, and the compiler."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = [option for option in ("--enable-optimizations", "--with-lto") if option in options]
    python = f"Python {platform.python_version()} by {platform.python_compiler()}"
    return ", ".join([" ".join([python, *optimised]), compiler()])


def count_instructions(tree: pathlib.Path = ROOT) -> dict[str, int]:
    """
    Per frame, in and out, and per report of a bridge, of the relay in ``tree``.

    Raises:
        RuntimeError: it does not run under valgrind.
    """
    with tempfile.TemporaryDirectory() as directory:
        out, library = pathlib.Path(directory, "out"), _counters(pathlib.Path(directory))
        valgrind = ["valgrind", "--tool=callgrind", "--dump-before=getpriority", f"--callgrind-out-file={out}"]
        if b"from here on" in library.read_bytes():
            valgrind.append("--instr-atstart=no")
        _run([*valgrind, sys.executable, "-m", "benchmarks.gate.instruction_driver", str(library)], tree)
        # Each call ends a part: what is before the first segment, the segment, what is between, and so on.
        counted = range(2, 2 * (len(SEGMENTS) + REPORTS) + 1, 2)
        both, inward, *reports = (read_total(pathlib.Path(f"{out}.{part}").read_text()) for part in counted)
    counts = {"in": inward / FRAMES, "out": (both - inward) / FRAMES, "report": sum(reports) / REPORTS}
    return {f"{name}, {instruction_set()}": round(count) for name, count in counts.items()}


def steady_counts(tree: pathlib.Path = ROOT, frames: int = 1000) -> dict[str, Counts]:
    """
    Of ``frames`` frames each way: ``steady``, what is allocated and what stays; ``bridge``, delays in samples.

    Raises:
        RuntimeError: it does not run, or there is no C compiler.
    """
    with tempfile.TemporaryDirectory() as directory:
        said = _run(
            [sys.executable, "-m", "benchmarks.gate.steady", str(_counters(pathlib.Path(directory))), str(frames)], tree
        )
    counted: dict[str, Counts] = json.loads(said)
    return counted


def _counters(directory: pathlib.Path) -> pathlib.Path:
    library = directory / "counters.so"
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    include = f"-I{sysconfig.get_path('include')}"
    source = pathlib.Path(__file__).parent / "counters.c"
    undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    _run([*command, "-O2", "-shared", "-fPIC", *undefined, include, str(source), "-o", str(library)], ROOT)
    return library


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


def look(budget: Budget | None, instructions: Counts, steady: Counts) -> Iterator[Finding]:
    """Hold counts to the budget of this Python, or to nothing where it has none."""
    elsewhere = budget is not None and budget.counted_with != counted_with()
    for name, count in instructions.items():
        allowed = budget.instructions.get(name) if budget else None
        tolerance = TOLERANCE_OF_REPORTS if name.startswith("report") else TOLERANCE
        yield _held(f"instructions, {name}", count, allowed, TOLERANCE_ELSEWHERE if elsewhere else tolerance)
    for name, count in steady.items():
        what = f"{name}, 1,000 frames"
        if name.startswith("allocations"):
            allowed = budget.allocations.get(name) if budget else None
            yield _held(what, count, allowed, TOLERANCE_ELSEWHERE if elsewhere else 0.0)
        else:
            most = WAITS_MAX if name.startswith("waits") else 0
            yield Finding(what, str(count), str(most), "" if count <= most else "more than there may be")


def _held(name: str, count: int, allowed: int | None, tolerance: float) -> Finding:
    if allowed is None:
        return Finding(name, str(count), "none yet")
    problem = (
        "" if count <= allowed * (1 + tolerance) else f"{count / allowed - 1:+.2%}, and {tolerance:.0%} is allowed"
    )
    return Finding(name, str(count), str(allowed), problem)


def look_at_delays(budget: Mapping[str, str], delays: Mapping[str, str]) -> Iterator[Finding]:
    """Hold every delay to the table, to the sample: less is a change, too, and one that nobody may miss."""
    for name in sorted(budget.keys() | delays.keys()):
        now, then = delays.get(name, "not there"), budget.get(name, "none yet")
        if now != then:
            yield Finding(f"delay, {name}", now, then, "another delay")
    bridge = ", ".join(f"{name[7:]} {samples}" for name, samples in delays.items() if name.startswith("bridge "))
    yield Finding("delay through the bridge", bridge, bridge)
    yield Finding("delays of the codec, to the sample", f"{len(delays)} looked at", f"{len(budget)}")


def look_at_fused(budget: fused.Budget, now: fused.Budget) -> Iterator[Finding]:
    """Hold each fused path to what benchmarks.instructions allows it."""
    problems = {problem.split(":")[0]: problem.split(": ", 1)[1] for problem in fused.broken(budget, now)}
    for name, count in now.instructions.items():
        allowed = budget.instructions.get(name)
        yield Finding(f"instructions a call, {name}", str(count), str(allowed or "none"), problems.get(name, ""))


def findings() -> list[Finding]:
    """Count, and compare with the budgets."""
    has_valgrind = shutil.which("valgrind") is not None
    none = Finding("note: instructions", "not counted, as valgrind is not installed (Debian: valgrind)", "-")
    calls = look_at_fused(fused.Budget.read(fused.BUDGET), fused.count_now()) if has_valgrind else [none]
    instructions, steady, delays = count_now()
    return [
        *calls,
        *look(Budget.of_this_python(), instructions, steady),
        *look_at_delays(json.loads(DELAYS.read_text()), delays),
    ]


def update() -> None:
    """Make what is counted now the budget of this Python, and the table of delays."""
    instructions, steady, delays = count_now()
    budgets = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    allocations = {name: count for name, count in steady.items() if name.startswith("allocations")}
    budgets[python_minor()] = asdict(Budget(counted_with(), instructions, allocations))
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
