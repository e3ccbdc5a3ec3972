"""How much of our audio the carrier holds unplayed: reckoned from what was sent, corrected by the marks it returns."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from relay.media.format import PTIME_MS

# Two messages a second in each direction, among 50: what the carrier's clock and the network do shows soon enough.
MARK_INTERVAL_MS: Final = 500
MARKS_OUT_MAX: Final = 20

# A mark's least way ever, there and back, is the path and the carrier's own jitter buffer: no trimming takes that away.
# What network jitter adds to it is let be; what is more is trimmed to within a frame of it.
TOLERANCE_MS: Final = 40.0
TRIM_TO_MS: Final = 20.0

# A carrier may have been behind from the first mark on. More than this beyond the network's round trip is taken for
# that, until trimming has been found to change nothing.
OWN_MAX_MS: Final = 160.0
FUTILE_TRIM_MS: Final = 40.0
FUTILE_FALL_MS: Final = 15.0

# More than this would take seconds to trim, with everybody talking late until then: drop it at once.
CLEAR_ABOVE_MS: Final = 600.0

# Without marks the reckoning runs on two clocks that nobody compares. It forgets faster than clocks drift apart.
FORGET_PER_MS: Final = 0.001


_NAME_MAX: Final = 40
_UNKNOWN_MS: Final = math.inf  # here, so that it is a double of C and no attribute to look up


class _Mark(NamedTuple):
    sent_ns: int
    reckoned_ms: float
    trimmed_ms: float


class _Measured(NamedTuple):
    way_ms: float
    trimmed_ms: float


class CarrierBuffer:
    """
    Follows one stream's playout at the carrier.

    The *way* is how long a mark takes there and back: the path, and what the carrier has to play before it. What is
    sent adds to the way and time takes it away, down to its least; a mark that comes back says what it was when it was
    sent, and corrects the reckoning. Marks carry a generation: those that a ``clear`` flushes out of the carrier say
    nothing.

    Args:
        marks: whether the carrier has marks.
        message_ms: audio sent at a time. The carrier has to have that, too: the least way contains it.
    """

    def __init__(self, *, marks: bool, message_ms: int = PTIME_MS) -> None:
        self._marks = marks
        self._message_ms = message_ms
        self._way_ms = 0.0
        self._updated_ns = 0
        self._least_ms = _UNKNOWN_MS if marks else float(message_ms - PTIME_MS)
        self._own_max_ms = OWN_MAX_MS + message_ms - PTIME_MS
        self._trimmed_ms = 0.0
        self._trimming = False
        self._generation = 0
        self._sequence = 0
        self._since_mark_ms = 0
        self._out: dict[str, _Mark] = {}
        self._last: _Measured | None = None  # the last mark that came back, None if none did since the last clear

    @property
    def marks_out(self) -> int:
        """Marks sent that have not come back."""
        return len(self._out)

    def sent(self, duration_ms: int, now_ns: int) -> str | None:
        """Note audio sent; returns the name of the mark to send after it, if one is due."""
        self._run_down(now_ns)
        self._way_ms += duration_ms
        if not self._marks:
            return None
        self._since_mark_ms += duration_ms
        if self._since_mark_ms < MARK_INTERVAL_MS:
            return None
        self._since_mark_ms = 0
        self._sequence += 1
        name = f"{self._generation}.{self._sequence}"
        self._out[name] = _Mark(now_ns, self._way_ms, self._trimmed_ms)
        if len(self._out) > MARKS_OUT_MAX:
            del self._out[next(iter(self._out))]
        return name

    def not_sent(self, name: str) -> None:
        """Note that the mark of that name was not sent after all."""
        self._out.pop(name, None)

    def trimmed(self, duration_ms: float) -> None:
        """Note audio that was taken out instead of being sent."""
        self._trimmed_ms += duration_ms

    def reached(self, name: str, now_ns: int) -> bool:
        """Note a mark that came back, with ``name`` as ``sent`` returned it; False if it is none of ours."""
        mark = self._out.get(name)
        if mark is None:
            generation, _, number = name[:_NAME_MAX].partition(".")  # a longer one could be no number of Python's
            ours = generation.isdecimal() and int(generation) <= self._generation
            return ours and number.isdecimal() and 0 < int(number) <= self._sequence
        while next(iter(self._out)) != name:  # what was before it has been played too
            del self._out[next(iter(self._out))]
        del self._out[name]
        self._run_down(now_ns)
        measured = _Measured((now_ns - mark.sent_ns) / 1e6, mark.trimmed_ms)
        self._way_ms = max(self._way_ms + measured.way_ms - mark.reckoned_ms, 0.0)
        self._least_ms = min(self._least_ms, measured.way_ms)
        if self._is_futile(measured):
            self._least_ms, self._own_max_ms = measured.way_ms, math.inf
        self._last = measured
        return True

    def clear(self) -> None:
        """Note that everything sent so far is being dropped."""
        self._generation += 1
        self._since_mark_ms = 0
        self._out.clear()
        self._last = None
        self._way_ms = 0.0 if self._least_ms == _UNKNOWN_MS else max(self._least_ms - self._message_ms + PTIME_MS, 0.0)

    def depth_ms(self, now_ns: int, *, round_trip_ms: float) -> float:
        """Audio the carrier has not played yet; ``round_trip_ms`` is the network's part of a mark's way."""
        return max(self._way_now_ms(now_ns) - (round_trip_ms if self._last else 0.0), 0.0)

    def excess_ms(self, now_ns: int, round_trip_ms: float, collected_ms: float = 0.0) -> float:
        """What trimming could take away, 0.0 if nothing; ``collected_ms`` is what waits for its message to be whole."""
        least_ms = min(self._least_ms, self._own_max_ms + round_trip_ms)
        above_ms = self._way_now_ms(now_ns) + collected_ms - least_ms
        self._trimming = above_ms > (TRIM_TO_MS if self._trimming else TOLERANCE_MS)
        return above_ms - TRIM_TO_MS if self._trimming else 0.0

    def _is_futile(self, measured: _Measured) -> bool:
        """Whether trimming since the last mark did not shorten the way: then it is the path that is so long."""
        last = self._last
        return (
            last is not None
            and measured.trimmed_ms - last.trimmed_ms >= FUTILE_TRIM_MS
            and abs(measured.way_ms - last.way_ms) <= FUTILE_FALL_MS
        )

    def _way_now_ms(self, now_ns: int) -> float:
        self._run_down(now_ns)
        if self._last is not None:
            for mark in self._out.values():  # the oldest; while it is out its way is at least its age
                return self._way_ms + max((now_ns - mark.sent_ns) / 1e6 - mark.reckoned_ms, 0.0)
        return self._way_ms

    def _run_down(self, now_ns: int) -> None:
        elapsed_ms = (now_ns - self._updated_ns) / 1e6
        self._updated_ns = now_ns
        if not self._marks:
            elapsed_ms *= 1 + FORGET_PER_MS
        dry_ms = 0.0
        if self._least_ms != _UNKNOWN_MS:
            dry_ms = min(self._least_ms, self._own_max_ms) - self._message_ms
        self._way_ms = max(self._way_ms - elapsed_ms, dry_ms, 0.0)
