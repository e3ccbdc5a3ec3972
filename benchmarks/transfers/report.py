"""Owns the page: what was measured of transfers, beside its targets, with machine and spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from benchmarks.transfers.store import PER_TRANSFER, Transitions
from benchmarks.transfers.trigger import TriggerTurn
from benchmarks.transfers.waiters import Woken
from relay.dev.bench.measure import Rounds

TRIGGER_P99_MS: Final = 20.0
WOKEN_P99_MS: Final = 10.0
CONNECTIONS_MAX: Final = 3
TRANSITION_P50_MS: Final = 0.3


_HEAD: Final = """
Others took {busy:.0%} of the machine just before the run. Figures are the median (least to most) of the rounds; max is
the greatest of all. Times are in ms."""
_TRIGGER: Final = """## The trigger

`POST /v1/transfers` for {seconds} s, each with a key and an idempotency key, and each at its time, whether or not
those before it were answered. The service, logs and all, is on one core; the simulated carrier, the local rooms, Valkey
(on a Unix socket) and the load share the other. For each transfer relay joins a room and dials. Then, at once, the line
is busy; or the agent answers, both sides are bridged, and half a second later the agent hangs up. From the request
being written to its answer being read; late is how long after its time the load began to write.

What the trigger itself costs is measured with bridges in the service's own process, and with nothing refused for the
machine's load (`benchmarks.transfers.service`): a process for each of so many could not be started on a core. With
workers it is `relay serve` as it is, its spares and what replaces them on its own core: each transfer costs the start
of a process besides, at a rate that a node sustains.

| the callee | a second | target: p99 <= {target:g} | p50 | p99 | max | late, p99 |
|---|---|---|---|---|---|---|"""
_WAITING: Final = """## Waiting

{waiters} wait at once, each for a transfer of its own unless it says otherwise; then the transfers change, {per_second}
a second. From a change being sent to Redis to its waiter knowing of it; over HTTP, to its answer being read.

| target: p99 <= {target:g}, connections <= {connections} | | p50 | p99 | max | connections to Redis | failed |
|---|---|---|---|---|---|---|"""
_TRANSITION: Final = """## A transition

`TransferStore.apply`, {count} one after the other, each with an event id, {per_transfer} to a transfer.

| target: p50 <= {target:g} | p50 | p99 | max |
|---|---|---|---|"""


class Timed(Protocol):
    """Something that took so long, so often."""

    def ms(self, percentile: float) -> float:
        """So many percent took no longer than this."""


@dataclass(frozen=True, slots=True)
class TransfersReport:
    """Everything that one run found out: of each measurement one result for each round."""

    command: str
    machine: dict[str, str]
    busy: float
    """How much of all cores was taken by others before the run."""
    seconds: int
    """Of each window."""
    changes_per_second: int
    """Of what is waited for."""
    triggers: dict[str, list[TriggerTurn]] = field(default_factory=dict)
    """By the callee, and whether there are workers."""
    waiters: list[list[Woken]] = field(default_factory=list)
    transitions: list[Transitions] = field(default_factory=list)

    def as_markdown(self) -> str:
        """Return the report as a page."""
        ends = (self._what_became_of_them(callee) for callee in self.triggers)
        blocks = (self._head(), self._trigger(), *ends, self._waiters(), self._transitions())
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"

    def _head(self) -> Iterator[str]:
        yield from ("# Transfers: how fast they begin, and how fast they are told", "", f"`{self.command}`", "")
        yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items()))
        yield _HEAD.format(busy=self.busy)

    def _trigger(self) -> Iterator[str]:
        yield _TRIGGER.format(seconds=self.seconds, target=TRIGGER_P99_MS)
        for callee, turns in self.triggers.items():
            asked = [turn.asked for turn in turns]
            late = spread([each.late_ms(99) for each in asked])
            verdict_of = _verdict(asked, 99, TRIGGER_P99_MS)
            yield f"| {callee} | {turns[0].per_second} | {verdict_of} | {_times(asked)} | {late} |"

    def _what_became_of_them(self, callee: str) -> Iterator[str]:
        turns = self.triggers[callee]
        answers, ends, complaints = Counter[str](), Counter[str](), Counter[str]()
        for turn in turns:
            answers.update({str(status): count for status, count in turn.asked.answers.items()})
            ends.update(turn.ends)
            complaints.update(turn.complaints)
        dials, streams = (sum(getattr(turn, name) for turn in turns) for name in ("dials", "streams"))
        violations = [each for turn in turns for each in turn.violations]
        used = (f"{name} {spread([turn.cores[name] for turn in turns])}" for name in turns[0].cores)
        yield f"The callee is {callee}:" if callee.startswith("busy") else f"The callee {callee}:"
        yield ""
        yield f"- Cores in use: {', '.join(used)}."
        yield f"- Answers: {listed(answers)}. Ends, those of a warm-up included: {listed(ends)}."
        yield f"- The carrier was asked for {dials} calls, and opened {streams} media streams."
        yield f"- Logged by the service at warning or above: {listed(complaints)}."
        yield f"- Complaints of the carrier: {'; '.join(violations) or 'none'}."

    def _waiters(self) -> Iterator[str]:
        first = self.waiters[0][0]
        yield _WAITING.format(
            waiters=len(first.took_ms) + first.failed,
            per_second=self.changes_per_second,
            target=WOKEN_P99_MS,
            connections=CONNECTIONS_MAX,
        )
        for ways in zip(*self.waiters, strict=True):
            connections = max(each.connections for each in ways)
            is_met = _is_met(ways, 99, WOKEN_P99_MS) and connections <= CONNECTIONS_MAX
            failed = sum(each.failed for each in ways)
            yield f"| {ways[0].how} | {verdict(met=is_met)} | {_times(ways)} | {connections} | {failed} |"

    def _transitions(self) -> Iterator[str]:
        count = len(self.transitions[0].took_ms)
        yield _TRANSITION.format(count=count, per_transfer=PER_TRANSFER, target=TRANSITION_P50_MS)
        yield f"| {_verdict(self.transitions, 50, TRANSITION_P50_MS)} | {_times(self.transitions, digits=3)} |"


def listed(counts: Counter[str]) -> str:
    """Each with how often, the most frequent first."""
    return ", ".join(f"{name}: {count}" for name, count in counts.most_common()) or "none"


def verdict(*, met: bool) -> str:
    """In words."""
    return "met" if met else "**missed**"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median of one value for each round, and their range."""
    found = Rounds.of(values)
    return f"{found.median:.{digits}f} ({found.least:.{digits}f} to {found.most:.{digits}f})"


def _times(rounds: Sequence[Timed], digits: int = 2) -> str:
    """The cells of p50, p99 and max."""
    p50, p99 = (spread([each.ms(percentile) for each in rounds], digits) for percentile in (50, 99))
    return f"{p50} | {p99} | {max(each.ms(100) for each in rounds):.{digits}f}"


def _verdict(rounds: Sequence[Timed], percentile: float, target_ms: float) -> str:
    return verdict(met=_is_met(rounds, percentile, target_ms))


def _is_met(rounds: Sequence[Timed], percentile: float, target_ms: float) -> bool:
    return Rounds.of([each.ms(percentile) for each in rounds]).median <= target_ms
