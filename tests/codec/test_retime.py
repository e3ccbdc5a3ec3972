"""Re-timing: one sample longer or shorter, heard in the same time, with nothing to hear at the ends or between."""

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import _codec
from relay._codec import retime
from tests import reference
from tests.signals import Floats, level_db, noise, pcm, rms, samples_of, square_noise, tone

# 20 ms at 16 kHz, tones at -6 dBFS. Measured: -65.9 dB at worst over the whole run, -81.3 dB at worst of any of the
# eight samples at either end.
ERROR_DB, END_ERROR_DB = -62.0, -78.0
RATE_HZ, FRAME = 16000, 320
TONES_HZ = (300, 1000, 1700, 2500, 3400)

changes = pytest.mark.parametrize("change", [-1, 1])


def long_tone(hz: float) -> Floats:
    return np.asarray(tone(hz, RATE_HZ, 3 * FRAME, amplitude=16000))


def warped(hz: float, change: int) -> Floats:
    """The tone read at the places where re-timing the middle frame must read it."""
    written = np.arange(FRAME + change)
    u = written / (FRAME + change)
    return 16000 * np.sin(2 * np.pi * hz * (FRAME + written - change * (3 * u**2 - 2 * u**3)) / RATE_HZ)


@functools.cache
def retimed(hz: float, change: int) -> Floats:
    return samples_of(retime(pcm(long_tone(hz)[FRAME : 2 * FRAME]), change)).astype(float)


@changes
@pytest.mark.parametrize("samples", [32, 33, 160, 319, 480, 4799, 4800])
def test_the_run_is_one_sample_longer_or_shorter(samples: int, change: int) -> None:
    assert len(retime(pcm(noise(samples)), change)) == 2 * (samples + change)


@given(
    samples=st.integers(32, 400),
    change=st.sampled_from([-1, 1]),
    signal=st.sampled_from([noise, square_noise]),
    seed=st.integers(0, 1 << 16),
)
def test_output_is_the_twins_to_the_bit(samples: int, change: int, signal: Any, seed: int) -> None:
    data = pcm(signal(samples, seed=seed))
    before, expected = _codec.instruction_set(), reference.retime(data, change)
    try:
        for name in _codec.instruction_sets():
            _codec.use_instruction_set(name)
            assert retime(data, change) == expected
    finally:
        _codec.use_instruction_set(before)


@changes
def test_the_longest_run_is_the_twins_to_the_bit(change: int) -> None:
    data = pcm(square_noise(4800))
    assert retime(data, change) == reference.retime(data, change)


@changes
@pytest.mark.parametrize("hz", TONES_HZ)
def test_a_tone_is_the_warped_tone(hz: float, change: int) -> None:
    error = retimed(hz, change) - warped(hz, change)
    assert level_db(rms(error), 16000 / np.sqrt(2)) <= ERROR_DB


@changes
@pytest.mark.parametrize("hz", TONES_HZ)
def test_the_ends_join_their_neighbours_without_a_step(hz: float, change: int) -> None:
    """At the ends the speed is that of the neighbours, so that the samples there are hardly moved."""
    signal = long_tone(hz)
    out = retimed(hz, change)
    assert out[0] == np.round(signal[FRAME])
    error = out - warped(hz, change)
    assert level_db(float(np.max(np.abs(error[:8]))), 16000) <= END_ERROR_DB
    assert level_db(float(np.max(np.abs(error[-8:]))), 16000) <= END_ERROR_DB
    joined = np.concatenate([signal[:FRAME], out, signal[2 * FRAME :]])
    fastest = 1 + 1.5 / (FRAME - 1)  # where the ramp is steepest
    largest = 2 * 16000 * np.sin(np.pi * hz * fastest / RATE_HZ)
    assert np.max(np.abs(np.diff(joined))) <= largest + 16000 * 10 ** (ERROR_DB / 20)


@changes
def test_the_level_does_not_change(change: int) -> None:
    for level in (-32768, -1, 0, 1, 12345, 32767):
        assert retime(pcm([level] * 320), change) == pcm([level] * (320 + change))
    for hz in TONES_HZ:
        assert level_db(rms(retimed(hz, change)), rms(warped(hz, change))) == pytest.approx(0, abs=0.02)


@changes
def test_the_input_may_be_any_buffer_and_stays_as_it_was(change: int) -> None:
    data = pcm(noise(320))
    buffer = bytearray(data)
    assert retime(buffer, change) == retime(memoryview(b"\0" + data)[1:], change) == retime(data, change)
    assert buffer == data


@pytest.mark.parametrize("size_bytes", [0, 1, 62, 63, 65, 9602, 9601])
@changes
def test_a_bad_size_is_refused(size_bytes: int, change: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 32 to 4800 samples .* got {size_bytes} bytes and {change}$"):
        retime(bytes(size_bytes), change)


@pytest.mark.parametrize("change", [0, 2, -2, 320])
def test_another_change_is_refused(change: int) -> None:
    with pytest.raises(ValueError, match=f"a change of -1 or 1, got 640 bytes and {change}$"):
        retime(bytes(640), change)


def test_what_is_no_buffer_is_a_type_error() -> None:
    for pcm_given in ("text", None, 640):
        with pytest.raises(TypeError):
            retime(pcm_given, 1)  # type: ignore[arg-type]  # the wrong type is the test


def test_a_change_that_is_no_whole_sample_is_refused() -> None:
    for change in ("1", None, 1.0, 1.9, True):
        with pytest.raises(ValueError, match=r"expected .* a change of -1 or 1, got 640 bytes and"):
            retime(bytes(640), change)  # type: ignore[arg-type]  # the wrong type is the test
