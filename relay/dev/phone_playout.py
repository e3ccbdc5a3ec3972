"""The simulated carrier's playout buffer and clock: what a person at the phone hears, and when. Pure: time comes in."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass

from relay.dev.recording import Recording

RATE_HZ = 8000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = 2 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class PhoneClock:
    """The carrier's clock: a tick every 20 ms of its own, from ``start_ns``; ``drift_ppm`` above 0 is fast."""

    start_ns: int
    drift_ppm: float = 0.0

    @property
    def rate_hz(self) -> float:
        """Samples it takes and plays in a true second."""
        return RATE_HZ * (1 + self.drift_ppm / 1e6)

    def tick_ns(self, number: int) -> int:
        """When a tick is due, counted from 0 at the start; computed from the start, so that no error adds up."""
        return self.start_ns + round(number * FRAME_MS * 1e6 / (1 + self.drift_ppm / 1e6))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Audio from the relay: when it came, and when its first sample was due to be heard, ``clear`` apart."""

    at_ns: int
    samples: int
    heard_ns: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence because nothing had come, between two stretches of audio."""

    start_ns: int
    samples: int

    @property
    def duration_ms(self) -> float:
        """Length by the phone's clock."""
        return 1000 * self.samples / RATE_HZ


class Playout:
    """
    Plays what comes, in order, a frame a tick: early audio waits and stays as delay, late audio is heard as a gap.

    Every method takes the present, which never goes back, first plays all ticks up to it, and returns the names of the
    marks that all audio before them has been played for.
    """

    def __init__(self, clock: PhoneClock) -> None:
        self.clock = clock
        self.arrivals: list[Arrival] = []
        self.gaps: list[Gap] = []
        self.depths = array("l")
        """Samples left waiting after each tick."""
        self._heard = bytearray()
        self._forgotten_ticks = 0
        self._queue = bytearray()
        self._marks: deque[tuple[int, str]] = deque()  # (samples before it, name)
        self._taken = 0  # samples taken from the queue; those of the last tick are still being played
        self._played = 0
        self._silent_samples: int | None = None  # since the last audio; None before the first

    @property
    def heard(self) -> Recording:
        """All that was heard, silence included, from the clock's start to the end of the last tick's frame."""
        return Recording(bytes(self._heard), self.clock.rate_hz, self.clock.tick_ns(self._forgotten_ticks))

    def forget(self) -> None:
        """Let go of what was heard and came so far: who talks for an hour need not keep it. Counts stay."""
        self.arrivals.clear()
        self._heard.clear()
        self._forgotten_ticks = self.ticks

    @property
    def taken_samples(self) -> int:
        """Samples of what came that were heard, or are being played now."""
        return self._taken

    @property
    def ticks(self) -> int:
        """Ticks played."""
        return len(self.depths)

    def advance(self, now_ns: int) -> list[str]:
        """Play up to ``now_ns``."""
        while self.clock.tick_ns(self.ticks) <= now_ns:
            self._tick()
        return self._reached()

    def push(self, pcm: bytes, now_ns: int) -> list[str]:
        """Queue ``pcm``, which has just come; it starts at a tick."""
        reached = self.advance(now_ns)
        waiting_ns = round(len(self._queue) / 2 * 1e9 / self.clock.rate_hz)
        self.arrivals.append(Arrival(now_ns, len(pcm) // 2, self.clock.tick_ns(self.ticks) + waiting_ns))
        self._queue += pcm
        return reached

    def mark(self, name: str, now_ns: int) -> list[str]:
        """Set a mark behind all that has come; reached at once if that has been played."""
        self.advance(now_ns)
        self._marks.append((self._taken + len(self._queue) // 2, name))
        return self._reached()

    @property
    def waiting_samples(self) -> int:
        """Samples that came and are not being played yet."""
        return len(self._queue) // 2

    def clear(self, now_ns: int) -> list[str]:
        """Drop what waits; the frame being played is heard to its end. All marks are reached."""
        reached, dropped = self.cut(now_ns)
        return reached + dropped

    def cut(self, now_ns: int) -> tuple[list[str], list[str]]:
        """As ``clear``, and tell the marks that were reached from those that were not."""
        reached = self.advance(now_ns)
        self._queue.clear()
        dropped = [name for _, name in self._marks]
        self._marks.clear()
        return reached, dropped

    def _tick(self) -> None:
        self._played = self._taken
        frame = self._queue[:FRAME_BYTES]
        del self._queue[:FRAME_BYTES]
        self._note_gap(len(frame) // 2)
        self._heard += frame.ljust(FRAME_BYTES, b"\0")
        self._taken += len(frame) // 2
        self.depths.append(len(self._queue) // 2)

    def _note_gap(self, samples: int) -> None:
        if samples and self._silent_samples:
            at_ns = self.clock.tick_ns(self.ticks) - round(self._silent_samples * 1e9 / self.clock.rate_hz)
            self.gaps.append(Gap(at_ns, self._silent_samples))
        if samples:
            self._silent_samples = FRAME_SAMPLES - samples
        elif self._silent_samples is not None:
            self._silent_samples += FRAME_SAMPLES

    def _reached(self) -> list[str]:
        reached = []
        while self._marks and self._marks[0][0] <= self._played:
            reached.append(self._marks.popleft()[1])
        return reached
