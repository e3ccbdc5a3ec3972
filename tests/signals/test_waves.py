"""The voice is the same every time, at every rate, and has pauses."""

import numpy as np
import pytest
from scipy import signal

from tests.signals import FULL_SCALE, dbfs, gaps, level_db, pcm, speech


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    assert np.array_equal(speech(8000, 1.0), speech(8000, 1.0))
    assert not np.array_equal(speech(8000, 1.0), speech(8000, 1.0, seed=2))


def test_speech_has_its_peak_level() -> None:
    assert level_db(float(np.abs(speech(8000, 3.0, level_dbfs=-20.0)).max())) == pytest.approx(-20, abs=0.01)


def test_speech_has_bursts_and_pauses() -> None:
    pauses = gaps(pcm(speech(8000, 5.0)), 8000, 0, shortest_ms=50)
    assert 8 <= len(pauses) <= 25
    assert all(50 <= pause.duration_ms <= 330 for pause in pauses)


def test_speech_at_another_rate_is_the_same_speech() -> None:
    wide, narrow = speech(16000, 2.0), speech(8000, 2.0)
    assert np.corrcoef(signal.resample_poly(wide, 1, 2), narrow)[0, 1] > 0.99


def test_speech_is_within_the_telephone_band() -> None:
    power = np.abs(np.fft.rfft(speech(16000, 2.0))) ** 2
    above = np.fft.rfftfreq(32000, 1 / 16000) > 3500
    assert power[above].sum() < 1e-3 * power.sum()


def test_0_dbfs_is_full_scale() -> None:
    assert dbfs(0.0) == FULL_SCALE
    assert dbfs(-20.0) == pytest.approx(FULL_SCALE / 10)
