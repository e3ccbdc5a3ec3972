"""Owns the page and the JSON: what each contender cost and delayed at equal load, and what relay may cost of theirs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.peers.comparison import MANY_CALLS, TARGETS, Comparison, ratio, ratios, verdict
from benchmarks.peers.contenders import BUFFER_SETTLE_S, PIPECAT_CALLS, SETTLE_S
from benchmarks.peers.turn import DELAYS_OF_CALLS, Turn
from relay.dev.bench.measure import Rounds

_RATIOS = f"""\
CPU time per frame, each of the same round; a round in which one of the two did not carry the load has none. Judged by
the median. Targets are for {MANY_CALLS} calls and more: below that most of what is measured is the machine's waking up.
Pipecat's is for {PIPECAT_CALLS} calls, which is what it can carry."""
_COSTS = f"""\
A frame is 20 ms from the phone and 20 ms back to it, as Twilio's messages over loopback TCP. Every contender has one
core to itself, the load the other; all take turns within a round. CPU time of the whole process for each frame of
audio that came back, median (least to most) of the rounds, and what of it is the program's and what the kernel's; over
a window that begins {SETTLE_S:g} s after the first frame, relay's {BUFFER_SETTLE_S:g} s after it: its jitter buffer
begins at 40 ms, and comes down slowly. The others send back what they hear. relay's bridge has a room for each call
that hears the phone and says something of its own (compiled, as relay's frame path is), a jitter buffer and a clock,
which none of the others has, and keeps what delays are measured by. The bare echo looks into nothing, and audioop's
rate conversion has no filter. Pipecat has one transport for both ways. Memory is private to the process: what a call
adds, and what it has with none."""
_DELAYS = f"""\
By markers in the sound of every frame: when it began to be heard, less when it was written by the phone or said in the
room. relay's two ways are measured apart, for there is nothing that goes both; the others' is the way there and back,
of the first {DELAYS_OF_CALLS} calls. Filters that are the codec's are not in it, other filters are. Beyond: less the
target of relay's jitter buffer at that moment. In ms, p50 / p99: of those of each round, the median."""


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
            | {"verdict": verdict(target, calls, by).strip("*")}
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
            "| calls | beside | ratio | by round | target | verdict |",
            "|---|---|---|---|---|---|",
        )
        for calls, by_name in self.comparison.turns.items():
            for target in TARGETS:
                if target.rival in by_name:
                    measured = ratio(by_name, target.rival)
                    shown = "-" if measured is None else f"{measured.median:.2f}"
                    rounds = ", ".join("-" if each is None else f"{each:.2f}" for each in ratios(by_name, target.rival))
                    limit = f"<= {target.limit:.2f}" if target.holds_at(calls) else "-"
                    judged = verdict(target, calls, by_name)
                    yield f"| {calls} | {target.rival} | {shown} | {rounds} | {limit} | {judged} |"

    def _costs(self) -> Iterator[str]:
        yield from (
            "## What each costs",
            "",
            _COSTS,
            "",
            "| calls | server | us a frame | user + system | answered | KB a call | MB with none | |",
            "|---|---|---|---|---|---|---|---|",
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
            "| calls | server | way | heard | whole | beyond |",
            "|---|---|---|---|---|---|",
        )
        for calls, by_name in self.comparison.turns.items():
            for name, turns in by_name.items():
                for way in dict.fromkeys(way for turn in turns for way in turn.delays):
                    yield _delay_row(calls, name, way, turns)

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
    answered = f"{min(turn.answered for turn in turns):.3f}"
    if not carried:
        return f"| {calls} | {name} | - | - | {answered} | - | - | {_remarks(turns)} |"
    cpu_us = Rounds.of([turn.cpu_us for turn in carried])
    shown = f"{cpu_us.median:.1f} ({cpu_us.least:.1f} to {cpu_us.most:.1f})"
    parts = f"{_median(carried, 'user_us'):.1f} + {_median(carried, 'system_us'):.1f}"
    memory = f"{_median(carried, 'memory_kb'):.0f} | {_median(carried, 'base_mb'):.1f}"
    return f"| {calls} | {name} | {shown} | {parts} | {answered} | {memory} | {_remarks(turns)} |"


def _remarks(turns: Sequence[Turn]) -> str:
    fallen = [turn.collapsed for turn in turns if turn.collapsed]
    limits = [turn.load_limit for turn in turns if turn.load_limit]
    remarks = []
    if fallen:
        remarks.append(f"**collapsed in {len(fallen)} of {len(turns)} rounds**: {fallen[0]}")
    if limits:
        remarks.append(f"the load's limit in {len(limits)} of {len(turns)} rounds: {limits[0]}")
    return "; ".join(remarks)


def _delay_row(calls: int, name: str, way: str, turns: Sequence[Turn]) -> str:
    delays = [turn.delays[way] for turn in turns if way in turn.delays]
    said = sum(each.said for each in delays)
    heard = said - sum(each.missing for each in delays)
    if not heard:
        return f"| {calls} | {name} | {way} | 0 of {said} | - | - |"
    delays = [each for each in delays if each.missing < each.said]
    whole = f"{_median(delays, 'p50_ms'):.2f} / {_median(delays, 'p99_ms'):.2f}"
    beyond = f"{_median(delays, 'beyond_p50_ms'):.2f} / {_median(delays, 'beyond_p99_ms'):.2f}"
    return f"| {calls} | {name} | {way} | {heard} of {said} | {whole} | {beyond} |"


def _median(rounds: Sequence[object], name: str) -> float:
    values: list[float] = [getattr(each, name) for each in rounds]
    return statistics.median(values)


def _ratio_json(by_name: dict[str, list[Turn]], rival: str) -> dict[str, Any]:
    measured = ratio(by_name, rival)
    shown = {"median": None, "least": None, "most": None} if measured is None else asdict(measured)
    return {**shown, "by_round": ratios(by_name, rival)}
