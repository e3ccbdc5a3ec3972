"""Owns the comparison of C with C: builds ``native/kernels_bench.c`` with the codec and libsoxr, and runs it."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable

from relay.dev.bench.measure import PathResult

ROOT = pathlib.Path(__file__).parent.parent
FLAGS = ["-std=c11", "-O3", "-fno-trapping-math", "-fno-ipa-ra"]  # as in setup.py


PREFIX = "C against C "  # of the names of these paths


class Unavailable(Exception):
    """C cannot be compared with C here; the text says why."""


def native_name(in_rate_hz: int, out_rate_hz: int) -> str:
    """Return the name of the path between two rates."""
    return f"{PREFIX}{in_rate_hz // 1000}k -> {out_rate_hz // 1000}k"


def compare_with_soxr() -> list[PathResult]:
    """
    Time the filters and soxr in one process, without Python.

    Raises:
        Unavailable: there is no C compiler, or no libsoxr (Debian: libsoxr-dev).
    """
    with tempfile.TemporaryDirectory() as directory:
        program = pathlib.Path(directory, "kernels_bench")
        sources = [ROOT / "benchmarks/native/kernels_bench.c", *sorted((ROOT / "relay/native").glob("*.c"))]
        build = ["cc", *FLAGS, f"-I{ROOT / 'relay'}", "-o", str(program), *map(str, sources), "-lsoxr", "-lm"]
        try:
            built = subprocess.run(build, check=False, capture_output=True, text=True)
        except FileNotFoundError:
            raise Unavailable("there is no C compiler named cc") from None
        if built.returncode != 0:
            reason = next((line for line in built.stderr.splitlines() if "error" in line or "cannot find" in line), "")
            raise Unavailable(f"it does not build; Debian's libsoxr-dev is needed: {reason.strip()}")
        return read_turns(subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines())


def read_turns(lines: Iterable[str]) -> list[PathResult]:
    """Collect the program's lines by path and contender, in the order in which they come."""
    paths: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        in_rate_hz, out_rate_hz, contender, time_ns = line.split()
        name = native_name(int(in_rate_hz), int(out_rate_hz))
        paths[name][contender.replace("_", " ")].append(float(time_ns))
    return [PathResult(name, {who: tuple(ns) for who, ns in turns.items()}) for name, turns in paths.items()]
