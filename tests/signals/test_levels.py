"""Levels are exact, wherever a tone starts, in noise and beside another tone."""

import numpy as np
import pytest

from tests.signals import dbfs, pcm, rejection_db, tone, tone_dbfs
from tests.signals.waves import Floats

RATE_HZ = 8000


def tone_at(frequency_hz: float, level: float, *, samples: int = RATE_HZ) -> Floats:
    return tone(frequency_hz, RATE_HZ, samples, amplitude=dbfs(level))


@pytest.mark.parametrize("level", [0.0, -18.0, -40.0])
def test_a_tone_has_its_level(level: float) -> None:
    assert tone_dbfs(pcm(tone_at(440, level)), RATE_HZ, 440) == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("lead_samples", [1, 333, 5000])
def test_silence_around_a_tone_does_not_change_its_level(lead_samples: int) -> None:
    recording = np.concatenate([np.zeros(lead_samples), tone_at(440, -18), np.zeros(3000)])
    assert tone_dbfs(pcm(recording), RATE_HZ, 440) == pytest.approx(-18, abs=0.1)


def test_noise_20_db_below_a_tone_does_not_change_its_level() -> None:
    noise = np.random.default_rng(5).normal(0, dbfs(-38), RATE_HZ)
    assert tone_dbfs(pcm(tone_at(440, -18) + noise), RATE_HZ, 440) == pytest.approx(-18, abs=0.1)


def test_an_absent_tone_has_the_level_of_the_noise() -> None:
    assert tone_dbfs(pcm(tone_at(440, -18)), RATE_HZ, 1000) < -80
    assert tone_dbfs(bytes(2 * RATE_HZ), RATE_HZ, 1000) < -150


@pytest.mark.parametrize("own", [-30.0, -60.0])
def test_rejection_is_the_distance_of_both_tones(own: float) -> None:
    both = np.concatenate([np.zeros(777), tone_at(440, -18) + tone_at(1000, own), np.zeros(555)])
    assert rejection_db(pcm(both), RATE_HZ, wanted_hz=440, own_hz=1000) == pytest.approx(-18 - own, abs=0.2)


def test_one_burst_of_the_own_tone_shows_in_the_rejection() -> None:
    """An average would hide an echo of a tenth of a second in ten."""
    burst = np.zeros(10 * RATE_HZ)
    burst[16000:16800] = tone_at(1000, -40, samples=800)
    both = tone_at(440, -18, samples=10 * RATE_HZ) + burst
    assert rejection_db(pcm(both), RATE_HZ, wanted_hz=440, own_hz=1000) == pytest.approx(22, abs=0.2)


def test_nothing_of_the_own_tone_is_rejection_down_to_rounding() -> None:
    assert rejection_db(pcm(tone_at(440, -18)), RATE_HZ, wanted_hz=440, own_hz=1000) > 70


def test_rejection_against_a_tone_that_is_not_there_is_refused() -> None:
    """A leg that carries nothing must not pass for one that rejects well."""
    noise = np.random.default_rng(5).normal(0, dbfs(-30), RATE_HZ)
    with pytest.raises(ValueError, match="steady"):
        rejection_db(pcm(noise), RATE_HZ, wanted_hz=440, own_hz=1000)
    with pytest.raises(ValueError, match="steady"):
        rejection_db(bytes(2 * RATE_HZ), RATE_HZ, wanted_hz=440, own_hz=1000)


def test_a_recording_too_short_for_a_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at least 100 ms, got 50\.0 ms"):
        tone_dbfs(bytes(2 * 400), RATE_HZ, 440)
