"""What the gate says: to the terminal, and as Markdown for a job's summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.gate.exact import Finding
from benchmarks.gate.statistic import Slowdown

CPU_BOUND: Final = 0.05
"""docs/gate.md has the measurements that it was chosen by."""
WALL_BOUND: Final = 0.5
"""Of time in which others may have had the core: it is there for sleeps, which are many times as long as a frame."""


def bound_of(path: str) -> float:
    """How much slower a path may be."""
    return WALL_BOUND if path.endswith("wall") else CPU_BOUND


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found; ``against`` says with what was compared, or why nothing was."""

    exact: Sequence[Finding]
    against: str
    slowdowns: Sequence[Slowdown] = ()

    @property
    def problems(self) -> list[str]:
        """One line each; empty: the gate is open."""
        slower = [
            f"{each.path}: slower by {each.estimate:.1%}, by {each.lower:.1%} at least;"
            f" the bound is {bound_of(each.path):.0%}"
            for each in self.slowdowns
            if each.is_beyond(bound_of(each.path))
        ]
        beyond = [
            f"{each.name}: {each.now}, the budget is {each.budget} ({each.problem})"
            for each in self.exact
            if each.problem
        ]
        return beyond + slower

    def as_text(self) -> str:
        """For the terminal."""
        rows = [f"{each.name}: {each.now} (budget {each.budget})" for each in self.exact]
        rows.append(f"times against {self.against}" if self.slowdowns else f"note: no times: {self.against}")
        rows += [" ".join(cells) for cells in self._times()]
        return "\n".join([*rows, *(f"FAILED {problem}" for problem in self.problems)])

    def as_markdown(self) -> str:
        """For a job's summary."""
        lines = [f"## The gate: {'closed' if self.problems else 'open'}", ""]
        lines += [*(f"- **{problem}**" for problem in self.problems), *([""] if self.problems else [])]
        lines += [f"Times against {self.against}." if self.slowdowns else f"**No times: {self.against}**", ""]
        if self.slowdowns:
            lines += ["| per frame | base, us | now, us | slower by | at least | at most | bound |", "|---" * 7 + "|"]
            lines += [f"| {' | '.join(cells)} |" for cells in self._times()]
            lines.append("")
        lines += ["| exact | now | budget | |", "|---|---|---|---|"]
        lines += [f"| {each.name} | {each.now} | {each.budget} | {each.problem} |" for each in self.exact]
        return "\n".join(lines) + "\n"

    def _times(self) -> Iterator[list[str]]:
        for each in self.slowdowns:
            shares = [f"{share:+.1%}" for share in (each.estimate, each.lower, each.upper)]
            yield [each.path, f"{each.base_us:.2f}", f"{each.now_us:.2f}", *shares, f"{bound_of(each.path):.0%}"]
