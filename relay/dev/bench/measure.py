"""
Owns the timing: rounds in which every contender has its turn, so that what disturbs the machine disturbs all alike.

The result of a path is a ratio per round; its median and its range are what a report may quote. Times in ns
belong to the machine and the minute in which they were taken.
"""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relay._codec import instruction_set, instruction_sets, use_instruction_set

ROUNDS = 40
TURN_S = 0.004  # some 50 frames of the slowest contender (soxr's bursts average out), some 20,000 of the fastest

OURS = "relay "  # the contenders of ours are named "relay avx2", "relay sse2", ...


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work of a path: ``call(*args)``, once per frame, on a stream of its own."""

    name: str
    call: Callable[..., object]
    args: tuple[object, ...] = ()

    def timer(self, clock: Callable[[], float] = time.perf_counter) -> timeit.Timer:
        """Return a timer whose statement is the bare call: no wrapper adds to 100 ns."""
        names = {f"a{number}": value for number, value in enumerate(self.args)}
        return timeit.Timer(f"call({', '.join(names)})", timer=clock, globals={"call": self.call, **names})


@dataclass(frozen=True, slots=True)
class Path:
    """One way of audio through the codec, and who takes part. The others are compared with the first contender."""

    name: str
    contenders: tuple[Contender, ...]
    missing: tuple[str, ...] = ()  # who could not take part, and why


@dataclass(frozen=True, slots=True)
class Rounds:
    """The median of some rounds, and their range."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Rounds:
        """Summarise one value per round."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class PathResult:
    """What was measured on one path: ns per call, by contender, one per round."""

    name: str
    rounds_ns: dict[str, tuple[float, ...]]
    missing: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The contender that the others are compared with."""
        return next(iter(self.rounds_ns))

    def time_ns(self, contender: str) -> Rounds:
        """Return what a call cost."""
        return Rounds.of(self.rounds_ns[contender])

    def ratio(self, contender: str) -> Rounds:
        """Return how many times as long as the base the contender took, round by round."""
        pairs = zip(self.rounds_ns[contender], self.rounds_ns[self.base], strict=True)
        return Rounds.of([theirs / ours for theirs, ours in pairs])


def measure(
    paths: Sequence[Path], rounds: int = ROUNDS, *, clock: Callable[[], float] = time.perf_counter
) -> list[PathResult]:
    """
    Time every contender of every path once per round: those of a path in a row, each round beginning with another.

    The rounds go over all paths: a busy second of the machine then touches one round of each, not all rounds of one. By
    ``clock``, in seconds: ``time.thread_time`` leaves out what the machine does for others meanwhile.
    """
    turns = [_Turns(path, clock) for path in paths]
    for _ in range(rounds):
        for path in turns:
            path.take()
    return [path.result() for path in turns]


def each_instruction_set() -> Iterator[str]:
    """Yield the name of each in turn; objects of the codec that are made meanwhile use it."""
    before = instruction_set()
    try:
        for name in instruction_sets():
            use_instruction_set(name)
            yield name
    finally:
        use_instruction_set(before)


class _Turns:
    """The contenders of one path, their order, and what they took so far."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._timers = {contender.name: contender.timer(clock) for contender in path.contenders}
        self._calls = {name: _calls_per_turn(timer) for name, timer in self._timers.items()}
        self._rounds_ns: dict[str, list[float]] = {name: [] for name in self._timers}
        self._order = list(self._timers)

    def take(self) -> None:
        for name in self._order:
            calls = self._calls[name]
            self._rounds_ns[name].append(self._timers[name].timeit(calls) * 1e9 / calls)
        self._order.append(self._order.pop(0))

    def result(self) -> PathResult:
        rounds_ns = {name: tuple(values) for name, values in self._rounds_ns.items()}
        return PathResult(self._path.name, rounds_ns, self._path.missing)


def _calls_per_turn(timer: timeit.Timer) -> int:
    """Return how many calls fill a turn; measuring it is the warm-up, too."""
    calls = 64
    while (took_s := timer.timeit(calls)) < TURN_S / 4:
        calls *= 4
    return max(1, round(calls * TURN_S / took_s))
