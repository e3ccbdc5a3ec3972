"""Concealment: good frames untouched, gaps continued in phase and faded, no step at either seam."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import PUSH_MAX_BYTES, RATES_HZ, Concealer
from tests import reference
from tests.signals import Floats, level_db, noise, pcm, rms, samples_of, square_noise, tone

PITCHES_HZ = (80.0, 100.0, 133.3, 171.7, 199.0)  # periods of 5 to 15 ms are looked for

# Of 10 ms at full level. A period of whole samples is repeated as it is, to the rounding; the two others, whose
# periods are rounded to a sample, were measured at 31.8 and 37.4.
CONTINUED_SNR_DB = {80.0: 80, 100.0: 80, 125.0: 80, 160.0: 80, 200.0: 80, 83.3: 30, 133.3: 35}

rates = pytest.mark.parametrize("rate_hz", RATES_HZ)


def voice(rate_hz: int, ms: int, *, pitch_hz: float = 133.3) -> Floats:
    """A steady vowel: harmonics up to 3.4 kHz under two formants, each with its own phase."""
    at = np.arange(rate_hz * ms // 1000) / rate_hz
    signal = np.zeros_like(at)
    for number in range(1, int(3400 / pitch_hz) + 1):
        hz = number * pitch_hz
        weight = 1 / (1 + ((hz - 500) / 200) ** 2) + 0.3 / (1 + ((hz - 1500) / 300) ** 2)
        signal += weight * np.sin(2 * np.pi * hz * at + number**2)
    return np.asarray(signal * (12000 / np.max(np.abs(signal))))


def heard(rate_hz: int, signal: Floats) -> Concealer:
    """A concealer that has taken the signal in frames of 20 ms."""
    concealer = Concealer(rate_hz)
    frame = rate_hz // 50
    for at in range(0, len(signal), frame):
        concealer.push(pcm(signal[at : at + frame]))
    return concealer


def largest_step(signal: Any) -> float:
    return float(np.max(np.abs(np.diff(np.asarray(signal, dtype=float)))))


@rates
@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=10),
    signal=st.sampled_from(["noise", "square", "voice", "silence"]),
    pitch_hz=st.sampled_from(PITCHES_HZ),
)
@pytest.mark.long
def test_output_is_the_twins_to_the_bit(
    rate_hz: int, steps: list[tuple[bool, int]], signal: str, pitch_hz: float
) -> None:
    """Gaps and frames of any length in any order."""
    samples: Any = {
        "noise": noise(rate_hz * 2 // 5),
        "square": square_noise(rate_hz * 2 // 5),
        "voice": voice(rate_hz, 400, pitch_hz=pitch_hz),
        "silence": np.zeros(rate_hz * 2 // 5),
    }[signal]
    native, twin = Concealer(rate_hz), reference.Concealer(rate_hz)
    at = 0
    for is_gap, half_ms in steps:
        size = max(1, rate_hz * half_ms // 2000 - half_ms % 3)
        if is_gap:
            assert native.conceal(size) == twin.conceal(size)
        else:
            frame = pcm(samples[at : at + size])
            assert native.push(frame) == twin.push(frame)
        at += size


@rates
def test_a_good_frame_passes_as_the_same_object(rate_hz: int) -> None:
    concealer = Concealer(rate_hz)
    for seed in range(8):
        frame = pcm(noise(rate_hz // 50, seed=seed))
        assert concealer.push(frame) is frame


def test_another_buffer_passes_as_bytes() -> None:
    concealer, frame = Concealer(8000), pcm(noise(160))
    assert concealer.push(bytearray(frame)) == frame
    assert concealer.push(memoryview(frame)) == frame


@rates
@pytest.mark.parametrize("pitch_hz", CONTINUED_SNR_DB)
def test_a_voice_goes_on_in_phase(rate_hz: int, pitch_hz: float) -> None:
    signal, gap = voice(rate_hz, 110, pitch_hz=pitch_hz), rate_hz // 100
    concealed = samples_of(heard(rate_hz, signal[:-gap]).conceal(gap))
    assert -level_db(rms(concealed - signal[-gap:]), rms(signal[-gap:])) >= CONTINUED_SNR_DB[pitch_hz]


@rates
@pytest.mark.parametrize("pitch_hz", PITCHES_HZ)
def test_neither_seam_has_a_step(rate_hz: int, pitch_hz: float) -> None:
    """No step, in the gap either, is larger than the largest of the signal's own."""
    for gap_ms in (5, 10, 20, 25, 40, 60, 100):
        signal = voice(rate_hz, 100 + gap_ms + 20, pitch_hz=pitch_hz)
        begin, end = rate_hz // 10, rate_hz // 10 + rate_hz * gap_ms // 1000
        concealer = heard(rate_hz, signal[:begin])
        gap, after = samples_of(concealer.conceal(end - begin)), samples_of(concealer.push(pcm(signal[end:])))
        joined = np.concatenate([signal[:begin], gap, after])
        assert largest_step(joined) <= largest_step(signal) * 1.05, gap_ms


@rates
def test_the_first_seam_is_closed_where_the_signal_was_moving(rate_hz: int) -> None:
    """A slope under the voice lies a whole period's rise above what is repeated: no step may show that."""
    at = np.arange(rate_hz * 60 // 1000) / rate_hz
    signal = 3000 * np.sin(2 * np.pi * 150 * at) + 600_000 * (at - 0.03)
    gap = samples_of(heard(rate_hz, signal).conceal(rate_hz // 100))
    assert largest_step(signal) < 600_000 * 0.005 / 5
    assert abs(gap[0] - signal[-1]) <= 2 * largest_step(signal)


@rates
def test_the_level_falls_by_a_fifth_every_ten_ms(rate_hz: int) -> None:
    step = rate_hz // 100
    signal = tone(200, rate_hz, rate_hz // 10, amplitude=16000)  # two periods in 10 ms
    gap = samples_of(heard(rate_hz, signal).conceal(7 * step)).astype(float)
    levels = [rms(gap[i * step : (i + 1) * step]) / rms(signal) for i in range(7)]
    assert levels == pytest.approx([1.0, 0.9, 0.7, 0.5, 0.3, 0.115, 0.0], abs=0.02)


@rates
def test_silence_follows_sixty_ms(rate_hz: int) -> None:
    concealer = heard(rate_hz, square_noise(rate_hz // 10).astype(float))
    assert any(samples_of(concealer.conceal(rate_hz * 60 // 1000))[-rate_hz // 100 :])
    for _ in range(5):
        assert concealer.conceal(rate_hz) == bytes(2 * rate_hz)


@rates
@pytest.mark.parametrize("gap_ms", [10, 20, 60, 200, 3000])
def test_the_real_signal_is_back_within_ten_ms(rate_hz: int, gap_ms: int) -> None:
    concealer = heard(rate_hz, voice(rate_hz, 100))
    for _ in range(gap_ms // 10):
        concealer.conceal(rate_hz // 100)
    frame, fade_in = pcm(voice(rate_hz, 20, pitch_hz=90.0)), rate_hz // 100
    after = concealer.push(frame)
    assert after != frame
    assert after[2 * fade_in :] == frame[2 * fade_in :]
    following = pcm(noise(rate_hz // 50))
    assert concealer.push(following) is following


@rates
def test_after_a_long_gap_the_signal_fades_in_from_silence(rate_hz: int) -> None:
    concealer = heard(rate_hz, voice(rate_hz, 100))
    concealer.conceal(rate_hz)
    level, fade_in = 10_000, rate_hz // 100
    after = samples_of(concealer.push(pcm([level] * (2 * fade_in)))).astype(float)
    ramp = level * np.arange(1, fade_in + 1) / (fade_in + 1)
    assert np.max(np.abs(after[:fade_in] - ramp)) <= 1.5
    assert (after[fade_in:] == level).all()


@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=12), rate_hz=st.sampled_from(RATES_HZ))
def test_any_cut_of_a_gap_gives_the_same_bytes(cuts: list[int], rate_hz: int) -> None:
    signal = voice(rate_hz, 60)
    cut, whole = heard(rate_hz, signal), heard(rate_hz, signal)
    assert b"".join(cut.conceal(size) for size in cuts) == whole.conceal(sum(cuts))
    frame = pcm(noise(rate_hz // 50))
    assert cut.push(frame) == whole.push(frame)


@rates
def test_only_what_was_heard_is_repeated(rate_hz: int) -> None:
    assert Concealer(rate_hz).conceal(rate_hz // 50) == bytes(rate_hz // 25)


@rates
def test_a_reset_concealer_is_a_new_one(rate_hz: int) -> None:
    signal = voice(rate_hz, 60)
    for in_gap in (False, True):
        used = heard(rate_hz, noise(rate_hz // 10).astype(float))
        if in_gap:
            used.conceal(rate_hz // 100)
        used.reset()
        fresh = Concealer(rate_hz)
        frame = pcm(signal)
        assert used.push(frame) is frame
        fresh.push(frame)
        assert used.conceal(rate_hz // 20) == fresh.conceal(rate_hz // 20)


@pytest.mark.parametrize("first", [1, 5, 40, 79, 80, 200])
def test_cutting_the_frame_after_a_gap_changes_nothing(first: int) -> None:
    """The cross-fade goes on over as many pushes as it takes."""
    whole, cut = (heard(8000, voice(8000, 100)) for _ in range(2))
    frame = pcm(voice(8000, 40))
    assert whole.conceal(320) == cut.conceal(320)
    assert whole.push(frame) == cut.push(frame[: 2 * first]) + cut.push(frame[2 * first :])
    assert whole.push(frame) is frame


def test_a_new_gap_after_a_short_frame_repeats_what_was_heard_between() -> None:
    """What was concealed is part of what was heard, and so is the faded-in frame."""
    native, twin = heard(8000, voice(8000, 100)), reference.Concealer(8000)
    twin.push(pcm(voice(8000, 100)))
    for frame in (pcm(noise(40)), pcm(noise(1)), pcm(noise(159))):
        assert native.conceal(160) == twin.conceal(160)
        assert native.push(frame) == twin.push(frame)


@pytest.mark.parametrize("size_bytes", [0, 1, 319, PUSH_MAX_BYTES + 1, PUSH_MAX_BYTES + 2])
@pytest.mark.parametrize("in_gap", [False, True])
def test_a_bad_frame_is_refused_without_a_trace(size_bytes: int, in_gap: bool) -> None:  # noqa: FBT001  # a parameter
    concealers = [heard(8000, voice(8000, 100)) for _ in range(2)]
    for concealer in concealers:
        if in_gap:
            concealer.conceal(100)
    with pytest.raises(ValueError, match=rf"expected 1 to {PUSH_MAX_BYTES} bytes .* got {size_bytes} bytes$"):
        concealers[0].push(bytes(size_bytes))
    frame = pcm(noise(160))
    assert concealers[0].push(frame) == concealers[1].push(frame)
    assert concealers[0].conceal(160) == concealers[1].conceal(160)


@rates
def test_a_bad_length_is_refused_without_a_trace(rate_hz: int) -> None:
    concealer, untouched = heard(rate_hz, voice(rate_hz, 60)), heard(rate_hz, voice(rate_hz, 60))
    for samples in (0, -1, rate_hz + 1, (1 << 31) - 1):
        with pytest.raises(ValueError, match=f"expected 1 to {rate_hz} samples to conceal, got {samples}"):
            concealer.conceal(samples)
    frame = pcm(noise(rate_hz // 50))
    assert concealer.push(frame) is frame
    untouched.push(frame)
    assert concealer.conceal(rate_hz // 50) == untouched.conceal(rate_hz // 50)


@pytest.mark.parametrize("bad", [0, 44100, "8000", 8000.0, None, True])
def test_unknown_rates_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="expected rate_hz to be one of 8000, 16000, 24000, 48000, got "):
        Concealer(bad)


def test_what_is_no_buffer_is_a_type_error() -> None:
    for bad in ("text", None, 5):
        with pytest.raises(TypeError):
            Concealer(8000).push(bad)  # type: ignore[arg-type]  # the wrong type is the test
