"""A stretch of audio with its place in time, and how one is made of frames and pieces."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

NEIGHBOURS: Final = 12
"""On each side, that say when a frame came: a late one among them says nothing."""


class Recording(NamedTuple):
    """
    L16 mono from ``start_ns`` (monotonic) on.

    ``rate_hz`` is the recorder's true rate: a clock that is 100 ppm fast has 8000.8.
    """

    pcm: bytes
    rate_hz: float
    start_ns: int

    @property
    def duration_ms(self) -> float:
        """How much audio it holds."""
        return 1000 * len(self.pcm) / 2 / self.rate_hz

    def since(self, now_ns: int) -> Recording:
        """The rest of it from ``now_ns`` on."""
        first = min(max(0, round((now_ns - self.start_ns) * self.rate_hz / 1e9)), len(self.pcm) // 2)
        return Recording(self.pcm[2 * first :], self.rate_hz, self.start_ns + round(first * 1e9 / self.rate_hz))


def laid_out(frames: Sequence[tuple[int, bytes]], rate_hz: int) -> Recording:
    """
    Frames of one length at the times they came, with silence where none came for half a frame or longer.

    When a frame came is what it and its neighbours say together: one that the loop fetched late is no later in the
    time of who sent it.
    """
    if not frames:
        return Recording(b"", rate_hz, 0)
    frame_samples = len(frames[0][1]) // 2
    frame_ns = frame_samples * 1_000_000_000 // rate_hz
    starts_ns = [at_ns - number * frame_ns for number, (at_ns, _) in enumerate(frames)]
    pcm = bytearray()
    first_ns = None
    for number, (_, frame) in enumerate(frames):
        start_ns = int(statistics.median(starts_ns[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]))
        if first_ns is None:
            first_ns = start_ns
        place = round((start_ns + number * frame_ns - first_ns) * rate_hz / 1e9)
        missing = place - len(pcm) // 2
        if missing > frame_samples // 2:
            pcm += bytes(2 * missing)
        pcm += frame
    return Recording(bytes(pcm), rate_hz, first_ns or 0)


def spliced(recordings: Sequence[Recording]) -> Recording:
    """
    One after the other, with silence between them; where they overlap, the later is heard.

    Raises:
        ValueError: there is none, or they have several rates.
    """
    rates_hz = {recording.rate_hz for recording in recordings}
    if len(rates_hz) != 1:
        raise ValueError(f"spliced: expected recordings at one rate, got {sorted(rates_hz)} Hz")
    first = recordings[0]
    pcm = bytearray()
    for recording in recordings:
        place = 2 * max(0, round((recording.start_ns - first.start_ns) * first.rate_hz / 1e9))
        pcm = pcm[:place].ljust(place, b"\0") + recording.pcm
    return Recording(bytes(pcm), first.rate_hz, first.start_ns)
