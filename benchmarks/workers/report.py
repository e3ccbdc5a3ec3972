"""Owns the page: what a process for each call costs, beside its targets, with machine and spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.transfers.report import listed, spread, verdict
from benchmarks.workers.carrier import RING_S
from benchmarks.workers.handover import PER_SECOND, HandOvers
from benchmarks.workers.memory import WORKERS, Memory
from benchmarks.workers.starts import ACQUIRED, BARE, STARTED, Times
from relay.dev.bench.measure import Rounds

READY_MAX_MS: Final = 400.0
PRIVATE_MAX_MB: Final = 25.0
HAND_OVER_P99_MAX_MS: Final = 5.0
AUDIO_MAX_MS: Final = 150.0

_HEAD: Final = """
Others took {busy:.0%} of the machine just before the run. Figures are the median (least to most) of the rounds; max is
the greatest of all. Service, front and workers have one core, and all that stands in around them the other."""
_STARTS: Final = """## Starts

From the process being started to its being ready, the code of its rooms loaded; and from a transfer asking for a bridge
to its having one, when a spare is ready. {count} in a round, one after the other. In ms. Python alone (`-c pass`)
was started on the same core before each: where that takes long, everything does.

| worker for | target: ready, p99 < {target:g} | ready p50 | p99 | max | spare to acquired p50 | p99 | max \
| Python alone p50 | times as long |
|---|---|---|---|---|---|---|---|---|---|"""
_MEMORY: Final = """## Memory

`Private_Clean` and `Private_Dirty` of `/proc/PID/smaps_rollup`, MB of 1024 x 1024 bytes, of {workers} workers that are
there at the same time. A spare has loaded the code of its rooms, Daily's SDK with it; un-joined has made the SDK's
devices and its client besides, and all is ready to join. A call is {seconds} s old.

| worker | target: the greatest < {target:g} | mean of the workers | greatest |
|---|---|---|---|"""
_HAND_OVERS: Final = """## Hand-over

`relay serve` with its workers and spares as they are by default, {per_second:g} transfer a second, {count} in a round;
the simulated carrier rings for {ring_s:g} s, and the worker's replacement is ready by then. From the last byte of the
upgrade request being written by the carrier to the 101 being read by it; the front has its share of that until it
begins to hand the socket over, the worker the rest. Audio is from the 101 being read to the phone's reading of the
first message in which the room is heard, in which somebody talks all the time. In ms.

| | target | p50 | p99 | max |
|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class WorkersReport:
    """Everything that one run found out: of each measurement one result for each round."""

    command: str
    machine: dict[str, str]
    busy: float
    """How much of all cores was taken by others before the run."""
    seconds: int
    """Of each window."""
    starts: dict[str, list[Mapping[str, Times]]] = field(default_factory=dict)
    """By the worker's rooms."""
    memory: dict[str, list[Memory]] = field(default_factory=dict)
    """By what the workers do."""
    hand_overs: list[HandOvers] = field(default_factory=list)

    def as_markdown(self) -> str:
        """Return the report as a page."""
        blocks = (self._head(), self._starts(), self._memory(), self._hand_overs())
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"

    def _head(self) -> Iterator[str]:
        yield from ("# Workers: what a process for each call costs", "", f"`{self.command}`", "")
        yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items()))
        yield _HEAD.format(busy=self.busy)

    def _starts(self) -> Iterator[str]:
        count = max((len(each[STARTED].took_ms) for rounds in self.starts.values() for each in rounds), default=0)
        yield _STARTS.format(count=count, target=READY_MAX_MS)
        for worker, rounds in self.starts.items():
            started, acquired, bare = ([each[name] for each in rounds] for name in (STARTED, ACQUIRED, BARE))
            is_met = _median(started, 99) < READY_MAX_MS
            alone = spread([each.ms(50) for each in bare])
            ratio = spread([one.ms(50) / other.ms(50) for one, other in zip(started, bare, strict=True)], 1)
            yield f"| {worker} | {verdict(met=is_met)} | {_times(started)} | {_times(acquired)} | {alone} | {ratio} |"

    def _memory(self) -> Iterator[str]:
        yield _MEMORY.format(workers=WORKERS, seconds=self.seconds, target=PRIVATE_MAX_MB)
        for what, rounds in self.memory.items():
            mean = spread([sum(each.mb) / len(each.mb) for each in rounds], 1)
            most = max(max(each.mb) for each in rounds)
            yield f"| {what} | {verdict(met=most < PRIVATE_MAX_MB)} | {mean} | {most:.1f} |"

    def _hand_overs(self) -> Iterator[str]:
        turns = self.hand_overs
        count = max((len(turn.whole.took_ms) for turn in turns), default=0)
        yield _HAND_OVERS.format(count=count, per_second=PER_SECOND, ring_s=RING_S)
        wholes, heards = ([getattr(turn, name) for turn in turns] for name in ("whole", "heard"))
        met = verdict(met=_median(wholes, 99) < HAND_OVER_P99_MAX_MS)
        yield f"| request to 101 | p99 < {HAND_OVER_P99_MAX_MS:g}: {met} | {_times(wholes)} |"
        for name in ("front", "worker"):
            yield f"| the {name}'s share | | {_times([getattr(turn, name) for turn in turns])} |"
        met = verdict(met=_median(heards, 99) < AUDIO_MAX_MS)
        yield f"| 101 to audio | p99 < {AUDIO_MAX_MS:g}: {met} | {_times(heards)} |"
        answers, complaints = Counter[str](), Counter[str]()
        for turn in turns:
            answers.update(turn.answers)
            complaints.update(turn.complaints)
        violations = [each for turn in turns for each in turn.violations]
        yield ""
        yield f"- Answers to the requests, a warm-up included: {listed(answers)}."
        yield f"- Media streams that never heard the room: {sum(turn.unheard for turn in turns)}."
        yield f"- Logged by the service and its workers at warning or above: {listed(complaints)}."
        yield f"- Complaints of the carrier: {'; '.join(violations) or 'none'}."


def _median(rounds: Sequence[Times], percentile: float) -> float:
    return Rounds.of([each.ms(percentile) for each in rounds]).median


def _times(rounds: Sequence[Times]) -> str:
    """The cells of p50, p99 and max."""
    p50, p99 = (spread([each.ms(percentile) for each in rounds]) for percentile in (50, 99))
    return f"{p50} | {p99} | {max(each.ms(100) for each in rounds):.2f}"
