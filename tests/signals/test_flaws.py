"""A gap has its place and length, a click its time, and a clean signal has neither."""

import numpy as np
import pytest

from tests.signals import clicks, dbfs, gaps, largest_step, pcm, step_over_own_db, tone

RATE_HZ = 8000
CLEAN = pcm(tone(300, RATE_HZ, RATE_HZ, amplitude=dbfs(-12)))
START_NS = 5_000_000_000


def with_gap(first: int, samples: int) -> bytes:
    return CLEAN[: 2 * first] + bytes(2 * samples) + CLEAN[2 * (first + samples) :]


def test_a_clean_tone_has_no_gap_and_no_click() -> None:
    assert gaps(CLEAN, RATE_HZ, START_NS) == []
    assert clicks(CLEAN, RATE_HZ, START_NS, own_pcm=CLEAN) == []
    assert step_over_own_db(CLEAN, CLEAN) == 0


def test_a_gap_has_its_time_and_length() -> None:
    (gap,) = gaps(with_gap(1600, 160), RATE_HZ, START_NS)
    assert gap.start_ns == pytest.approx(START_NS + 200_000_000, abs=200_000)
    assert gap.duration_ms == pytest.approx(20, abs=0.3)


def test_silence_before_and_after_is_no_gap() -> None:
    assert gaps(bytes(4000) + CLEAN + bytes(4000), RATE_HZ, START_NS) == []


def test_every_gap_is_found() -> None:
    twice = bytearray(with_gap(1600, 160))
    twice[2 * 4000 : 2 * 4080] = bytes(160)
    assert [round(gap.duration_ms) for gap in gaps(bytes(twice), RATE_HZ, START_NS)] == [20, 10]


def test_a_click_has_its_time_and_its_size() -> None:
    samples = np.frombuffer(CLEAN, dtype="<i2").copy()
    samples[3007:] += 2 * largest_step(CLEAN)  # on a crest, where the tone itself hardly moves
    assert clicks(pcm(samples), RATE_HZ, START_NS, own_pcm=CLEAN) == [START_NS + 3007 * 125_000]
    assert step_over_own_db(pcm(samples), CLEAN) == pytest.approx(20 * np.log10(2), abs=0.5)


def test_a_recording_of_nothing_has_no_step() -> None:
    assert largest_step(b"") == 0
    assert gaps(b"", RATE_HZ, START_NS) == []
