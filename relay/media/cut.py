"""Leaves out a long stretch of a queue at once, where it is heard least."""

from __future__ import annotations

import math
from typing import Final

from relay._codec import crossfade, level_dbfs
from relay.media.frame_queue import FrameQueue

_PLACES: Final = 10
"""Among which the quietest is taken: 200 ms of 20 ms frames."""


def cut(queue: FrameQueue, pcm: bytes, excess_bytes: float, fade_bytes: int) -> tuple[bytes, int]:
    """
    Leave out whole frames, ``excess_bytes`` at most, with one cross-fade of ``fade_bytes`` (or a frame, if shorter).

    Args:
        queue: what waits behind ``pcm``; is changed.
        pcm: the frame to be played next.
        excess_bytes: what may go.
        fade_bytes: length of the cross-fade.

    Returns:
        The frame to be played next instead, and how many bytes were left out.
    """
    waiting: list[bytes | int] = [pcm, *(entry[0] for entry in queue.entries)]
    frames = int(excess_bytes * len(waiting) / (queue.size_bytes + len(pcm)))
    if not 0 < frames < len(waiting):
        return pcm, 0
    levels = [math.inf if isinstance(frame, int) else level_dbfs(frame) for frame in waiting]
    places = range(min(_PLACES, len(waiting) - frames))
    first = min(places, key=lambda place: max(levels[place], levels[place + frames]))
    before, after = waiting[first], waiting[first + frames]
    if isinstance(before, int) or isinstance(after, int):
        return pcm, 0  # frames are missing at both ends wherever one looks
    fade_bytes = min(fade_bytes, len(before), len(after))
    joint = crossfade(before[:fade_bytes], after)
    if first > 0:
        return pcm, queue.cut(first - 1, first - 1 + frames, joint)
    left_out = queue.cut(0, frames - 1, joint) + len(pcm)
    queue.pop()
    return joint, left_out
