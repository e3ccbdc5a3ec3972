"""Takes delay out of a stream: whole frames where it is quiet, pitch periods where it is not."""

from __future__ import annotations

from typing import Final

from relay._codec import crossfade, level_dbfs, shorten

QUIET_DBFS: Final = -45.0
"""Below this a frame may go: line and room noise of a phone call; speech is 15 dB and more above it."""

FADE_MS: Final = 5
"""Cross-fade over a dropped frame: between two stretches of noise that quiet, nothing shows."""

_SPEED_UP: Final = 0.2  # of what is heard may go, on average: what NetEQ's accelerate comes to on speech
_BUDGET_MS: Final = 15  # the longest period, so that no more than one goes at a time
_RUN_MIN_MS: Final = 20  # what shorten takes
_RUN_MAX_MS: Final = 40

# A frame that has no period is left alone and the next need not match as well, until noise is shortened too: seams in
# it are up to 3 dB down and last 10 ms.
_MATCH: Final = 0.9
_MATCH_FALL_PER_MS: Final = 0.0025
_MATCH_RISE_PER_MS: Final = 0.00125
_MATCH_ANY: Final = 0.5  # below it, frames too short to be shortened are dropped


class Drain:
    """
    Takes delay out of a stream without being heard: drops quiet frames, else removes pitch periods.

    Raises:
        ValueError: ``shorten`` does not have the rate.
    """

    __slots__ = ("_budget_bytes", "_bytes_per_ms", "_dropped", "_match", "_rate_hz")

    def __init__(self, rate_hz: int) -> None:
        shorten(bytes(2 * rate_hz * _RUN_MIN_MS // 1000), 0, rate_hz)  # refuses unknown rates
        self._rate_hz = rate_hz
        self._bytes_per_ms = rate_hz // 500
        self.reset()

    def reset(self) -> None:
        """Forget what went before: the next frame follows nothing."""
        self._dropped = b""  # the beginning of what was dropped last, which continues what was heard
        self._budget_bytes = 0.0
        self._match = _MATCH

    def push(self, pcm: bytes, excess_ms: float) -> bytes:
        """
        Take the next frame and return it, or less of it, possibly ``b""``, when ``excess_ms`` is above 0.

        What is left out is never more than ``excess_ms``, and its seams are cross-faded: the one after a dropped frame
        in the next frame returned. Frames below 20 ms lose all or nothing.

        Args:
            pcm: L16 of whole samples.
            excess_ms: delay that may go.
        """
        if excess_ms <= 0 or not pcm:
            self._match = _MATCH
            return self._joined(pcm)
        size = len(pcm)
        spare_bytes = excess_ms * self._bytes_per_ms
        self._budget_bytes = min(self._budget_bytes + _SPEED_UP * size, _BUDGET_MS * self._bytes_per_ms)
        if level_dbfs(pcm) < QUIET_DBFS:
            if size <= spare_bytes:
                return self._drop(pcm)
            return self._shortened(self._joined(pcm), spare_bytes, 0.0)
        if size < _RUN_MIN_MS * self._bytes_per_ms:
            return self._perhaps_dropped(pcm, spare_bytes)
        saved = self._budget_bytes == _BUDGET_MS * self._bytes_per_ms
        out = self._shortened(self._joined(pcm), min(spare_bytes, self._budget_bytes), self._match)
        self._budget_bytes -= size - len(out)
        if len(out) < size:
            self._learn(size, _MATCH_RISE_PER_MS)
        elif saved:  # else a longer period may match when there is budget for it
            self._learn(size, -_MATCH_FALL_PER_MS)
        return out

    def _learn(self, size_bytes: int, match_per_ms: float) -> None:
        self._match = min(max(self._match + match_per_ms * size_bytes / self._bytes_per_ms, 0.0), _MATCH)

    def _drop(self, pcm: bytes) -> bytes:
        if not self._dropped:
            self._dropped = pcm[: FADE_MS * self._bytes_per_ms]
        return b""

    def _perhaps_dropped(self, pcm: bytes, spare_bytes: float) -> bytes:
        if self._match < _MATCH_ANY and len(pcm) <= min(spare_bytes, self._budget_bytes):
            self._budget_bytes -= len(pcm)
            return self._drop(pcm)
        self._learn(len(pcm), -_MATCH_FALL_PER_MS)
        return self._joined(pcm)

    def _joined(self, pcm: bytes) -> bytes:
        """The frame, faded in over the beginning of what was dropped before it."""
        if not self._dropped or not pcm:
            return pcm
        before, self._dropped = self._dropped, b""
        return crossfade(before[: len(pcm)], pcm)

    def _shortened(self, pcm: bytes, spare_bytes: float, match: float) -> bytes:
        """One period less, and another as long as they match: those of a high tone are short."""
        least_bytes = len(pcm) - spare_bytes
        while len(pcm) >= _RUN_MIN_MS * self._bytes_per_ms:
            kept = max(len(pcm) - _RUN_MAX_MS * self._bytes_per_ms, 0)
            shorter = pcm[:kept] + shorten(
                pcm[kept:], int(len(pcm) - least_bytes) // 2, self._rate_hz, least_match=match
            )
            if len(shorter) == len(pcm):
                break
            pcm = shorter
        return pcm
