"""Owns the description of where numbers come from: machine, versions and compiler. Needs Linux for most of it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import pathlib
import platform
import re
import time
from collections.abc import Iterable

from relay import _codec

PACKAGES = ("numpy", "soxr", "pipecat-ai", "audioop-lts", "pybase64", "orjson", "scipy", "pesq", "g711")


def describe(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return everything that a number depends on, by name; of ``packages`` those that are installed."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not visible",
        "load at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "a million additions in Python": f"{additions_ms():.0f} ms",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler of the codec": compiler(),
        "instruction sets": ", ".join(_codec.instruction_sets()),
        **{name: version for name in packages if (version := _version(name))},
    }


def busy(seconds: float = 1.0) -> float:
    """How much of all cores is taken at the moment, by whatever runs."""
    before = _jiffies()
    time.sleep(seconds)
    idle, whole = (after - earlier for after, earlier in zip(_jiffies(), before, strict=True))
    return 1 - idle / whole


def _jiffies() -> tuple[int, int]:
    values = [int(each) for each in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return values[3] + values[4], sum(values)


def additions_ms() -> float:
    """How long a loop takes that needs nothing but a core, at its fastest of five: a core may be slow for a while."""
    return min(_additions_ns() for _ in range(5)) / 1e6


def _additions_ns() -> int:
    began_ns = time.perf_counter_ns()
    total = 0
    for number in range(1_000_000):
        total += number
    return time.perf_counter_ns() - began_ns


def processor() -> str:
    """Return the processor's name, as Linux has it."""
    names = re.findall(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()


def compiler() -> str:
    """Return the compiler that built the extension in use, from the note that it left there."""
    built = pathlib.Path(_codec.__file__).read_bytes()
    notes: list[bytes] = re.findall(rb"GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+", built)
    return notes[0].decode() if notes else "unknown"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def _first_line(path: str) -> str:
    return _read(path).partition("\n")[0]
