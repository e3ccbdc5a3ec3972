"""The estimate of drift, and the steering."""

import random

import pytest

from relay.media.drift import DEAD_BAND_MS, STEER_MAX_PPM, Drift, steer_ppm


def levels(ppm: float, seconds: int, *, noise_ms: float = 0.0) -> list[float]:
    rng = random.Random(1)
    return [second * ppm / 1000 + rng.uniform(-noise_ms, noise_ms) for second in range(seconds)]


def estimate(levels_ms: list[float]) -> Drift:
    drift = Drift()
    for level_ms in levels_ms:
        drift.note(level_ms)
    return drift


@pytest.mark.parametrize("ppm", [-300.0, -20.0, 0.0, 300.0])
def test_a_clock_is_found_through_noise(ppm: float) -> None:
    assert estimate(levels(ppm, 31)).ppm == pytest.approx(ppm)
    assert estimate(levels(ppm, 100, noise_ms=1.0)).ppm == pytest.approx(ppm, abs=20)


def test_a_longer_route_is_no_drift() -> None:
    route = [level + (-30 if second >= 100 else 0) for second, level in enumerate(levels(50, 200))]
    for seconds in range(100, 200, 5):
        assert estimate(route[:seconds]).ppm == pytest.approx(50)


def test_nothing_is_said_before_there_is_a_span() -> None:
    assert estimate(levels(300, 30)).ppm == 0.0


def test_a_new_scale_keeps_the_estimate_and_begins_no_slope_before_it() -> None:
    drift = estimate(levels(100, 60))
    drift.new_scale()
    for level_ms in levels(100, 60):
        drift.note(level_ms + 5000)
    assert drift.ppm == pytest.approx(100)


def test_what_no_clock_does_is_bounded() -> None:
    assert estimate(levels(50_000, 60)).ppm == 1000
    assert estimate(levels(-50_000, 60)).ppm == -1000


def test_steering_is_the_drift_within_the_dead_band() -> None:
    for error_ms in (-DEAD_BAND_MS, 0.0, DEAD_BAND_MS):
        assert steer_ppm(error_ms, 0.0) == 0.0
        assert steer_ppm(error_ms, -120.0) == -120.0


def test_a_fifth_of_the_error_is_taken_back_a_second() -> None:
    """1000 ppm are 1 ms a second. A delay that is measured over 3 s must not be chased faster."""
    assert steer_ppm(DEAD_BAND_MS + 5, 0.0) == 1000


def test_steering_is_symmetrical_grows_with_the_error_and_is_bounded() -> None:
    steps = [steer_ppm(error_ms / 4, 0.0) for error_ms in range(100)]
    assert steps == sorted(steps)
    assert steps[12] > 0
    assert max(steps) == STEER_MAX_PPM
    assert [-steer_ppm(-error_ms / 4, 0.0) for error_ms in range(100)] == pytest.approx(steps)
