"""The compiled filter tables: what the scripts write, without overflow, and as good as they must be."""

import functools
import itertools
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from design_filters import FilterTable, all_tables, quantise, worst_case
from filter_specs import CONVERSIONS
from write_tables import HEADERS, NATIVE, RETIME_TAPS, RETIME_UNIT

from tests.codec.cases import CONVERSIONS as RATES_AND_PROFILES
from tests.codec.cases import PROFILES
from tests.reference.resample import is_inner, table_for
from tests.reference.retime import sinc_rows

RIPPLE_DB, REJECTION_DB = 0.1, 80.0
REJECTION_OF_DB = {"down6_low_delay": 79.5, "down6_high_quality": 79.5}  # for the reason given in test_quality.py
INT16, INT32 = 1 << 15, 1 << 31


@pytest.fixture(params=itertools.product(CONVERSIONS, PROFILES), ids=lambda case: f"{case[0].name}_{case[1]}")
def table(request: pytest.FixtureRequest) -> FilterTable:
    """Each table in turn; designing all of them takes ten seconds, which collecting the tests should not."""
    return quantise(*request.param)


def source(name: str) -> str:
    return Path(NATIVE / name).read_text()


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.long
def test_what_is_compiled_is_what_the_scripts_write(name: str) -> None:
    assert source(name) == HEADERS[name](), f"run scripts/write_tables.py --write and rebuild: {name} is another"


def test_every_header_of_tables_is_one_that_the_scripts_write() -> None:
    assert {path.name for path in NATIVE.glob("*_table*.h")} == set(HEADERS)


@pytest.mark.long
def test_every_conversion_has_its_table() -> None:
    found = {table_for(*conversion) for conversion in RATES_AND_PROFILES}
    assert found == set(all_tables())
    assert len(found) == 30


def held_coefficients(table: FilterTable) -> list[tuple[list[int], list[int]]]:
    """The outer and the inner coefficients of each row as the kernel holds them, by the rule that the twin follows."""
    up, down = table.conversion.up, table.conversion.down
    far = 1000 * table.conversion.group_out  # away from the beginning of the stream
    rows = []
    for k in range(far, far + table.conversion.group_out):
        place = k * down + down - 1
        outer, inner = [], []
        for tap in range(place % up, len(table.taps), up):
            if is_inner(table, k, (place - tap) // up):
                inner.append(table.taps[tap] >> table.fine_shift)
            else:
                outer.append(table.taps[tap])
        rows.append((outer, inner))
    return rows


def test_no_input_overflows_the_accumulator(table: FilterTable) -> None:
    """The largest sum of any part of the products, in any order, of samples of -32768."""
    for outer, inner in held_coefficients(table):
        largest_outer = INT16 * sum(map(abs, outer))
        largest = (largest_outer >> table.fine_shift) + 1 + (1 << (table.shift - 1)) + INT16 * sum(map(abs, inner))
        assert largest_outer < INT32
        assert largest < INT32
        assert largest_outer <= worst_case(table)[0]
        assert largest <= worst_case(table)[1]


def test_every_coefficient_is_an_int16_and_loses_nothing(table: FilterTable) -> None:
    for outer, inner in held_coefficients(table):
        assert all(-INT16 <= coefficient < INT16 for coefficient in outer + inner)
    coarse = table.coarse()
    assert all(
        tap % (1 << table.fine_shift) == 0 for tap, is_coarse in zip(table.taps, coarse, strict=True) if is_coarse
    )


@functools.cache
def level_db(table: FilterTable) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Frequencies in kHz and the level there relative to DC, by a plain Fourier sum."""
    points = 1 << 15
    padded = np.zeros(points)
    padded[: len(table.taps)] = table.taps
    spectrum = np.abs(np.fft.rfft(padded))
    return np.linspace(0, table.band.grid_khz / 2, len(spectrum)), 20 * np.log10(spectrum / spectrum[0] + 1e-12)


def test_the_pass_band_is_flat(table: FilterTable) -> None:
    frequencies_khz, level = level_db(table)
    assert np.ptp(level[frequencies_khz <= table.band.pass_khz]) <= RIPPLE_DB


def test_the_stop_band_is_stopped(table: FilterTable) -> None:
    frequencies_khz, level = level_db(table)
    assert np.max(level[frequencies_khz >= table.band.stop_khz]) <= -REJECTION_OF_DB.get(table.name, REJECTION_DB)


def test_the_bands_are_those_of_telephony(table: FilterTable) -> None:
    """Both edges lie as far from half the lower rate, and the pass band reaches 3.4 or 7 kHz."""
    middle_khz = table.band.grid_khz / max(table.conversion.up, table.conversion.down) / 2
    assert table.band.pass_khz + table.band.stop_khz == pytest.approx(2 * middle_khz)
    assert table.band.pass_khz >= (3.4 if middle_khz == 4 else 7.0)


def test_the_level_is_kept(table: FilterTable) -> None:
    """DC is at most half the ripple off."""
    unity = table.conversion.up << (table.shift + table.fine_shift)
    assert 20 * np.log10(sum(table.taps) / unity) == pytest.approx(0, abs=RIPPLE_DB / 2)


def test_only_the_low_delay_filters_bend_the_phase(table: FilterTable) -> None:
    assert (table.taps == table.taps[::-1]) == (table.profile != "low_delay")


def test_the_figures_written_beside_a_table_are_its_own() -> None:
    """Whoever reads the header reads measured numbers: each is measured here once more."""
    comments = re.findall(
        r"/\* (\d+) taps on a .* kHz grid: ([\d.]+) dB ripple .*, ([\d.]+) dB rejection", source("fir_tables.h")
    )
    assert len(comments) == len(all_tables())
    for table, (taps, ripple, rejection) in zip(all_tables(), comments, strict=True):
        frequencies_khz, level = level_db(table)
        assert int(taps) == len(table.taps)
        assert float(ripple) == pytest.approx(np.ptp(level[frequencies_khz <= table.band.pass_khz]), abs=0.002)
        assert float(rejection) == pytest.approx(-np.max(level[frequencies_khz >= table.band.stop_khz]), abs=0.1)


def test_each_phase_of_re_timing_keeps_the_level_of_dc_exactly() -> None:
    """One sum of 16 products of int16 also stays within int32."""
    for row in sinc_rows():
        assert len(row) == RETIME_TAPS
        assert sum(row) == RETIME_UNIT
        assert INT16 * sum(map(abs, row)) < INT32


def test_the_phases_of_re_timing_are_mirrored() -> None:
    """Reading forward by p/128 sample is reading backward by the rest; the last phase is the first, a sample on."""
    rows = sinc_rows()
    assert rows[-1] == [0, *rows[0][:-1]]
    assert all(row == mirrored[::-1] for row, mirrored in zip(rows[:64], rows[:64:-1], strict=True))
