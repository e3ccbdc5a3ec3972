"""Owns the plots of a report, as SVG, by matplotlib: the one module that imports it. The extra ``bench`` brings it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")  # no display is needed
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from relay.dev.bench.direction import LATE_MS

DIRECTIONS: Final = {"agent_to_room": ("agent to room", "#1570ef"), "room_to_agent": ("room to agent", "#dc6803")}
_SIZE_INCHES: Final = (8, 4.5)
_LINES: Final = ("-", "--", ":", "-.")


def write_plots(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the report has; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    if report["results"]:
        written.append(_draw(folder / "distribution.svg", lambda axes: _distribution(axes, report["results"])))
    for number, stall in enumerate(report["stalls"], 1):
        written.append(_draw(folder / f"stall-{number}.svg", lambda axes, each=stall: _over_time(axes, each)))
    if report["capacity"]:
        written.append(_draw(folder / "capacity.svg", lambda axes: _capacity(axes, report["capacity"])))
    return written


def _draw(path: Path, draw: Any) -> Path:
    figure, axes = plt.subplots(figsize=_SIZE_INCHES, layout="constrained")
    draw(axes)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path)
    plt.close(figure)
    return path


def _distribution(axes: Axes, results: Sequence[Mapping[str, Any]]) -> None:
    for number, result in enumerate(results):
        for name, (title, color) in DIRECTIONS.items():
            values = result[name]["quantiles_ms"]
            shares = [100 * point / (len(values) - 1) for point in range(len(values))]
            style = _LINES[number % len(_LINES)]
            axes.plot(values, shares, color=color, linestyle=style, label=f"{title}, {result['calls']} calls")
    axes.set(
        title="Delay that the relay adds to a frame, filters and jitter target aside",
        xlabel="ms",
        ylabel="% of frames within it",
        ylim=(0, 100),
    )


def _over_time(axes: Axes, stall: Mapping[str, Any]) -> None:
    for name, (title, color) in DIRECTIONS.items():
        moments = stall["result"][name]["moments"]
        at_s = [each["at_s"] for each in moments]
        axes.plot(at_s, [each["p50_ms"] for each in moments], color=color, label=title)
        axes.fill_between(
            at_s, [each["p50_ms"] for each in moments], [each["max_ms"] for each in moments], color=color, alpha=0.15
        )
        if any(each["target_ms"] for each in moments):
            targets = [each["target_ms"] for each in moments]
            axes.plot(at_s, targets, color=color, linestyle=":", label="jitter target")
    axes.set(title=f"Delay when {stall['name']}", xlabel="s", ylabel="ms, median to greatest of 0.1 s", ylim=(0, None))


def _capacity(axes: Axes, results: Sequence[Mapping[str, Any]]) -> None:
    calls = [result["calls"] for result in results]
    for name, (title, color) in DIRECTIONS.items():
        late_ms = [result[name]["beyond"]["p99"] for result in results]
        axes.plot(calls, late_ms, color=color, marker="o", label=f"{title}, p99")
    axes.axhline(LATE_MS, color="#b42318", linewidth=1, label=f"late: {LATE_MS:g} ms")
    axes.set(title="More and more calls on one core", xlabel="calls", ylabel="ms, filters and jitter target aside")
    core = axes.twinx()
    core.plot(calls, [100 * result["core"] for result in results], color="#98a2b3", linestyle="--", label="core")
    core.set(ylabel="% of the server's core (dashed)", ylim=(0, 105))
