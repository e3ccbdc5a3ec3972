"""Resampler: the right numbers, whatever the input, the cut, the buffer and the instruction set."""

import numpy as np
import pytest
from design_filters import FilterTable
from hypothesis import given
from hypothesis import strategies as st

from relay import _codec
from relay._codec import RATES_HZ, Resampler
from tests import reference
from tests.codec.cases import CONVERSIONS, PAIRS, PROFILES, Profile
from tests.reference.resample import table_for
from tests.signals import Floats, Samples, in_pieces, noise, pcm, samples_of, square_noise, tone

conversions = pytest.mark.parametrize(("in_hz", "out_hz", "profile"), CONVERSIONS)


def filter_of(in_hz: int, out_hz: int, profile: Profile) -> FilterTable:
    table = table_for(in_hz, out_hz, profile)
    assert table is not None
    return table


def convolved(table: FilterTable, samples: Samples) -> Floats:
    """The float64 convolution with the integer taps, saturated but not rounded."""
    up, down = table.conversion.up, table.conversion.down
    upsampled = np.zeros(len(samples) * up)
    upsampled[::up] = samples
    full = np.convolve(upsampled, np.array(table.taps, float) / 2 ** (table.shift + table.fine_shift))
    return np.clip(full[down - 1 : len(upsampled) : down], -32768, 32767)


def loudest_for_each_row(table: FilterTable) -> Samples:
    """For each row of the filter the input that makes its output as large as it can be, and the negative of it."""
    runs = []
    for _, offsets in table.rows():
        run = np.zeros(table.history + table.conversion.group_in)
        for offset, tap in offsets.items():
            run[table.history + offset] = 32767 if table.taps[tap] > 0 else -32768
        runs += [run, -run]
    return np.clip(np.concatenate(runs), -32768, 32767).astype(np.int16)


def full_scale_tones(in_hz: int) -> Samples:
    """Tones and beats at full scale, up to the edge of the input's band."""
    seconds = np.arange(in_hz // 50) / in_hz
    tones = [np.sin(2 * np.pi * fraction * in_hz * seconds + 0.3) for fraction in (0.01, 0.12, 0.24, 0.37, 0.45, 0.5)]
    return (32767 * np.concatenate([*tones, np.sign(tones[2])])).round().astype(np.int16)


@conversions
def test_output_is_within_one_lsb_of_the_float64_convolution(
    in_hz: int, out_hz: int, profile: Profile, instruction_set: str
) -> None:
    table = filter_of(in_hz, out_hz, profile)
    for samples in (noise(1200), square_noise(1200), loudest_for_each_row(table), full_scale_tones(in_hz)):
        out = samples_of(Resampler(in_hz, out_hz, profile=profile).push(pcm(samples)))
        expected = convolved(table, samples)
        assert len(out) == len(samples) * out_hz // in_hz
        assert np.max(np.abs(out - expected[: len(out)])) <= 1.0


@conversions
def test_the_loudest_input_saturates_and_does_not_wrap(
    in_hz: int, out_hz: int, profile: Profile, instruction_set: str
) -> None:
    """Each row is driven as far as its taps allow, beyond full scale in both directions."""
    table = filter_of(in_hz, out_hz, profile)
    out = samples_of(Resampler(in_hz, out_hz, profile=profile).push(pcm(loudest_for_each_row(table))))
    per_run = (table.history + table.conversion.group_in) * table.conversion.up // table.conversion.down
    for row in range(table.conversion.group_out):
        at = (2 * row + 1) * per_run - table.conversion.group_out + row
        assert (out[at], out[at + per_run]) == (32767, -32768)


@conversions
def test_output_is_the_twins_to_the_bit(in_hz: int, out_hz: int, profile: Profile, instruction_set: str) -> None:
    data = pcm(np.concatenate([square_noise(150), noise(150)]))
    expected = reference.Resampler(in_hz, out_hz, profile=profile).push(data)
    assert Resampler(in_hz, out_hz, profile=profile).push(data) == expected


@conversions
def test_every_instruction_set_gives_the_same_bits(in_hz: int, out_hz: int, profile: Profile) -> None:
    data = pcm(np.concatenate([square_noise(2500, seed=2), noise(2501, seed=3)]))
    before = _codec.instruction_set()
    outputs = set()
    try:
        for name in _codec.instruction_sets():
            _codec.use_instruction_set(name)
            outputs.add(Resampler(in_hz, out_hz, profile=profile).push(data))
    finally:
        _codec.use_instruction_set(before)
    assert len(outputs) == 1


@pytest.mark.parametrize("name", _codec.instruction_sets())
def test_an_instruction_set_is_what_was_asked_for(name: str) -> None:
    before = _codec.instruction_set()
    try:
        _codec.use_instruction_set(name)
        assert _codec.instruction_set() == name
    finally:
        _codec.use_instruction_set(before)


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected instruction set to be one of .*portable, got 'mmx'"):
        _codec.use_instruction_set("mmx")


@given(
    conversion=st.sampled_from(CONVERSIONS),
    samples=st.integers(1, 3000),
    cuts=st.lists(st.integers(1, 1100), max_size=12),
)
def test_any_cut_gives_the_same_bytes(conversion: tuple[int, int, Profile], samples: int, cuts: list[int]) -> None:
    in_hz, out_hz, profile = conversion
    data = pcm(noise(samples, seed=samples))
    whole = Resampler(in_hz, out_hz, profile=profile).push(data)
    cut = Resampler(in_hz, out_hz, profile=profile)
    assert in_pieces(cut.push, data, [2 * cut for cut in cuts]) == whole


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_small_odd_pieces_give_the_same_bytes(in_hz: int, out_hz: int, instruction_set: str) -> None:
    data = pcm(noise(1000))
    whole = Resampler(in_hz, out_hz).push(data)
    for size in (1, 2, 3, 5, 7, 11):
        assert in_pieces(Resampler(in_hz, out_hz).push, data, [2 * size] * (1000 // size)) == whole, size


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_twenty_ms_in_are_twenty_ms_out_from_the_first_frame_on(in_hz: int, out_hz: int, profile: Profile) -> None:
    resampler = Resampler(in_hz, out_hz, profile=profile)
    frame = pcm(noise(in_hz // 50))
    assert [len(resampler.push(frame)) for _ in range(10)] == [2 * out_hz // 50] * 10


@pytest.mark.parametrize(("in_hz", "out_hz"), PAIRS)
def test_the_count_is_the_floor_of_the_ratio_at_every_moment(in_hz: int, out_hz: int) -> None:
    resampler = Resampler(in_hz, out_hz)
    pushed = returned = 0
    for size in [*range(1, 40), 961, 1, 2, 960, 5]:
        returned += len(resampler.push(bytes(2 * size))) // 2
        pushed += size
        assert returned == pushed * out_hz // in_hz


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_equal_rates_copy(rate_hz: int) -> None:
    resampler = Resampler(rate_hz, rate_hz)
    data = pcm(noise(999))
    assert resampler.push(data) == data
    assert resampler.delay_ms == 0.0


@conversions
def test_a_reset_stream_is_a_new_one(in_hz: int, out_hz: int, profile: Profile) -> None:
    used = Resampler(in_hz, out_hz, profile=profile)
    used.push(pcm(square_noise(997)))
    used.reset()
    data = pcm(noise(500))
    assert used.push(data) == Resampler(in_hz, out_hz, profile=profile).push(data)


@pytest.mark.parametrize(("in_hz", "out_hz"), [(8000, 16000), (16000, 8000), (48000, 16000), (16000, 16000)])
def test_a_buffer_may_lie_anywhere(in_hz: int, out_hz: int, instruction_set: str) -> None:
    data = pcm(noise(1001))
    expected = Resampler(in_hz, out_hz).push(data)
    for offset in (1, 2, 3, 7, 31):
        assert Resampler(in_hz, out_hz).push(memoryview(bytes(offset) + data)[offset:]) == expected, offset


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, dtype="<i2")])
def test_any_contiguous_buffer_is_taken_and_left_as_it_was(kind: type[memoryview]) -> None:
    data = pcm(tone(1000, 8000, 160))
    given_data = kind(data)
    assert Resampler(8000, 16000).push(given_data) == Resampler(8000, 16000).push(data)
    assert bytes(given_data) == data


@pytest.mark.parametrize("not_bytes", ["text", 5, None, [0, 0]])
def test_what_is_no_buffer_is_a_type_error(not_bytes: object) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        Resampler(8000, 16000).push(not_bytes)  # type: ignore[arg-type]  # the wrong type is the test


def test_a_buffer_with_gaps_is_refused() -> None:
    with pytest.raises((BufferError, ValueError), match="contiguous"):
        Resampler(8000, 16000).push(memoryview(bytes(8))[::2])
