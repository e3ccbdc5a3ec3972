"""Generated speech is like speech where it matters to a codec: level, rhythm, pauses, band."""

import itertools
import time
from array import array

import numpy as np
import pytest

from relay._codec import level_dbfs
from relay.dev.phone_playout import FRAME_BYTES
from relay.dev.speech import PEAK, resampled, speech

TEN_S = speech(10)


def levels_dbfs(pcm: bytes) -> list[float]:
    return [level_dbfs(pcm[at : at + FRAME_BYTES]) for at in range(0, len(pcm), FRAME_BYTES)]


def test_it_lasts_as_long_as_asked() -> None:
    assert [len(speech(seconds)) for seconds in (0, 0.02, 1.5)] == [0, 320, 24000]


def test_the_same_seed_says_the_same_and_another_something_else() -> None:
    assert speech(1, seed=1) == speech(1, seed=1) != speech(1, seed=2)


def test_a_longer_one_begins_as_loud_and_with_the_same_rhythm() -> None:
    assert [level < -60 for level in levels_dbfs(speech(5))] == [level < -60 for level in levels_dbfs(TEN_S)[:250]]


def test_it_is_made_faster_than_it_is_said_by_far() -> None:
    started_s = time.process_time()
    speech(10)
    assert time.process_time() - started_s < 1


def test_its_peak_is_half_of_full_scale() -> None:
    assert max(abs(sample) for sample in array("h", TEN_S)) == PEAK


def test_it_has_pauses_and_several_syllables_a_second_between_them() -> None:
    levels = levels_dbfs(TEN_S)
    silent = [level < -60 for level in levels]
    assert 0.05 < sum(silent) / len(silent) < 0.4
    rises = sum(before < -28 <= after for before, after in itertools.pairwise(levels))
    assert 3 <= rises / (10 * (1 - sum(silent) / len(silent))) <= 5


def test_its_energy_is_in_the_band_of_a_telephone() -> None:
    power = np.abs(np.fft.rfft(np.frombuffer(TEN_S, "<i2").astype(float))) ** 2
    hz = np.fft.rfftfreq(len(TEN_S) // 2, 1 / 8000)
    assert power[(hz >= 80) & (hz <= 3400)].sum() > 0.999 * power.sum()
    assert power[(hz >= 300) & (hz <= 3400)].sum() > 0.5 * power.sum()


def test_at_another_rate_it_lasts_as_long() -> None:
    assert len(speech(1, rate_hz=16000)) == 32000


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    assert resampled(TEN_S, 8000, 8000) is TEN_S


def test_long_audio_is_resampled_in_parts_that_fit() -> None:
    pcm = bytes(2 * 8000 * 60)
    assert len(resampled(pcm, 8000, 48000)) == 6 * len(pcm)


def test_a_rate_that_the_codec_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="44100"):
        speech(0.1, rate_hz=44100)
