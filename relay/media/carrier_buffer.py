"""How much of our audio the carrier holds unplayed: reckoned from what was sent, corrected by the marks it returns."""

from __future__ import annotations

from typing import Final, NamedTuple

# Two messages a second in each direction, among 50: what the carrier's clock and the network do shows soon enough.
MARK_INTERVAL_MS: Final = 500

# The least depth ever seen is the carrier's own jitter buffer and the way to the phone: no trimming takes that away.
# What network jitter adds to it is let be; what is more is trimmed to within a frame of it.
TOLERANCE_MS: Final = 40.0
TRIM_TO_MS: Final = 20.0
FLOOR_MAX_MS: Final = 160.0

# More than this would take seconds to trim, with everybody talking late until then: drop it at once.
CLEAR_ABOVE_MS: Final = 600.0

# Without marks the reckoning runs on two clocks that nobody compares. It forgets faster than clocks drift apart.
FORGET_PER_MS: Final = 0.001


class _Mark(NamedTuple):
    sent_ns: int
    reckoned_ms: float


class CarrierBuffer:
    """
    Follows one stream's playout at the carrier.

    What is sent adds to the depth and time takes it away, down to nothing. A mark comes back when all audio sent
    before it has been played, so its way there and back, less the network's, is what the depth was when it was sent;
    by the difference to what was reckoned then the reckoning is corrected. Marks carry a generation: those that a
    ``clear`` flushes out of the carrier say nothing about depth.

    Args:
        marks: whether the carrier has marks.
    """

    def __init__(self, *, marks: bool) -> None:
        self._marks = marks
        self._depth_ms = 0.0
        self._updated_ns = 0
        self._floor_ms = FLOOR_MAX_MS if marks else 0.0
        self._generation = 0
        self._sequence = 0
        self._since_mark_ms = 0
        self._out: dict[str, _Mark] = {}
        self._trimming = False
        self._answers = False  # no mark has come back since the last clear: that one is late means nothing

    @property
    def marks_out(self) -> int:
        """Marks sent that have not come back."""
        return len(self._out)

    def sent(self, duration_ms: int, now_ns: int) -> str | None:
        """Note audio sent; returns the name of the mark to send after it, if one is due."""
        self._run_down(now_ns)
        self._depth_ms += duration_ms
        if not self._marks:
            return None
        self._since_mark_ms += duration_ms
        if self._since_mark_ms < MARK_INTERVAL_MS:
            return None
        self._since_mark_ms = 0
        self._sequence += 1
        name = f"{self._generation}.{self._sequence}"
        self._out[name] = _Mark(now_ns, self._depth_ms)
        return name

    def reached(self, name: str, now_ns: int, *, round_trip_ms: float) -> bool:
        """
        Note a mark that came back; False if it is none of ours.

        Args:
            name: as ``sent`` returned it.
            now_ns: when it came.
            round_trip_ms: the network's part of its way.
        """
        mark = self._out.pop(name, None)
        self._answers = self._answers or mark is not None
        if mark is None:
            generation = name.partition(".")[0]
            return generation.isdecimal() and int(generation) < self._generation
        self._run_down(now_ns)
        depth_ms = max((now_ns - mark.sent_ns) / 1e6 - round_trip_ms, 0.0)
        self._depth_ms = max(self._depth_ms + depth_ms - mark.reckoned_ms, 0.0)
        self._floor_ms = min(self._floor_ms, depth_ms)
        return True

    def clear(self) -> None:
        """Note that everything sent so far is being dropped."""
        self._generation += 1
        self._since_mark_ms = 0
        self._out.clear()
        self._answers = False
        self._depth_ms = 0.0

    def depth_ms(self, now_ns: int, *, round_trip_ms: float) -> float:
        """Audio the carrier has not played yet."""
        self._run_down(now_ns)
        if not self._answers:
            return self._depth_ms
        for mark in self._out.values():  # the oldest; while it is out the depth was at least its age
            overdue_ms = (now_ns - mark.sent_ns) / 1e6 - round_trip_ms - mark.reckoned_ms
            return self._depth_ms + max(overdue_ms, 0.0)
        return self._depth_ms

    def excess_ms(self, now_ns: int, *, round_trip_ms: float) -> float:
        """Depth that trimming could take away, 0.0 if none."""
        above_ms = self.depth_ms(now_ns, round_trip_ms=round_trip_ms) - self._floor_ms
        self._trimming = above_ms > (TRIM_TO_MS if self._trimming else TOLERANCE_MS)
        return above_ms - TRIM_TO_MS if self._trimming else 0.0

    def _run_down(self, now_ns: int) -> None:
        elapsed_ms = (now_ns - self._updated_ns) / 1e6
        self._updated_ns = now_ns
        if not self._marks:
            elapsed_ms *= 1 + FORGET_PER_MS
        self._depth_ms = max(self._depth_ms - elapsed_ms, 0.0)
