"""Owns the picture of a run: how many times as long as the codec each rival takes."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from benchmarks.rivals import package
from relay.dev.bench.measure import OURS, PathResult

FAMILIES = {"Pipecat": "#b2457a", "soxr": "#2f6db3", "audioop": "#d98c21", "numpy": "#5b9a4b", "": "#7d7d7d"}
BAR_IN = 0.19  # inches of height a bar; labels of 7 points fit


def draw(results: Sequence[PathResult], path: pathlib.Path, machine: str) -> None:
    """
    Draw a bar for every rival, on a logarithmic axis, with the range over the rounds as a whisker.

    Raises:
        Missing: matplotlib is not installed.
    """
    package("matplotlib").use("svg" if path.suffix == ".svg" else "agg")
    pyplot = package("matplotlib.pyplot")
    drawn = [(result, rivals) for result in results if (rivals := _rivals(result))]
    rows = sum(len(rivals) + 1 for _, rivals in drawn)
    figure, axes = pyplot.subplots(figsize=(10, rows * BAR_IN + 1.2), layout="constrained")
    position = 0.0
    ticks: list[tuple[float, str]] = []
    for result, rivals in drawn:
        ticks.append((position + (len(rivals) - 1) / 2, result.name))
        for rival in rivals:
            _draw_bar(axes, position, rival, result)
            position += 1
        position += 1
    _finish_axes(axes, ticks, position, machine)
    figure.savefig(path)
    pyplot.close(figure)


def _rivals(result: PathResult) -> list[str]:
    return [who for who in result.rounds_ns if not who.startswith(OURS.rstrip())]


def _draw_bar(axes: Any, position: float, rival: str, result: PathResult) -> None:
    ratio = result.ratio(rival)
    colour = next(colour for family, colour in FAMILIES.items() if family in rival)
    whisker = [[ratio.median - ratio.least], [ratio.most - ratio.median]]
    style = {"ecolor": "#333333", "elinewidth": 0.7, "capsize": 1.5}
    axes.barh(position, ratio.median - 1, left=1, height=0.8, color=colour, xerr=whisker, error_kw=style)
    label = f"{rival}  {ratio.median:.3g}x"
    axes.text(ratio.most * 1.06, position, label, va="center", fontsize=7)


def _finish_axes(axes: Any, ticks: list[tuple[float, str]], rows: float, machine: str) -> None:
    axes.set(
        xscale="log",
        xlim=(0.8, 250),
        ylim=(rows - 1, -1),
        xlabel="times as long as relay takes for the same frame (log scale; 1 = relay)",
        title=f"Other ways to do the same, beside relay in its best instruction set\n{machine}",
        xticks=[1, 2, 5, 10, 20, 50, 100],
        xticklabels=["1", "2", "5", "10", "20", "50", "100"],
    )
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=8)
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
