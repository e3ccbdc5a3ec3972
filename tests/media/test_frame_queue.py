"""Order, gaps, duplicates and the cap (F17)."""

import pytest

from relay.media.frame_queue import RENUMBERED_FRAMES, REPEATED_FRAMES, FrameQueue

SIZE = 320


def frame(number: int) -> bytes:
    return bytes([number % 256]) * SIZE


def queue_of(*numbers: int, capacity_bytes: int = 1 << 20) -> FrameQueue:
    queue = FrameQueue(capacity_bytes)
    for number in numbers:
        queue.push(frame(number), number, number)
    return queue


def popped(queue: FrameQueue) -> list[int]:
    """The numbers of what comes, -1 for a gap."""
    out = []
    while queue.entries:
        pcm, _ = queue.pop()
        out.append(-1 if isinstance(pcm, int) else pcm[0])
    assert queue.size_bytes == 0
    return out


@pytest.mark.parametrize(
    ("came", "comes"),
    [
        ((1, 2, 3), [1, 2, 3]),
        ((1, 3), [1, -1, 3]),
        ((1, 3, 2), [1, 2, 3]),
        ((1, 4, 2, 3), [1, 2, 3, 4]),
        ((1, 4, 3), [1, -1, 3, 4]),
        ((1, 2, 2, 1, 3), [1, 2, 3]),
        ((1, 3, 2, 2), [1, 2, 3]),
        ((7, 200, 201), [7, 200, 201]),
        ((200, 3, 4), [200, 3, 4]),
    ],
)
def test_frames_come_in_order_with_gaps_for_what_is_missing(came: tuple[int, ...], comes: list[int]) -> None:
    assert popped(queue_of(*came)) == comes


def test_numbering_that_begins_anew_a_little_earlier_mutes_nobody_for_long() -> None:
    queue = queue_of(*range(1, 31), *range(1, 31))
    assert queue.duplicate == REPEATED_FRAMES
    assert popped(queue) == [*range(1, 31), *range(1 + REPEATED_FRAMES, 31)]


def test_number_that_never_moves_mutes_nobody_for_long() -> None:
    queue = queue_of(*[7] * 40)
    assert queue.duplicate == REPEATED_FRAMES
    assert popped(queue) == [7] * (40 - REPEATED_FRAMES)


def test_frames_without_numbers_come_as_they_arrived() -> None:
    queue = FrameQueue(1 << 20)
    for number in (3, 1, 2, 2):
        queue.push(frame(number), 0, None)
    assert popped(queue) == [3, 1, 2, 2]


def test_what_is_before_a_frame_is_what_will_be_played_before_it() -> None:
    queue = FrameQueue(1 << 20)
    assert [queue.push(frame(n), 0, n) for n in (1, 2, 5, 4, 2)] == [0, SIZE, 4 * SIZE, 3 * SIZE, None]


def test_a_frame_whose_place_was_played_is_late_and_a_played_one_a_duplicate() -> None:
    queue = queue_of(1, 3)
    for _ in range(2):
        queue.pop()
    assert (queue.lost, queue.late, queue.duplicate) == (1, 0, 0)
    assert queue.push(frame(2), 0, 2) == -SIZE
    assert (queue.lost, queue.late, queue.duplicate) == (1, 1, 0)
    assert queue.push(frame(2), 0, 2) is None
    assert queue.push(frame(1), 0, 1) is None
    assert (queue.late, queue.duplicate) == (1, 2)
    assert popped(queue) == [3]


def test_a_jump_of_more_than_a_second_is_no_loss() -> None:
    assert len(queue_of(1, 2 + RENUMBERED_FRAMES).entries) == 2 + RENUMBERED_FRAMES
    assert len(queue_of(1, 3 + RENUMBERED_FRAMES).entries) == 2
    assert len(queue_of(1, 10**9, 10**9 + 1).entries) == 3


def test_the_oldest_go_when_there_are_too_many() -> None:
    queue = queue_of(*range(10), capacity_bytes=4 * SIZE)
    assert (queue.overrun, queue.overrun_bytes, queue.size_bytes) == (6, 6 * SIZE, 4 * SIZE)
    assert popped(queue) == [6, 7, 8, 9]


def test_one_frame_longer_than_the_cap_is_kept() -> None:
    assert popped(queue_of(1, 2, capacity_bytes=10)) == [2]


def test_a_gap_that_was_concealed_is_left_out_to_the_byte() -> None:
    queue = queue_of(1)
    queue.pop()
    assert queue.skip_gap(4, SIZE, SIZE + 100) == SIZE + 100
    queue.push(frame(4), 0, 4)
    assert queue.pop()[0] == SIZE - 100
    assert popped(queue) == [4]
    assert queue.lost == 2


@pytest.mark.parametrize("sequence", [2, 1, 3 + RENUMBERED_FRAMES])
def test_no_gap_is_left_out_where_there_is_none(sequence: int) -> None:
    queue = queue_of(1)
    queue.pop()
    assert queue.skip_gap(sequence, SIZE, 10 * SIZE) == 0
    assert FrameQueue(100).skip_gap(sequence, SIZE, SIZE) == 0


def test_the_rest_of_a_frame_comes_next() -> None:
    queue = queue_of(1, 2)
    pcm, _ = queue.pop()
    assert isinstance(pcm, bytes)
    queue.put_back(pcm[100:])
    assert queue.size_bytes == 2 * SIZE - 100
    assert queue.push(frame(2), 0, 2) is None
    assert queue.pop()[0] == pcm[100:]


def test_what_is_cut_is_gone_and_counted() -> None:
    queue = queue_of(1, 2, 3, 4, 5)
    assert queue.cut(1, 3, frame(9)) == 2 * SIZE
    assert popped(queue) == [1, 9, 5]


def test_a_cleared_queue_knows_no_number() -> None:
    queue = queue_of(5, 7)
    queue.clear()
    assert queue.push(frame(3), 0, 3) == 0
    assert popped(queue) == [3]


@pytest.mark.parametrize("size_bytes", [0, 1, 319])
def test_a_bad_frame_is_refused_without_a_trace(size_bytes: int) -> None:
    queue = queue_of(1)
    with pytest.raises(ValueError, match=f"whole samples of 2 bytes, got {size_bytes} bytes"):
        queue.push(bytes(size_bytes), 0, 2)
    assert queue.received == 1
    assert queue.push(frame(2), 0, 2) == SIZE
