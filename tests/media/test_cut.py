"""Leaving out a long stretch at its quietest ends."""

import numpy as np
import pytest

from relay.media.cut import cut
from relay.media.frame_queue import FrameQueue
from tests.signals import pcm, samples_of


def level(value: int) -> bytes:
    return pcm([value] * 160)


def waiting(*levels: int) -> FrameQueue:
    queue = FrameQueue(1 << 20)
    for value in levels:
        queue.push(level(value), 0, None)
    return queue


def heard(frame: bytes, queue: FrameQueue) -> list[int]:
    """The level at the end of each frame that is left."""
    return [
        int(samples_of(each)[-1]) for each in (frame, *(entry[0] for entry in queue.entries)) if isinstance(each, bytes)
    ]


def test_the_ends_of_what_goes_are_where_it_is_quietest() -> None:
    queue = waiting(9000, 10, 9001, 9002, 20, 9003, 9004)
    frame, left_out = cut(queue, level(8000), 3 * 320, 80)
    assert left_out == 3 * 320
    assert heard(frame, queue) == [8000, 9000, 20, 9003, 9004]
    assert queue.size_bytes == 4 * 320


def test_the_frame_in_hand_may_be_the_first_that_goes() -> None:
    queue = waiting(9000, 9001, 10, 9003)
    frame, left_out = cut(queue, level(5), 3 * 320, 80)
    assert (heard(frame, queue), left_out) == ([10, 9003], 3 * 320)


def test_the_seam_is_a_straight_cross_fade() -> None:
    queue = waiting(400, 400)
    frame, _ = cut(queue, level(-400), 640, 160)
    joint = samples_of(frame).astype(float)
    assert np.max(np.abs(joint[:80] - np.linspace(-400, 400, 82)[1:-1])) <= 1
    assert (joint[80:] == 400).all()


@pytest.mark.parametrize("excess_bytes", [0, 319, 3 * 320, 1 << 20])
def test_nothing_goes_if_no_frame_would_or_all(excess_bytes: int) -> None:
    queue, frame = waiting(1, 2), level(3)
    assert cut(queue, frame, excess_bytes, 80) == (frame, 0)
    assert len(queue.entries) == 2


def test_nothing_goes_where_only_gaps_are_left() -> None:
    queue, frame = FrameQueue(1 << 20), level(3)
    queue.push(frame, 0, 1)
    queue.push(frame, 0, 40)
    queue.pop()
    queue.entries.pop()
    queue.size_bytes -= 320
    assert cut(queue, frame, 5 * 320, 80) == (frame, 0)
