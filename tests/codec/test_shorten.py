"""Taking out a pitch period: only where the signal repeats itself, with a seam that cannot be told from the signal."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import RATES_HZ, shorten
from tests import reference
from tests.codec.test_concealer import largest_step, voice
from tests.signals import Floats, level_db, noise, pcm, rms, samples_of, square_noise, tone

TONES_HZ = (80, 125, 200, 400, 697, 1000)

rates = pytest.mark.parametrize("rate_hz", RATES_HZ)


def shortened(signal: Floats, rate_hz: int, **options: Any) -> Floats:
    return samples_of(shorten(pcm(signal), rate_hz, rate_hz, **options)).astype(float)


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    half_ms=st.integers(40, 80),
    at_most_ms=st.sampled_from([0, 2, 2.5, 3, 7, 15, 40]),
    least_match=st.sampled_from([0, 0.5, 0.9, 1]),
    signal=st.sampled_from(["noise", "square", "voice", "silence", "quiet"]),
    seed=st.integers(0, 1 << 16),
)
def test_output_is_the_twins_to_the_bit(
    *, rate_hz: int, half_ms: int, at_most_ms: float, least_match: float, signal: str, seed: int
) -> None:
    samples = rate_hz * half_ms // 2000
    samples -= seed % 5 if samples > rate_hz * 21 // 1000 else 0
    signals: dict[str, Any] = {
        "noise": lambda: noise(samples, seed=seed),
        "square": lambda: square_noise(samples, seed=seed),
        "voice": lambda: voice(rate_hz, 45, pitch_hz=70 + seed % 300)[:samples],
        "silence": lambda: np.zeros(samples),
        "quiet": lambda: noise(samples, seed=seed) / 20000,
    }
    data, at_most = pcm(signals[signal]()), int(rate_hz * at_most_ms / 1000)
    expected = reference.shorten(data, at_most, rate_hz, least_match=least_match)
    assert shorten(data, at_most, rate_hz, least_match=least_match) == expected


@rates
@pytest.mark.parametrize("pitch_hz", [80.0, 100.0, 133.3, 199.0, 300.0])
def test_a_voice_loses_whole_periods_and_no_sound(rate_hz: int, pitch_hz: float) -> None:
    signal = voice(rate_hz, 60, pitch_hz=pitch_hz)
    run = rate_hz * 30 // 1000
    out = shortened(signal[:run], rate_hz)
    taken, period = run - len(out), rate_hz / pitch_hz
    assert taken >= rate_hz * 25 // 10_000
    assert abs(taken - round(taken / period) * period) <= 1
    joined = np.concatenate([out, signal[run:]])
    assert largest_step(joined) <= largest_step(signal) * 1.05
    assert level_db(rms(out), rms(signal[:run])) == pytest.approx(0, abs=0.6)


@rates
@pytest.mark.parametrize("hz", TONES_HZ)
@pytest.mark.parametrize("ms", [20, 40])
def test_a_tone_has_no_step_larger_than_its_own(rate_hz: int, hz: int, ms: int) -> None:
    """80 Hz has no whole period in half of 20 ms: there nothing may be taken out."""
    run = rate_hz * ms // 1000
    signal = tone(hz, rate_hz, 2 * run, amplitude=16000)
    out = shortened(signal[:run], rate_hz)
    assert (len(out) < run) == (hz >= 100 or ms == 40)
    assert largest_step(np.concatenate([out, signal[run:]])) <= largest_step(signal) * 1.02


@rates
def test_the_last_samples_and_the_first_are_as_they_were(rate_hz: int) -> None:
    run = rate_hz // 50
    signal = np.round(voice(rate_hz, 20, pitch_hz=210.0))
    out = shortened(signal, rate_hz)
    assert len(out) < run
    assert (out[: run // 8] == signal[: run // 8]).all()
    assert abs(out[-1] - signal[-1]) <= largest_step(signal) * 0.1


@rates
@pytest.mark.parametrize("ms", [20, 30, 40])
def test_noise_is_left_as_it_is(rate_hz: int, ms: int) -> None:
    for seed in range(50):
        frame = pcm(noise(rate_hz * ms // 1000, seed=seed))
        assert shorten(frame, rate_hz, rate_hz) is frame


@rates
def test_what_does_not_repeat_is_shortened_when_any_match_will_do(rate_hz: int) -> None:
    """The seam is of two parts that have nothing in common: 3 dB down in its middle, and no more."""
    run = rate_hz // 50
    levels = []
    for seed in range(50):
        signal = noise(run, seed=seed).astype(float) / 2
        out = shortened(signal, rate_hz, least_match=0)
        assert rate_hz * 25 // 10_000 <= run - len(out) <= run // 2
        levels.append(level_db(rms(out), rms(signal)))
    assert -2 < float(np.mean(levels)) < 0


@given(rate_hz=st.sampled_from(RATES_HZ), at_most_ms=st.floats(0, 20), least_match=st.sampled_from([0.0, 0.9]))
def test_no_more_is_taken_than_allowed(rate_hz: int, at_most_ms: float, least_match: float) -> None:
    at_most = int(at_most_ms * rate_hz / 1000)
    for hz in (130, 1000):
        frame = pcm(tone(hz, rate_hz, rate_hz // 25))
        taken = (len(frame) - len(shorten(frame, at_most, rate_hz, least_match=least_match))) // 2
        assert 0 <= taken <= at_most


def test_the_input_may_be_any_buffer_and_stays_as_it_was() -> None:
    data = pcm(tone(200, 16000, 320))
    buffer = bytearray(data)
    expected = shorten(data, 320, 16000)
    assert shorten(buffer, 320, 16000) == shorten(memoryview(b"\0" + data)[1:], 320, 16000) == expected
    assert buffer == data


@pytest.mark.parametrize("size_bytes", [0, 638, 641, 1281, 1282])
def test_a_bad_size_is_refused(size_bytes: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 640 to 1280 bytes .* got {size_bytes} bytes$"):
        shorten(bytes(size_bytes), 320, 16000)


@pytest.mark.parametrize("bad", [0, 44100, "8000", 8000.0, None, True])
def test_unknown_rates_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="rate_hz to be one of 8000, 16000, 24000, 48000, got "):
        shorten(bytes(640), 320, bad)


@pytest.mark.parametrize("bad", [-1, 2.5, None, True])
def test_a_bad_number_of_samples_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=f"expected 0 or more samples at most, got {bad}"):
        shorten(bytes(640), bad, 16000)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_a_bad_match_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=f"expected a least_match of 0 to 1, got {bad}"):
        shorten(bytes(640), 320, 16000, least_match=bad)


def test_what_is_no_buffer_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        shorten("text", 320, 16000)  # type: ignore[arg-type]  # the wrong type is the test
