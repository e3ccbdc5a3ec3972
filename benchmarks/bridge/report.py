"""Owns the page: what the bridge costs and delays, beside its targets, with machine and spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.bridge.cpu import CONTENDERS, ECHO, SETTLE_S, CpuResult
from benchmarks.bridge.delay import SETTLE_S as DELAY_SETTLE_S
from benchmarks.bridge.delay import DelayResult
from benchmarks.measure import Spread

RATIO_MAX = 1.3
ADDED_MAX_MS = 5.0
KEEPS_UP = 0.98


@dataclass(frozen=True, slots=True)
class BridgeReport:
    """Everything that one run found out."""

    command: str
    machine: dict[str, str]
    cpu: list[CpuResult]
    delays: list[DelayResult]
    busy: float
    """How much of all cores was taken by others before the run."""

    def as_markdown(self) -> str:
        """Return the report as a page."""
        blocks = (self._head(), self._cpu(), self._inside(), self._delays())
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"

    def _head(self) -> Iterator[str]:
        yield from ("# The bridge: what it costs and what it delays", "", f"`{self.command}`", "")
        yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items()))
        yield from ("", f"Others took {100 * self.busy:.0f} % of the machine just before the run.")

    def _cpu(self) -> Iterator[str]:
        yield from (
            "## CPU per frame",
            "",
            "A frame is one 20 ms message of Twilio in and one out, over loopback TCP. The server has one core to",
            "itself, the load the other. CPU time of the server's process, user and system, over a steady window",
            f"that begins {SETTLE_S} s after the calls, for each message that came back. The echo is `websockets`",
            "alone on uvloop (no compression, no pings). Both servers call `gc.freeze()` when all calls are connected.",
            "Median (least to most) of the rounds, which take turns; ratios round by round. The bridge decodes,",
            "buffers, encodes, reports once a second and keeps a room's clock besides, which the echo does not.",
            "",
            (
                f"| calls | server | us a frame | ratio to the echo (target <= {RATIO_MAX:g}) | answered |"
                " load late, p99 ms | load's core |"
            ),
            "|---|---|---|---|---|---|---|",
        )
        for result in self.cpu:
            for contender in CONTENDERS:
                yield _cpu_row(result, contender)

    def _inside(self) -> Iterator[str]:
        yield from (
            "## What the bridges say of themselves",
            "",
            "The same turns: own time from the room's frame to the socket, and how long frames waited for the",
            "microphone, the jitter target included. Medians of the rounds, ms; max is the greatest of all.",
            "",
            "| calls | server | own time p50 / p99 / max | wait p50 / p99 / max | target | underruns | faults |",
            "|---|---|---|---|---|---|---|",
        )
        for result in self.cpu:
            for contender in CONTENDERS:
                if contender != ECHO:
                    yield _inside_row(result, contender)

    def _delays(self) -> Iterator[str]:
        yield from (
            "## Delay that the relay adds",
            "",
            "By chirps, on every call, in both directions: when each was heard, by cross-correlation, less when its",
            "first frame was really written by the phone, or the room's clock woke to read it, less the filter's delay",
            "and, towards the room, the jitter target last reported. The 20 ms of packetization before that are not",
            (
                f"counted. Begins {DELAY_SETTLE_S} s after the calls. What is left, in ms; the target is at most"
                f" {ADDED_MAX_MS:g} at p99."
            ),
            "",
            "| calls | microphone | direction | chirps | p50 | p99 | max | verdict |",
            "|---|---|---|---|---|---|---|---|",
        )
        for each in self.delays:
            yield _delay_row(each, "agent to room", each.agent_to_room_ms)
            yield _delay_row(each, "room to agent", each.room_to_agent_ms)
        yield ""
        for each in self.delays:
            yield (
                f"- {each.calls} calls, {each.microphone_ptime_ms} ms: mean jitter target {each.target_ms:.1f} ms,"
                f" {each.not_heard} chirps not heard, the load was late by {each.late_p99_ms:.2f} ms at p99."
            )


def verdict(*, met: bool) -> str:
    return "met" if met else "**missed**"


def _cpu_row(result: CpuResult, contender: str) -> str:
    turns = result.turns[contender]
    cpu_us = spread(result.cpu_us(contender), ".1f")
    answered = min(turn.answered for turn in turns)
    ratio = "1"
    if contender != ECHO:
        ratio_spread = result.ratio(contender)
        ratio = f"{spread(ratio_spread, '.2f')}, {verdict(met=ratio_spread.median <= RATIO_MAX)}"
    kept_up = f"{answered:.3f}" if answered >= KEEPS_UP else f"**{answered:.3f}**"
    late_ms = max(turn.late_p99_ms for turn in turns)
    load = max(turn.load_core for turn in turns)
    return f"| {result.calls} | {contender} | {cpu_us} | {ratio} | {kept_up} | {late_ms:.2f} | {load:.0%} |"


def _inside_row(result: CpuResult, contender: str) -> str:
    insides = [turn.inside for turn in result.turns[contender]]
    own_time, wait = (_durations([inside[name] for inside in insides]) for name in ("own_time", "wait"))
    target_ms = float(np.median([inside["target_ms"] for inside in insides]))
    underruns = sum(inside["underruns"] for inside in insides)
    faults = sum(sum(inside["faults"].values()) for inside in insides)
    return f"| {result.calls} | {contender} | {own_time} | {wait} | {target_ms:.1f} | {underruns} | {faults} |"


def _durations(spreads: Sequence[dict[str, float]]) -> str:
    p50, p99 = (float(np.median([each[name] for each in spreads])) for name in ("p50_ms", "p99_ms"))
    return f"{p50:.2f} / {p99:.2f} / {max(each['max_ms'] for each in spreads):.2f}"


def _delay_row(result: DelayResult, direction: str, added_ms: Sequence[float]) -> str:
    p50, p99, most = np.percentile(added_ms, (50, 99, 100))
    numbers = f"{len(added_ms)} | {p50:.2f} | {p99:.2f} | {most:.2f}"
    met = verdict(met=bool(p99 <= ADDED_MAX_MS))
    return f"| {result.calls} | {result.microphone_ptime_ms} ms | {direction} | {numbers} | {met} |"


def spread(values: Spread, form: str) -> str:
    return f"{values.median:{form}} ({values.least:{form}} to {values.most:{form}})"
