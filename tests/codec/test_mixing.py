"""The sum of several runs, saturated once, the fade from one to another, and the level of one."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import crossfade, level_dbfs, mix
from tests import reference
from tests.signals import FULL_SCALE, Samples, noise, pcm, rms, samples_of, square_noise, tone

WHOLE_RANGE = np.arange(-32768, 32768)


def silence(samples: int, *, seed: int) -> Samples:
    return np.zeros(samples, dtype=np.int16)


SIGNALS: dict[str, Any] = {"noise": noise, "square": square_noise, "silence": silence}


@given(
    signals=st.lists(st.sampled_from(sorted(SIGNALS)), min_size=1, max_size=9),
    samples=st.sampled_from([0, 1, 7, 160, 511, 512, 513, 1025]),
    seed=st.integers(0, 1 << 16),
)
def test_the_sum_is_the_twins_to_the_bit(signals: list[str], samples: int, seed: int) -> None:
    frames = [pcm(SIGNALS[signal](samples, seed=seed + number)) for number, signal in enumerate(signals)]
    assert mix(frames) == mix(tuple(reversed(frames))) == reference.mix(frames)


@pytest.mark.parametrize("other", [-32768, -1, 0, 1, 32767])
def test_every_sample_saturates_at_the_ends_of_the_range(other: int) -> None:
    expected = pcm(WHOLE_RANGE + other)
    assert mix([pcm(WHOLE_RANGE), pcm(np.full(65536, other))]) == expected


def test_what_one_run_takes_beyond_the_range_another_may_bring_back() -> None:
    assert mix([pcm([30000]), pcm([30000]), pcm([-30000])]) == pcm([30000])


def test_one_run_is_itself_and_no_samples_are_none() -> None:
    assert mix([pcm(noise(320))]) == pcm(noise(320))
    assert mix([b"", b""]) == b""


def test_a_crowd_at_full_scale_stays_in_the_range() -> None:
    assert mix([pcm([-32768, 32767])] * 4096) == pcm([-32768, 32767])


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 1 to 4096 runs, got 0$"):
        mix([])
    with pytest.raises(ValueError, match=r"expected 1 to 4096 runs, got 4097$"):
        mix([b"\0\0"] * 4097)


@pytest.mark.parametrize(("first", "second"), [(640, 638), (638, 640), (0, 2), (3, 3)])
def test_runs_that_do_not_fit_are_refused(first: int, second: int) -> None:
    with pytest.raises(ValueError, match=rf"expected runs of one length .* got {first} and {second} bytes$"):
        mix([bytes(first), bytes(second)])


@pytest.mark.parametrize("bad", [None, 5, [bytearray(2)], b"ab", ["ab"]])
def test_what_is_no_sequence_of_bytes_is_a_type_error(bad: Any) -> None:
    with pytest.raises(TypeError):
        mix(bad)


@given(
    signal=st.sampled_from([noise, square_noise]),
    fade=st.sampled_from([0, 1, 2, 80, 159, 4800]),
    more=st.sampled_from([0, 1, 160]),
    seed=st.integers(0, 1 << 16),
)
def test_the_fade_is_the_twins_to_the_bit(signal: Any, fade: int, more: int, seed: int) -> None:
    before, after = pcm(signal(fade, seed=seed)), pcm(signal(fade + more, seed=seed + 1))
    assert crossfade(before, after) == reference.crossfade(before, after)


def test_a_fade_between_equals_changes_nothing_and_between_levels_is_straight() -> None:
    data = pcm(noise(160))
    assert crossfade(data, data) == data
    faded = samples_of(crossfade(pcm([-10000] * 99), pcm([10000] * 120))).astype(float)
    assert np.max(np.abs(faded[:99] - np.linspace(-10000, 10000, 101)[1:-1])) <= 1.5
    assert (faded[99:] == 10000).all()


def test_a_fade_takes_any_buffers_at_any_address() -> None:
    old, new = pcm(noise(40)), pcm(noise(60, seed=2))
    shifted = memoryview(b"\0" + old)[1:], memoryview(b"\0" + new)[1:]
    assert crossfade(*shifted) == crossfade(bytearray(old), bytearray(new)) == crossfade(old, new)


@pytest.mark.parametrize(("before", "after"), [(4, 2), (3, 4), (2, 3), (9602, 9602)])
def test_a_fade_that_does_not_fit_is_refused(before: int, after: int) -> None:
    with pytest.raises(ValueError, match=rf"crossfade: expected .* got {before} and {after} bytes$"):
        crossfade(bytes(before), bytes(after))


@given(
    signal=st.sampled_from([noise, square_noise]),
    samples=st.sampled_from([1, 2, 511, 512, 513, 1500]),
    peak=st.sampled_from([1, 3, 100, 32768]),
    seed=st.integers(0, 1 << 16),
)
def test_the_level_is_the_twins(signal: Any, samples: int, peak: int, seed: int) -> None:
    data = pcm(signal(samples, seed=seed) * (peak / 32768))
    assert level_dbfs(data) == reference.level_dbfs(data)


def test_the_level_of_every_sample_is_right() -> None:
    for sample in (*range(-32768, 32768, 97), -32768, -1, 1, 32767):
        if sample:
            assert level_dbfs(pcm([sample] * 3)) == pytest.approx(20 * math.log10(abs(sample) / 32768), abs=1e-9)


def test_levels_are_relative_to_a_full_scale_square_wave() -> None:
    assert level_dbfs(pcm(tone(1000, 16000, 320))) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(pcm([-32768] * 320)) == 0.0
    assert level_dbfs(pcm([1, -1] * 160)) == pytest.approx(-90.31, abs=0.01)


@pytest.mark.parametrize("size_bytes", [0, 2, 640])
def test_silence_is_minus_infinity(size_bytes: int) -> None:
    assert level_dbfs(bytes(size_bytes)) == -math.inf


def test_the_longest_run_has_no_overflow() -> None:
    data = pcm(noise(1 << 20))
    assert level_dbfs(data) == pytest.approx(20 * math.log10(rms(samples_of(data)) / (FULL_SCALE + 1)), abs=1e-6)


def test_the_level_is_of_any_buffer_at_any_address() -> None:
    data = pcm(noise(320))
    assert level_dbfs(bytearray(data)) == level_dbfs(memoryview(b"\0" + data)[1:]) == level_dbfs(data)


def test_half_a_sample_has_no_level() -> None:
    with pytest.raises(ValueError, match="expected whole samples of 2 bytes, got 3 bytes"):
        level_dbfs(bytes(3))


def test_what_is_no_buffer_has_no_level() -> None:
    with pytest.raises(TypeError):
        level_dbfs("text")  # type: ignore[arg-type]  # the wrong type is the test
