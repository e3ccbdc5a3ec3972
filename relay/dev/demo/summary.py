"""A report for people: states, delay, frames, files, and what is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.text import Text

from relay.dev.demo.evidence import Direction
from relay.dev.demo.report import INCLUDES, NAMES, Frames, Report

INDENT: Final = "  "
FILES: Final = {
    "customer_heard": "what the customer heard",
    "agent_heard": "what the agent heard",
    "delay_plot": "the delay over time",
    "log": "relay's own log",
}


def print_report(console: Console, report: Report, files: Mapping[str, str]) -> None:
    """Print it."""
    console.print()
    _print_states(console, report)
    if report.delays:
        _print_delays(console, report)
    if report.frames is not None:
        _heading(console, "Frames of 20 ms")
        for line in _frame_lines(report.frames):
            console.print(f"{INDENT}{line}", soft_wrap=True)
    _heading(console, "Files")
    for name, path in files.items():
        console.print(f"{INDENT}{FILES[name]:24}", Text(path, style="underline"), soft_wrap=True)
    _print_checks(console, report)


def _print_states(console: Console, report: Report) -> None:
    _heading(console, "States")
    before_s = None
    for state, at_s in report.evidence.states_s:
        took = f"   +{1000 * (at_s - before_s):.0f} ms" if before_s is not None else ""
        console.print(f"{INDENT}{state.value:12} {at_s:8.2f} s", Text(took, style="dim"), sep="", soft_wrap=True)
        before_s = at_s
    transfer = report.evidence.transfer
    if transfer is not None and transfer.reason_text is not None:
        console.print(f"{INDENT}{transfer.reason_text}: {transfer.sentence}", soft_wrap=True)


def _print_delays(console: Console, report: Report) -> None:
    _heading(console, "Delay, mouth to ear")
    console.print(Text(f"{'median':>30} {'95 %':>9} {'worst':>9} {'level':>10}", style="dim"))
    for direction, delay in report.delays.items():
        figures = " ".join(f"{value:6.0f} ms" for value in (delay.median_ms, delay.p95_ms, delay.worst_ms))
        console.print(f"{INDENT}{NAMES[direction]:19} {figures} {delay.level_db:+7.1f} dB", soft_wrap=True)
    for line in INCLUDES:
        console.print(Text(f"{INDENT}{line}", style="dim"), soft_wrap=True)


def _frame_lines(frames: Frames) -> Iterator[str]:
    lost = f"{frames.lost} lost, {frames.late} late, {frames.concealed_ms:.0f} ms concealed"
    yield f"{NAMES[Direction.AGENT_TO_ROOM]}: {frames.received} received, {lost}"
    gaps = f"{frames.phone_gaps} gaps at the phone ({frames.phone_gaps_ms:.0f} ms)"
    yield f"{NAMES[Direction.ROOM_TO_AGENT]}: {frames.sent} sent, {frames.dropped} dropped, {gaps}"


def _print_checks(console: Console, report: Report) -> None:
    _heading(console, "As it should be" if report.ok else "NOT as it should be")
    for check in report.checks:
        mark = Text("✓", style="green") if check.ok else Text("✗", style="bold red")
        got = "" if check.ok else f": {check.got}"
        console.print(Text.assemble(INDENT, mark, f" {check.what}{got}"), soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))
