"""Owns the report of a run: one value for JSON, and the same as Markdown."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.carriers.paths import StreamResult
from benchmarks.carriers.report import tables
from benchmarks.quality import QualityResult
from benchmarks.targets import TARGETS, YARDSTICKS_NS, collect_figures, machine_scale
from relay._codec import instruction_set
from relay.dev.bench.measure import PathResult, Rounds


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run found out."""

    command: str
    machine: dict[str, str]
    results: list[PathResult]
    scores: list[QualityResult]
    signal: dict[str, float]
    left_out: list[str] = field(default_factory=list)  # whole parts that could not be measured, and why
    carriers: list[StreamResult] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        return collect_figures(self.results, self.scores) | self.signal

    def as_json(self) -> dict[str, Any]:
        """Return the report as values that JSON has; times in ns."""
        figures = self.figures
        scale = machine_scale(figures)
        return {
            "command": self.command,
            "machine": self.machine,
            "machine_scale": scale,
            "targets": [
                asdict(target) | {"value": figures.get(target.figure), "verdict": target.verdict(figures, scale).value}
                for target in TARGETS
            ],
            "paths": {result.name: _path_json(result) for result in self.results},
            "quality": {score.name: {"mean": score.mean, "scores": score.scores} for score in self.scores},
            "signal": self.signal,
            "carriers": {each.per_frame.name: _path_json(each.per_frame) for each in self.carriers},
            "left_out": self.left_out,
        }

    def as_markdown(self) -> str:
        """Return the report as a page."""
        blocks = [
            self._head(),
            self._targets(),
            *(self._paths_head(), *map(_path_table, self.results)),
            self._carriers(),
            self._quality(),
            self._left_out(),
        ]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"

    def write(self, directory: pathlib.Path) -> None:
        """Write report.json and report.md."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(json.dumps(self.as_json(), indent=1) + "\n")
        (directory / "report.md").write_text(self.as_markdown())

    def _head(self) -> list[str]:
        rows = [f"| {name} | {value} |" for name, value in self.machine.items()]
        return ["# Benchmark", "", f"`{self.command}`", "", "| | |", "|---|---|", *rows]

    def _targets(self) -> list[str]:
        figures = self.figures
        scale = machine_scale(figures)
        yardsticks = "; ".join(
            f"{name.removesuffix(' | ns')}: {figures[name]:.0f} ns here, {reference_ns} there"
            for name, reference_ns in YARDSTICKS_NS.items()
            if name in figures
        )
        lines = [
            "## Targets",
            "",
            f"Scale of this machine against the reference (4.1 GHz): {scale:.2f}, the median of the yardsticks.",
            f"Yardsticks: {yardsticks or 'none measured'}.",
            "Times are medians as measured here; the next column is divided by the scale.",
            "",
            "| target | limit | measured | at the reference's speed | verdict |",
            "|---|---|---|---|---|",
        ]
        for target in TARGETS:
            value = figures.get(target.figure)
            limit = f"{'>=' if target.at_least else '<='} {target.limit:g} {target.unit}"
            scaled = f"{value / scale:.0f} ns" if value is not None and target.unit == "ns" else ""
            measured = "" if value is None else f"{value:.4g} {target.unit}"
            lines.append(
                f"| {target.item} | {limit} | {measured} | {scaled} | {target.verdict(figures, scale).value} |"
            )
        return lines

    def _paths_head(self) -> list[str]:
        return [
            "## Paths",
            "",
            "One call moves one frame of 20 ms unless said. Times: median (best to worst round).",
            "Ratio: how many times as long as the first row, round by round, since the contenders take turns;",
            "median (least to most).",
        ]

    def _carriers(self) -> Iterator[str]:
        if self.carriers:
            yield from ("## Carriers", "", *tables(self.carriers, instruction_set()))

    def _quality(self) -> Iterator[str]:
        if not self.scores:
            return
        yield from ("## Quality", "", "| | mean | by sentence |", "|---|---|---|")
        for score in self.scores:
            yield f"| {score.name} | {score.mean:.3f} | {', '.join(f'{value:.3f}' for value in score.scores)} |"

    def _left_out(self) -> list[str]:
        missing = [*self.left_out, *dict.fromkeys(reason for result in self.results for reason in result.missing)]
        return ["## Left out", "", *(f"- {reason}" for reason in missing)] if missing else []


def _path_json(result: PathResult) -> dict[str, Any]:
    return {
        "missing": list(result.missing),
        "contenders": {
            who: {
                "time_ns": asdict(result.time_ns(who)),
                "ratio": asdict(result.ratio(who)),
                "rounds_ns": [round(time_ns, 1) for time_ns in rounds_ns],
            }
            for who, rounds_ns in result.rounds_ns.items()
        },
    }


def _path_table(result: PathResult) -> Iterator[str]:
    yield from (f"### {result.name}", "", "| | ns | ratio |", "|---|---|---|")
    for who in result.rounds_ns:
        ratio = "1" if who == result.base else _spread(result.ratio(who), ".2f")
        yield f"| {who} | {_spread(result.time_ns(who), '.0f')} | {ratio} |"


def _spread(spread: Rounds, form: str) -> str:
    return f"{spread.median:{form}} ({spread.least:{form}} to {spread.most:{form}})"
