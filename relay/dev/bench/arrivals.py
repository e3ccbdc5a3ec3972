"""The jitter buffer on a clock that is made up: when frames arrive, when the room asks, and how it went. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from relay.media.latency import LatencyHistogram
from relay.media.playout import Playout, PlayoutSettings, PlayoutStats

MS: Final = 1_000_000
SECOND: Final = 1000 * MS
RATE_HZ: Final = 8000


@dataclass(frozen=True, slots=True)
class Arrival:
    """Frame ``number`` arrives."""

    at_ns: int
    number: int


def stalled(arrivals: Iterable[Arrival], *, from_s: float, for_s: float) -> list[Arrival]:
    """Nothing comes for a while; then all of it at once."""
    begin, end = round(from_s * SECOND), round((from_s + for_s) * SECOND)
    return [replace(each, at_ns=end) if begin <= each.at_ns < end else each for each in arrivals]


def without(arrivals: Iterable[Arrival], numbers: Iterable[int]) -> list[Arrival]:
    """These frames are lost."""
    lost = set(numbers)
    return [each for each in arrivals if each.number not in lost]


class Waits(LatencyHistogram):
    """Every wait, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ms: list[float] = []

    def record(self, duration_ns: int) -> None:
        """As it comes."""
        self.ms.append(duration_ns / MS)


@dataclass(slots=True)
class Second:
    """How things stood at the end of a second, and the longest wait of a frame played in it (0.0: there was none)."""

    at_s: float
    stats: PlayoutStats
    longest_wait_ms: float

    @property
    def error_ms(self) -> float:
        """How far the delay is above its target."""
        return self.stats.delay_ms - self.stats.target_ms


@dataclass(slots=True)
class Heard:
    """What came out, and how it went."""

    chunks: list[bytes] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)

    @property
    def pcm(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)

    @property
    def stats(self) -> PlayoutStats:
        """At the end."""
        return self.seconds[-1].stats

    def recovered_s(self, since_s: float, *, within_ms: float = 20.0) -> float:
        """How long after ``since_s`` the delay was back near its target for good."""
        away = [each.at_s for each in self.seconds if abs(each.error_ms) > within_ms]
        step_s = self.seconds[1].at_s - self.seconds[0].at_s
        return max([at_s + step_s for at_s in away if at_s >= since_s], default=since_s) - since_s


def silent(_: int) -> bytes:
    """Every frame the same, where only time matters."""
    return bytes(RATE_HZ // 25)


def play(
    arrivals: Sequence[Arrival],
    asked_ns: Sequence[int],
    *,
    pull_ms: int,
    rate_hz: int = RATE_HZ,
    frame: Callable[[int], bytes] = silent,
    numbered: bool = False,
    settings: PlayoutSettings | None = None,
    every_s: float = 1.0,
) -> Heard:
    """Run it: what arrives at the moment the room asks is in time."""
    waits, heard = Waits(), Heard()
    playout = Playout(rate_hz, pull_ms=pull_ms, settings=settings or PlayoutSettings(), wait=waits)
    coming = iter([*arrivals, Arrival(1 << 62, -1)])
    arrival, every_ns, next_ns, seen = next(coming), round(every_s * SECOND), round(every_s * SECOND), 0
    for now_ns in asked_ns:
        while arrival.at_ns <= now_ns:
            playout.push(frame(arrival.number), arrival.at_ns, sequence=arrival.number if numbered else None)
            arrival = next(coming)
        heard.chunks.append(playout.pull(now_ns))
        if now_ns >= next_ns:
            next_ns += every_ns
            longest_ms = max(waits.ms[seen:], default=0.0)
            seen = len(waits.ms)
            heard.seconds.append(Second(now_ns / SECOND, playout.snapshot(), longest_ms))
    heard.waits_ms = waits.ms
    return heard
