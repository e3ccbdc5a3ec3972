"""The customer of mode ``bridge``: when what it says counts as said."""

import pytest

from relay.dev.bench.bridge_seat import Seat

MS = 1_000_000


def test_seat_keeps_only_what_is_after_the_beginning() -> None:
    seat = Seat((b"a", b"b", b"c"), 20 * MS)
    assert [seat.speak(0), seat.speak(20 * MS)] == [b"a", b"b"]
    seat.take(b"12", 0)
    seat.begin()
    assert [seat.speak(40 * MS), seat.speak(60 * MS)] == [b"c", b"a"]
    seat.take(b"34", 0)
    assert (seat.first, seat.said_ns.tolist(), bytes(seat.taken)) == (2, [40 * MS, 60 * MS], b"34")


def test_seat_says_frames_when_they_are_due_however_late_it_is_asked() -> None:
    seat = Seat((b"a", b"b", b"c"), 20 * MS)
    seat.speak(3 * MS)  # late as well, as the next one shows
    seat.begin()
    for asked_ms in (20, 57, 57, 80):
        seat.speak(asked_ms * MS)
    assert seat.said_ns.tolist() == [20 * MS, 40 * MS, 60 * MS - 3 * MS, 77 * MS]


@pytest.mark.parametrize("tick_ms", [10, 20])
def test_frames_of_missed_ticks_are_said_and_never_heard(tick_ms: int) -> None:
    seat = Seat((b"a", b"b", b"c", b"d"), tick_ms * MS)
    missed = 0
    seat.missed_ticks = lambda: missed
    seat.begin()
    assert seat.speak(0) == b"a"
    missed = 40 // tick_ms
    assert seat.speak(95 * MS) == b"d"
    assert seat.said_ns.tolist() == [0, 20 * MS, 40 * MS, 60 * MS]


def test_half_a_frame_that_was_missed_puts_the_others_off() -> None:
    seat = Seat((b"a", b"b", b"c", b"d"), 10 * MS)
    missed = 0
    seat.missed_ticks = lambda: missed
    seat.begin()
    seat.speak(0)
    missed = 1
    seat.speak(55 * MS)
    missed = 2
    assert seat.speak(120 * MS) == b"d"
    assert seat.said_ns.tolist() == [0, 30 * MS, 40 * MS, 60 * MS]
