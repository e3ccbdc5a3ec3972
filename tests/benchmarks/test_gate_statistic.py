"""The verdict on times, on made-up ones: what a launch comes to, what bound the launches give, and when it closes."""

import math
import random

import pytest

from benchmarks.gate.statistic import ALPHA, Slowdown, log_ratio, rank
from benchmarks.gate.versus import LAUNCHES


def slowdown(ratios: list[float]) -> Slowdown:
    return Slowdown.of("codec in", [math.log(ratio) for ratio in ratios], base_us=1.0, now_us=1.0)


def test_a_ratio_is_the_mean_of_its_pairs_and_of_its_path_alone() -> None:
    turns = [
        ({"in": 100.0, "out": 1.0}, {"in": 110.0, "out": 1.0}),
        ({"in": 100.0, "out": 1.0}, {"in": 90.0, "out": 9.0}),
    ]
    assert log_ratio(turns, "in") == pytest.approx((math.log(1.1) + math.log(0.9)) / 2)


def test_what_drifts_by_the_same_part_from_turn_to_turn_falls_out() -> None:
    one, two, three, four = (100 * 1.1**turn for turn in range(4))
    abba = [({"in": one}, {"in": two}), ({"in": four}, {"in": three})]
    assert log_ratio(abba, "in") == pytest.approx(0)


@pytest.mark.parametrize(("launches", "at"), [(5, 0), (6, 1), (8, 1), (10, 2), (20, 5)])
def test_the_bound_is_the_sign_tests_rank(launches: int, at: int) -> None:
    """Of ten, nine above it by chance: (1 + 10) / 2 ** 10."""
    assert rank(launches) == at
    chance = sum(math.comb(launches, below) for below in range(at)) / 2**launches
    assert chance <= ALPHA < chance + math.comb(launches, at) / 2**launches


def test_the_default_has_a_bound_that_one_disturbed_launch_does_not_move() -> None:
    quiet = [1.10] * (LAUNCHES - 1)
    assert slowdown([*quiet, 9.0]).lower == slowdown([*quiet, 0.1]).lower == pytest.approx(0.10)
    assert slowdown([*quiet, 9.0]).upper == pytest.approx(0.10)


def test_too_few_launches_close_nothing() -> None:
    few = slowdown([9.0] * 5)
    assert few.estimate == pytest.approx(8)
    assert (few.lower, few.upper) == (-1, math.inf)
    assert not few.is_beyond(0.05)


def test_beyond_the_bound_is_what_is_surely_beyond_it() -> None:
    assert slowdown([1.06] * 10).is_beyond(0.05)
    assert not slowdown([1.05] * 10).is_beyond(0.0501)
    assert not slowdown([1.04, 1.04, *[1.5] * 8]).is_beyond(0.05)
    assert not slowdown([0.5] * 10).is_beyond(0.05)


def test_noise_without_a_slowdown_stays_within_and_a_slowdown_in_noise_is_found() -> None:
    """Launches that differ by 5 percent, a little more than docs/gate.md has; the generator's seed is given."""
    noise = random.Random(3)

    def closed(true: float) -> int:
        runs = [slowdown([true * math.exp(noise.gauss(0, 0.05)) for _ in range(LAUNCHES)]) for _ in range(500)]
        return sum(run.is_beyond(0.05) for run in runs)

    assert closed(1.0) == 0
    assert closed(1.05) <= 500 * ALPHA
    assert closed(1.15) >= 450
