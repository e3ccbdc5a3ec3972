"""Owns the page and the JSON: what each contender cost and delayed at equal load, and what relay may cost of theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.bridge.report import spread
from benchmarks.measure import Spread
from benchmarks.peers.comparison import MANY_CALLS, TARGETS, Comparison, ratio, verdict
from benchmarks.peers.contenders import PIPECAT_CALLS
from benchmarks.peers.turn import DELAYS_OF_CALLS, SETTLE_S, Turn

_RATIOS = f"""\
CPU time per frame, of the same round; median (least to most) of the rounds in which both carried the load. Targets
are for {MANY_CALLS} calls and more: below that most of what is measured is the machine's waking up. Pipecat's is for
{PIPECAT_CALLS} calls, which is what it can carry."""
_COSTS = f"""\
A frame is 20 ms from the phone and 20 ms back to it, as Twilio's messages over loopback TCP. Every contender has one
core to itself, the load the other; all take turns within a round. CPU time of the whole process, user and system, over
a window that begins {SETTLE_S:g} s after the calls, for each frame of audio that came back. relay's bridge has a room
for each call, a jitter buffer and a clock besides, which none of the others has; the bare echo looks into nothing, and
audioop's rate conversion has no filter. Pipecat has one transport for both ways. Memory is private to the process: what
a call adds, and what it has with none."""
_DELAYS = f"""\
From the phone to the server and back, by chirps: when the message with a chirp's beginning came, and so much later as
it lies within the message, less when the phone wrote the frame that begins with it. Wanted of it are relay's filters
(also the floor's, and those of `websockets` with the same codec), and the target of relay's jitter buffer at that
moment; what is left is added. The buffer follows its target slowly: where the load or the machine stalls, what relay
adds is not told apart from that, and may be less than nothing. Of the first {DELAYS_OF_CALLS} calls, all
rounds together, in ms."""


@dataclass(frozen=True, slots=True)
class PeersReport:
    """Everything that one run found out."""

    command: str
    machine: dict[str, str]
    comparison: Comparison
    busy: float
    """How much of all cores was taken by others before the run."""

    def as_markdown(self) -> str:
        """Return the report as a page."""
        blocks = (self._head(), self._ratios(), self._costs(), self._delays(), self._doubts())
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"

    def as_json(self) -> str:
        """Return all of it, every turn with its delays."""
        turns: dict[int, Any] = {
            calls: {name: [{**asdict(turn), "collapsed": turn.collapsed} for turn in each] for name, each in by.items()}
            for calls, by in self.comparison.turns.items()
        }
        ratios = [
            {"calls": calls, "rival": target.rival, "limit": target.limit, **_ratio_json(by, target.rival)}
            | {"verdict": verdict(target, calls, ratio(by, target.rival)).strip("*")}
            for calls, by in self.comparison.turns.items()
            for target in TARGETS
        ]
        whole = {"command": self.command, "machine": self.machine, "busy": self.busy, "ratios": ratios}
        return json.dumps({**whole, "missing": self.comparison.missing, "turns": turns}, indent=1) + "\n"

    def _head(self) -> Iterator[str]:
        yield from ("# Beside what one would pick instead", "", f"`{self.command}`", "")
        yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items()))
        yield from ("", f"Others took {self.busy:.0%} of the machine just before the run.")
        yield from (f"- {name}: {reason}" for name, reason in self.comparison.missing.items())

    def _ratios(self) -> Iterator[str]:
        yield from (
            "## CPU of relay's bridge beside theirs",
            "",
            _RATIOS,
            "",
            "| calls | beside | ratio | target | verdict |",
            "|---|---|---|---|---|",
        )
        for calls, by_name in self.comparison.turns.items():
            for target in TARGETS:
                if target.rival in by_name:
                    measured = ratio(by_name, target.rival)
                    shown = "-" if measured is None else spread(measured, ".2f")
                    limit = f"<= {target.limit:.2f}" if target.holds_at(calls) else "-"
                    yield f"| {calls} | {target.rival} | {shown} | {limit} | {verdict(target, calls, measured)} |"

    def _costs(self) -> Iterator[str]:
        yield from (
            "## What each costs",
            "",
            _COSTS,
            "",
            "| calls | server | us a frame | answered | KB a call | MB with none | |",
            "|---|---|---|---|---|---|---|",
        )
        for calls, by_name in self.comparison.turns.items():
            for name, turns in by_name.items():
                yield _cost_row(calls, name, turns)

    def _delays(self) -> Iterator[str]:
        yield from (
            "## What each delays",
            "",
            _DELAYS,
            "",
            "| calls | server | chirps | whole p50 / p99 | added p50 / p99 |",
            "|---|---|---|---|---|",
        )
        for calls, by_name in self.comparison.turns.items():
            for name, turns in by_name.items():
                heard = [turn for turn in turns if turn.delays_ms]
                whole = _percentiles([each for turn in heard for each in turn.delays_ms])
                added = _percentiles([each for turn in heard for each in turn.added_ms])
                count = sum(len(turn.delays_ms) for turn in heard)
                yield f"| {calls} | {name} | {count} of {sum(turn.chirps for turn in turns)} | {whole} | {added} |"

    def _doubts(self) -> Iterator[str]:
        yield from (
            "## The load itself",
            "",
            "How late it wrote at p99, and how much of its core it took, at most:",
            "",
        )
        for calls, by_name in self.comparison.turns.items():
            turns = [turn for each in by_name.values() for turn in each]
            late_ms, core = (
                max((getattr(turn, name) for turn in turns), default=0.0) for name in ("load_late_ms", "load_core")
            )
            limits = [turn.load_limit for turn in turns if turn.load_limit]
            doubt = f"; **in {len(limits)} of {len(turns)} turns it was the limit**: {limits[0]}" if limits else ""
            yield f"- {calls} calls: {late_ms:.2f} ms, {core:.0%}{doubt}."


def _cost_row(calls: int, name: str, turns: Sequence[Turn]) -> str:
    carried = [turn for turn in turns if not turn.collapsed]
    fallen = [turn.collapsed for turn in turns if turn.collapsed]
    remark = f"**collapsed in {len(fallen)} of {len(turns)} rounds**: {fallen[0]}" if fallen else ""
    if not carried:
        return f"| {calls} | {name} | - | {min(turn.answered for turn in turns):.3f} | - | - | {remark} |"
    cpu_us = spread(Spread.of([turn.cpu_us for turn in carried]), ".1f")
    memory_kb, base_mb = (
        float(np.median([getattr(turn, key) for turn in carried])) for key in ("memory_kb", "base_mb")
    )
    answered = min(turn.answered for turn in turns)
    return f"| {calls} | {name} | {cpu_us} | {answered:.3f} | {memory_kb:.0f} | {base_mb:.1f} | {remark} |"


def _percentiles(delays_ms: Sequence[float]) -> str:
    if not delays_ms:
        return "-"
    p50, p99 = np.percentile(delays_ms, (50, 99))
    return f"{p50:.2f} / {p99:.2f}"


def _ratio_json(by_name: dict[str, list[Turn]], rival: str) -> dict[str, Any]:
    measured = ratio(by_name, rival)
    return {"median": None, "least": None, "most": None} if measured is None else asdict(measured)
