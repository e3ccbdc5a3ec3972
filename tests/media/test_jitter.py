"""Lateness beside the fastest, and the target it makes."""

import pytest

from relay.media.jitter import FALL_MS_PER_S, HISTORY_S, MARGIN_MS, WINDOW_S, Jitter


def jitter() -> Jitter:
    return Jitter(start_ms=40, min_ms=20, max_ms=120, pull_ms=10)


def run(made: Jitter, seconds: int, *, lateness_ms: float, early_ms: float = 40.0) -> None:
    for _ in range(seconds):
        for share in (0, 0.5, 1):
            made.note(early_ms - share * lateness_ms)
        made.tick()


def test_the_target_begins_at_its_start() -> None:
    assert jitter().target_ms == 40


def test_a_steady_stream_brings_the_target_slowly_to_its_least() -> None:
    made = jitter()
    run(made, 10, lateness_ms=0)
    assert made.target_ms == pytest.approx(40 - 10 * FALL_MS_PER_S)
    run(made, 100, lateness_ms=0)
    assert made.target_ms == 20


@pytest.mark.parametrize(("lateness_ms", "target_ms"), [(30, 40 + MARGIN_MS), (60, 70 + MARGIN_MS), (500, 120)])
def test_lateness_raises_the_target_in_two_seconds(lateness_ms: float, target_ms: float) -> None:
    made = jitter()
    run(made, 60, lateness_ms=0)
    run(made, 2, lateness_ms=lateness_ms)
    assert made.target_ms == target_ms
    assert made.lateness_ms == lateness_ms


def test_one_stall_in_ten_seconds_does_not_raise_the_target() -> None:
    made = jitter()
    run(made, 60, lateness_ms=0)
    run(made, 1, lateness_ms=2000)
    run(made, 5, lateness_ms=0)
    assert made.target_ms == 20


def test_lateness_is_forgotten() -> None:
    made = jitter()
    run(made, 2, lateness_ms=60)
    run(made, HISTORY_S + 200, lateness_ms=0)
    assert (made.target_ms, made.lateness_ms) == (20, 0)


def test_the_fastest_is_of_the_last_seconds_only() -> None:
    made = jitter()
    run(made, 1, lateness_ms=0, early_ms=90)
    for _ in range(WINDOW_S - 1):
        run(made, 1, lateness_ms=0, early_ms=40)
        assert made.fastest_ms == 90
    run(made, 1, lateness_ms=0, early_ms=40)
    assert made.fastest_ms == 40


def test_a_second_without_frames_is_no_second() -> None:
    made = jitter()
    assert made.tick() is None
    assert made.target_ms == 40


def test_a_new_scale_keeps_the_lateness_and_restarts_the_target() -> None:
    made = jitter()
    run(made, 100, lateness_ms=0)
    made.new_scale()
    assert made.target_ms == 40
    run(made, 2, lateness_ms=80, early_ms=1e6)
    made.new_scale()
    assert made.target_ms == 95
    made.clear()
    assert (made.target_ms, made.lateness_ms) == (40, 0)
