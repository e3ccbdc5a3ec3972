"""The latency histogram."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.media.latency import LatencyHistogram

LONGEST_NS = 8_500_000_000


def histogram(durations_ns: list[int]) -> LatencyHistogram:
    made = LatencyHistogram()
    for duration_ns in durations_ns:
        made.record(duration_ns)
    return made


@given(st.lists(st.integers(0, LONGEST_NS), min_size=1, max_size=50), st.integers(1, 100))
def test_percentile_is_an_upper_bound_by_at_most_a_bucket(durations_ns: list[int], percent: int) -> None:
    exact_ns = sorted(durations_ns)[max(-(-len(durations_ns) * percent // 100) - 1, 0)]
    measured_ns = histogram(durations_ns).percentile_ms(percent) * 1e6
    assert exact_ns <= measured_ns * (1 + 1e-9)
    assert measured_ns <= exact_ns * 17 / 16 + 16_385


def test_longest_is_kept_exactly_and_bounds_the_percentiles() -> None:
    made = histogram([1_000_000, 700_000_000_000])
    assert made.max_ns == 700_000_000_000
    assert made.percentile_ms(100) == 700_000
    assert made.percentile_ms(50) < 1.1


@pytest.mark.parametrize("power", range(63))
def test_every_duration_has_its_bucket(power: int) -> None:
    """To the last of them, and none beside them."""
    durations_ns = [sign * ((1 << power) + more) for sign in (1, -1) for more in (-1, 0, 1)]
    made = histogram(durations_ns)
    assert made.count == 6
    assert made.max_ns == (1 << power) + 1
    assert 0 < made.percentile_ms(100) <= made.max_ns / 1e6
    made.clear()
    assert made.percentile_ms(100) == 0.0


def test_empty_histogram_has_no_latency() -> None:
    assert LatencyHistogram().count == 0
    assert LatencyHistogram().percentile_ms(99) == 0.0


def test_negative_duration_counts_as_none() -> None:
    made = histogram([-5])
    assert made.count == 1
    assert made.percentile_ms(50) == 0.0


def test_sum_of_two_is_the_histogram_of_both() -> None:
    rng = random.Random(3)
    first, second = ([rng.randrange(10**8) for _ in range(300)] for _ in range(2))
    total = histogram(first)
    total.add(histogram(second))
    both = histogram(first + second)
    assert total.count == 600
    assert [total.percentile_ms(p) for p in range(101)] == [both.percentile_ms(p) for p in range(101)]


@given(st.lists(st.one_of(st.integers(0, LONGEST_NS), st.sampled_from(["clear", "add", "swap"])), max_size=60))
def test_no_count_is_left_behind_or_lost_whatever_is_done(steps: list[int | str]) -> None:
    """Only buckets that were used are looked at: of a longer histogram, a shorter one, and one used before."""
    made, other = LatencyHistogram(), LatencyHistogram()
    ours: list[int] = []
    theirs: list[int] = []
    for step in steps:
        match step:
            case "clear":
                made.clear()
                ours = []
            case "add":
                made.add(other)
                ours = ours + theirs
            case "swap":
                made, other, ours, theirs = other, made, theirs, ours
            case int():
                made.record(step)
                ours.append(step)
    anew = histogram(ours)
    assert (made.count, made.max_ns) == (anew.count, anew.max_ns)
    assert [made.percentile_ms(p) for p in range(101)] == [anew.percentile_ms(p) for p in range(101)]


def test_cleared_histogram_is_as_new() -> None:
    made = histogram([1, 10**9])
    made.clear()
    assert (made.count, made.max_ns, made.percentile_ms(100)) == (0, 0, 0.0)


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_percent_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 100 percent, got"):
        LatencyHistogram().percentile_ms(percent)
