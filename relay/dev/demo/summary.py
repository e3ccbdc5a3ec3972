"""A report for people: states, delay, frames, files, and what is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.console import Console
from rich.text import Text

from relay.dev.demo.evidence import Direction
from relay.dev.demo.expectations import Check
from relay.dev.demo.report import INCLUDES, NAMES, Frames, Report

FILES: Final = {
    "customer_heard": "what the customer heard",
    "agent_heard": "what the agent heard",
    "delay_plot": "the delay over time",
    "log": "relay's own log",
}


def print_report(console: Console, report: Report, files: Mapping[str, str]) -> None:
    """Print it."""
    _print(console, "States", _states(report))
    if report.delays:
        _print(console, "Delay, mouth to ear", _delays(report))
    if report.frames is not None:
        _print(console, "Frames of 20 ms", _frames(report.frames))
    paths = (Text.assemble(f"{FILES[name]:24} ", (path, "underline")) for name, path in files.items())
    _print(console, "Files", paths)
    _print(console, "As it should be" if report.ok else "NOT as it should be", map(_check, report.checks))


def _print(console: Console, heading: str, lines: Iterator[Text]) -> None:
    console.print()
    console.print(Text(heading, style="bold"))
    for line in lines:  # those of a file are as long as they are
        console.print(Text.assemble("  ", line), soft_wrap=not console.is_terminal)


def _states(report: Report) -> Iterator[Text]:
    before_s = None
    for state, at_s in report.evidence.states_s:
        took = f"   +{1000 * (at_s - before_s):.0f} ms" if before_s is not None else ""
        yield Text.assemble(f"{state.value:12} {at_s:8.2f} s", (took, "dim"))
        before_s = at_s
    transfer = report.evidence.transfer
    if transfer is not None and transfer.reason_text is not None:
        yield Text(f"{transfer.reason_text}: {transfer.sentence}")


def _delays(report: Report) -> Iterator[Text]:
    yield Text(f"{'median':>28} {'95 %':>9} {'worst':>9} {'level':>10}", style="dim")
    for direction, delay in report.delays.items():
        figures = " ".join(f"{value:6.0f} ms" for value in (delay.median_ms, delay.p95_ms, delay.worst_ms))
        yield Text(f"{NAMES[direction]:19} {figures} {delay.level_db:+7.1f} dB")
    for line in INCLUDES:
        yield Text(line, style="dim")


def _frames(frames: Frames) -> Iterator[Text]:
    lost = f"{frames.lost} lost, {frames.late} late, {frames.concealed_ms:.0f} ms concealed"
    yield Text(f"{NAMES[Direction.AGENT_TO_ROOM]}: {frames.received} received, {lost}")
    gaps = f"gaps at the phone: {frames.phone_gaps} ({frames.phone_gaps_ms:.0f} ms)"
    yield Text(f"{NAMES[Direction.ROOM_TO_AGENT]}: {frames.sent} sent, {frames.dropped} dropped, {gaps}")


def _check(check: Check) -> Text:
    if check.ok:
        return Text.assemble(("✓", "green"), f" {check.what}")
    return Text.assemble(("✗", "bold red"), f" {check.what}: {check.got}")
