"""Delays of frames, summed up by direction, and when a stall is over."""

from collections.abc import Callable

import pytest

from relay.dev.bench.direction import Direction, Moment, back_s, target_at
from relay.dev.bench.heard import FrameDelay, Frames
from relay.dev.bench.spread import Spread

S = 1_000_000_000


def frames(*delays_ms: float, said: int = 10) -> Frames:
    delays = tuple(FrameDelay(number * S // 50, ms) for number, ms in enumerate(delays_ms))
    return Frames(delays, said, repeated=1, unreadable=2)


def test_jitter_target_is_taken_off_what_is_beyond_it() -> None:
    direction = Direction.of([(frames(31.0, 32.0, 55.0), [(0, 30.0)]), (frames(4.0, 5.0, 6.0), [])], since_ns=0)
    assert (direction.calls, direction.said, direction.missing) == (2, 20, 14)
    assert (direction.repeated, direction.unreadable, direction.late) == (2, 4, 1)
    assert (direction.added.most, direction.beyond.most) == (55.0, 25.0)
    assert (direction.quantiles_ms[0], direction.quantiles_ms[-1]) == (1.0, 25.0)


def test_moments_are_of_a_tenth_of_a_second() -> None:
    direction = Direction.of([(frames(*range(1, 11)), [(0, 3.0)])], since_ns=0)
    assert direction.moments == (Moment(0.0, 3.0, 5.0, 3.0), Moment(0.1, 8.0, 10.0, 3.0))


def test_target_is_the_last_that_was_reported() -> None:
    assert [target_at([(100, 40.0), (200, 30.0)], now_ns) for now_ns in (50, 150, 200)] == [40.0, 40.0, 30.0]
    assert target_at([], 50) == 0.0


def test_percentiles_are_values_that_were_there() -> None:
    assert Spread.of([float(value) for value in range(1000, 0, -1)]) == Spread(1000, 500.0, 990.0, 999.0, 1000.0)
    assert Spread.of([]) == Spread(0, 0.0, 0.0, 0.0, 0.0)


def moments(differs: Callable[[int], bool] = lambda _: False, *, tenths: range = range(30)) -> list[Moment]:
    return [Moment(each / 10, 35.0 + 50 * differs(each), 90.0, 30.0) for each in tenths]


@pytest.mark.parametrize(
    ("late_until_s", "expected"),
    [(0.0, 0.0), (1.5, 0.3), (3.0, None)],
)
def test_stall_is_over_when_delay_less_its_target_is_as_before(late_until_s: float, expected: float | None) -> None:
    seen = moments(lambda tenth: 10 <= tenth < round(late_until_s * 10))
    back = back_s(seen, begin_s=1.0, end_s=1.2, until_s=3.0)
    assert back == (None if expected is None else pytest.approx(expected))


def test_direction_that_dies_at_a_stall_is_not_back() -> None:
    assert back_s(moments(tenths=range(10)), begin_s=1.0, end_s=1.2, until_s=3.0) is None


def test_time_without_frames_is_not_as_before() -> None:
    seen = [*moments(tenths=range(10)), *moments(tenths=range(17, 30))]
    assert back_s(seen, begin_s=1.0, end_s=1.2, until_s=3.0) == pytest.approx(0.5)


def test_one_noisy_moment_is_no_part_of_a_stall() -> None:
    assert back_s(
        moments(lambda tenth: tenth in {10, 11, 25, 29}), begin_s=1.0, end_s=1.2, until_s=3.0
    ) == pytest.approx(0.0)


def test_nothing_before_a_stall_is_nothing_to_compare_with() -> None:
    assert back_s([Moment(2.0, 35.0, 90.0, 30.0)], begin_s=1.0, end_s=1.2, until_s=3.0) is None
