"""What goes wrong on a bridge: each kind counted, and logged the 1st, 2nd, 4th, 8th... time: no flood fills a disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from relay.media.playout_stats import PlayoutStats


class Faults:
    """
    Counts and logs one bridge's faults.

    Args:
        log: bound to the transfer.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()

    def note(self, kind: str, detail: object, count: int = 1) -> None:
        """
        Count ``count`` faults of a kind, and log them where the number of all of its kind doubles.

        Args:
            kind: a closed set of names: they become metrics.
            detail: what was expected and what came; no audio, no secrets.
            count: how many at once.
        """
        before = self._counts[kind]
        self._counts[kind] = total = before + count
        if total.bit_length() > before.bit_length():
            self._log.warning(kind, detail=str(detail), count=total)

    def note_total(self, kind: str, detail: object, total: int) -> None:
        """As ``note``, of what somebody else counts: ``total`` of this kind so far."""
        before = self._counts.get(kind, 0)  # what a Counter has not, it looks for in Python
        if total > before:
            self.note(kind, detail, total - before)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each kind so far."""
        return {kind: count for kind, count in self._counts.items() if count}


def note_losses(faults: Faults, playout: PlayoutStats | None, room_counts: Mapping[str, int]) -> None:
    """Note what room and playout lost: they count it, and say nothing."""
    for kind, count in room_counts.items():
        faults.note_total(f"room_{kind}", "counted by the room", count)
    if playout is not None:
        faults.note_total("audio_lost", "frames missing from the carrier's numbers", playout.frames_lost)
        faults.note_total("audio_late", "frames that came after their place", playout.frames_late)
        faults.note_total("audio_twice", "frames that came again", playout.frames_duplicate)
        faults.note_total("audio_overrun", "frames more than can be kept", playout.frames_overrun)


class BadMessageLimit:
    """
    Says when a carrier sends more nonsense than a call can be trusted with.

    A bad message costs a point, and every second gives two back: a few bad ones now and then go on for ever.
    """

    POINTS_PER_S = 2

    def __init__(self, points_max: int) -> None:
        self._points_max = points_max
        self._points = 0.0

    def exceeded(self) -> bool:
        """Note one bad message; True if that is one too many."""
        self._points += 1
        return self._points > self._points_max

    def recover(self, elapsed_s: float) -> None:
        """Note that time has passed."""
        self._points = max(self._points - self.POINTS_PER_S * elapsed_s, 0.0)
