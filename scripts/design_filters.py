"""
Design the rate-conversion filters of ``filter_specs.py``: float taps, integer tables, and their figures.

``write_tables.py`` prints the figures and writes what the native core compiles in; a test checks that the two agree.

How a filter becomes a table:

1. ``Band`` -> float taps on the grid ``L * in_rate_hz``: linear phase by Remez exchange, or the minimum-phase
   spectral factor of such a filter.
2. Float taps -> integers at two scales. A single int16 scale that cannot overflow loses 10 dB of stop band, so the
   small outer taps are held ``fine_shift`` bits finer than the inner ones. The kernel sums the outer products first,
   shifts them down to the inner scale, adds the inner products, and rounds once.
3. Integers -> slots. The kernel consumes input in pairs of samples and produces ``group_out`` outputs for
   each ``group_in`` inputs; slot ``s`` of a row holds the two coefficients for the pair ``s`` pairs back in time.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal
from filter_specs import BANDS, CONVERSIONS, PROFILES, Band, Conversion

ROWS_PER_CHUNK = 4  # outputs accumulated together; with two vectors each this fills half of AVX2's registers

RIPPLE_LIMIT_DB = 0.1
CEPSTRUM_POINTS = 1 << 18  # the aliased tail of the cepstrum is then below 1e-12

Floats = npt.NDArray[np.float64]


def minimum_phase_factor(zero_phase: Floats) -> Floats:
    """
    Return the minimum-phase taps whose power spectrum is that of a symmetric filter, which must stay above zero.

    The logarithm of the spectrum, folded onto positive quefrencies, is that of the minimum-phase factor (Oppenheim and
    Schafer, Discrete-Time Signal Processing, 13.5). It is well conditioned, unlike Newton's iteration on the taps.
    """
    centre = len(zero_phase) // 2
    circular = np.zeros(CEPSTRUM_POINTS)
    circular[: centre + 1] = zero_phase[centre:]
    circular[-centre:] = zero_phase[:centre]
    cepstrum = np.fft.irfft(np.log(np.fft.rfft(circular).real) / 2)
    half = CEPSTRUM_POINTS // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    factor: Floats = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))
    return factor[: centre + 1]


@functools.cache
def design(band: Band) -> Floats:
    """Return the float taps of ``band`` with a gain of 1 at DC."""
    length = 2 * band.taps - 1 if band.minimum_phase else band.taps
    edges = [0, band.pass_khz, band.stop_khz, band.grid_khz / 2]
    taps = scipy.signal.remez(
        length, edges, [1, 0], weight=[1, band.weight], fs=band.grid_khz, maxiter=1000, grid_density=32
    )
    if band.minimum_phase:
        centre = band.taps - 1
        frequencies, response = scipy.signal.freqz(taps, worN=1 << 15)
        lowest = np.min(np.real(response * np.exp(1j * frequencies * centre)))
        taps[centre] -= 1.25 * lowest  # lift the stop band clear of zero: no zeros on the unit circle
        taps = minimum_phase_factor(taps)
    return np.asarray(taps / np.sum(taps), dtype=np.float64)


@dataclass(frozen=True)
class Chunk:
    """Up to four rows of coefficients. ``coefficients[slot][row]`` is the (older, newer) pair; see ``FilterTable``."""

    first_slot: int
    inner: tuple[int, int]  # slots at the coarse scale, counted from first_slot
    coefficients: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True)
class FilterTable:
    """
    The integer filter of one conversion and profile.

    ``taps`` are the effective integer taps at the fine scale, ``2 ** (shift + fine_shift)`` for a gain of 1;
    ``inner[c]`` are the slots that chunk ``c`` holds ``fine_shift`` bits coarser; their taps are multiples of that.
    Output ``k`` of the conversion is ``sum(taps[i] * upsampled[k * down + down - 1 - i])``.
    """

    conversion: Conversion
    profile: str
    band: Band
    shift: int
    fine_shift: int
    taps: tuple[int, ...]
    inner: tuple[range, ...]

    @property
    def name(self) -> str:
        """Of the table in C."""
        return f"{self.conversion.name}_{self.profile}"

    def rows(self) -> Iterator[tuple[int, dict[int, int]]]:
        """Yield (row, {input offset in the group: tap index}) for each output of a group."""
        up, down = self.conversion.up, self.conversion.down
        for row in range(self.conversion.group_out):
            position = row * down + down - 1
            yield row, {(position - i) // up: i for i in range(position % up, len(self.taps), up)}

    @property
    def history(self) -> int:
        """Input samples before a group that its outputs reach back to, in whole groups."""
        oldest = min(min(offsets) for _, offsets in self.rows())
        return math.ceil(-oldest / self.conversion.group_in) * self.conversion.group_in

    def slot_of(self, offset: int) -> int:
        """The slot of an input sample: how many pairs before the newest pair of the group it lies."""
        return self.conversion.group_in // 2 - 1 - offset // 2

    def coarse(self) -> list[bool]:
        """Say which taps lie in an inner slot of any row."""
        found = [False] * len(self.taps)
        for row, offsets in self.rows():
            for offset, tap in offsets.items():
                found[tap] |= self.slot_of(offset) in self.inner[row // ROWS_PER_CHUNK]
        return found

    def chunks(self) -> list[Chunk]:
        """The table as the kernel reads it."""
        rows = [offsets for _, offsets in self.rows()]
        starts = range(0, len(rows), ROWS_PER_CHUNK)
        return [
            self._chunk(rows[at : at + ROWS_PER_CHUNK], inner) for at, inner in zip(starts, self.inner, strict=True)
        ]

    def _chunk(self, rows: list[dict[int, int]], inner: range) -> Chunk:
        used = {self.slot_of(offset) for offsets in rows for offset in offsets}
        first, last = min(used), max(used)
        slots = []
        for slot in range(first, last + 1):
            finer = self.fine_shift if slot in inner else 0
            older = 2 * (self.conversion.group_in // 2 - 1 - slot)
            held = [[self.taps[o[at]] >> finer if at in o else 0 for at in (older, older + 1)] for o in rows]
            slots.append(tuple((older, newer) for older, newer in held))
        return Chunk(first, (inner.start - first, inner.stop - first) if inner else (0, 0), tuple(slots))

    @property
    def delay(self) -> float:
        """Group delay in grid samples, less the ``down - 1`` that a whole frame lets the filter look ahead."""
        if not self.band.minimum_phase:
            return (len(self.taps) - 1) / 2 - (self.conversion.down - 1)
        lower_khz = self.band.grid_khz / max(self.conversion.up, self.conversion.down)
        at_1khz = 2 * math.pi * lower_khz / 8 / self.band.grid_khz
        _, delay = scipy.signal.group_delay((np.array(self.taps, float), np.ones(1)), w=[at_1khz])
        return float(delay[0]) - (self.conversion.down - 1)

    def figures(self) -> tuple[float, float]:
        """Return (pass-band ripple peak to peak, stop-band rejection), both in dB, of the integer taps."""
        frequencies, response = scipy.signal.freqz(np.array(self.taps, float), worN=1 << 14, fs=self.band.grid_khz)
        level = 20 * np.log10(np.abs(response) / abs(response[0]) + 1e-12)
        passed = level[frequencies <= self.band.pass_khz]
        return float(np.ptp(passed)), float(-np.max(level[frequencies >= self.band.stop_khz]))


def worst_case(table: FilterTable) -> tuple[int, int]:
    """Return the largest magnitudes that any input can bring the outer and the inner int32 sum to."""
    outer = inner = 0
    for chunk in table.chunks():
        begin, end = chunk.inner
        for row in range(len(chunk.coefficients[0])):
            sums = [0, 0]
            for slot, rows in enumerate(chunk.coefficients):
                sums[begin <= slot < end] += 32768 * (abs(rows[row][0]) + abs(rows[row][1]))
            outer = max(outer, sums[0])
            inner = max(inner, (sums[0] >> table.fine_shift) + 1 + sums[1] + (1 << (table.shift - 1)))
    return outer, inner


@functools.cache
def error_metric(band: Band, pass_weight: float) -> Floats:
    """
    Return the matrix ``G`` for which ``e @ G @ e`` is the weighted energy of the frequency response of ``e``.

    Integral of ``weight * cos(w * (i - j))`` over the stop band (weight 1), the pass band (where 24 to 40 dB more error
    stays within the ripple) and the transition band (where nearly any error is harmless).
    """
    lag = np.arange(band.taps)
    metric = np.zeros(band.taps)
    edges = np.array([0, band.pass_khz, band.stop_khz, band.grid_khz / 2]) / band.grid_khz
    for begin, end, weight in zip(edges, edges[1:], (pass_weight, 1e-6, 1.0), strict=False):
        metric += weight * 2 * (end * np.sinc(2 * lag * end) - begin * np.sinc(2 * lag * begin))
    return np.asarray(metric[np.abs(lag[:, None] - lag[None, :])])


def round_to_lattice(
    taps: Floats, quanta: npt.NDArray[np.int64], band: Band, *, pass_weight: float, inward: bool
) -> tuple[int, ...]:
    """
    Round each tap to a multiple of its quantum so that the error falls where the filter forgives it.

    Babai's nearest plane: the coarse taps are rounded first, and what each rounding leaves over is handed to the taps
    still free, in the proportion that hurts the stop band least. Plain rounding has 2 to 10 dB less rejection.
    """
    basis = np.eye(len(taps))
    if not band.minimum_phase:  # mirrored pairs are rounded as one, so that linear phase stays exact
        basis = (basis + basis[::-1])[:, : len(taps) // 2]
        quanta = np.maximum(quanta, quanta[::-1])
    variables = np.arange(basis.shape[1])
    distance = np.abs(variables - np.argmax(np.abs(taps[variables])))
    order = np.lexsort((distance if inward else -distance, quanta[variables]))  # the last is rounded first
    triangle = np.linalg.cholesky(basis[:, order].T @ error_metric(band, pass_weight) @ basis[:, order]).T
    error = np.zeros(len(order))
    rounded = np.zeros(len(order), dtype=np.int64)
    for at in reversed(range(len(order))):
        wanted = taps[order[at]] + triangle[at, at + 1 :] @ error[at + 1 :] / triangle[at, at]
        quantum = quanta[order[at]]
        rounded[order[at]] = quantum * round(wanted / quantum)
        error[at] = taps[order[at]] - rounded[order[at]]
    return tuple(int(tap) for tap in basis @ rounded)


def fits(table: FilterTable) -> bool:
    """Say whether every coefficient is an int16 and no input can overflow the int32 accumulator."""
    held = (abs(tap) for chunk in table.chunks() for slot in chunk.coefficients for pair in slot for tap in pair)
    return max(held) <= 32767 and max(worst_case(table)) < 2**31


def _splits(table: FilterTable) -> list[tuple[range, ...]]:
    """The slots of each chunk between those of the largest taps, these included: of none, of one, of two, ..."""
    places: list[set[tuple[int, int]]] = [set() for _ in table.taps]
    for row, offsets in table.rows():
        for offset, tap in offsets.items():
            places[tap].add((row // ROWS_PER_CHUNK, table.slot_of(offset)))
    inner = [range(0) for _ in table.inner]
    splits = [tuple(inner)]
    for tap in sorted(range(len(table.taps) - 1), key=lambda tap: -abs(table.taps[tap])):
        for chunk, slot in places[tap]:
            held = inner[chunk]
            inner[chunk] = range(min(held.start, slot), max(held.stop, slot + 1)) if held else range(slot, slot + 1)
        splits.append(tuple(inner))
    return list(dict.fromkeys(splits))


def _candidates(conversion: Conversion, profile: str) -> Iterator[FilterTable]:
    """Yield tables at all scales, each with the narrowest inner part that cannot overflow, rounded in several ways."""
    band = BANDS[conversion.band, profile]
    taps = design(band) * conversion.up
    chunks = math.ceil(conversion.group_out / ROWS_PER_CHUNK)
    for shift, fine_shift in itertools.product(range(16, 12, -1), range(1, 6)):
        scaled = taps * 2 ** (shift + fine_shift)
        plain = tuple(round(tap) for tap in scaled)
        table = FilterTable(conversion, profile, band, shift, fine_shift, plain, (range(0),) * chunks)
        splits = _splits(table)
        narrowest = bisect.bisect_left(splits, 1, key=lambda inner: int(fits(dataclasses.replace(table, inner=inner))))
        for inner in splits[narrowest : narrowest + 1]:
            table = dataclasses.replace(table, inner=inner)
            quanta = np.where(table.coarse(), 1 << fine_shift, 1)
            for pass_weight, inward in itertools.product((1e-4, 3e-4, 1e-3, 4e-3), (True, False)):
                rounded = round_to_lattice(scaled, quanta, band, pass_weight=pass_weight, inward=inward)
                yield dataclasses.replace(table, taps=rounded)


@functools.cache
def quantise(conversion: Conversion, profile: str) -> FilterTable:
    """Return the candidate with the best rejection within ``RIPPLE_LIMIT_DB`` that no input can overflow."""
    best, best_rejection = None, -math.inf
    for table in _candidates(conversion, profile):
        ripple, rejection = table.figures()
        if ripple <= RIPPLE_LIMIT_DB and rejection > best_rejection + 1e-6 and fits(table):
            best, best_rejection = table, rejection
    if best is None:
        raise ArithmeticError(
            f"no integer table of {conversion.name} {profile} has at most {RIPPLE_LIMIT_DB} dB of ripple"
        )
    return best


def all_tables() -> list[FilterTable]:
    """Every conversion in every profile."""
    return [quantise(conversion, profile) for conversion in CONVERSIONS for profile in PROFILES]


def figures_text() -> str:
    """Return the figures of every table, one a line."""
    lines = ["table                      taps  ripple dB  rejection dB  delay ms  worst int32 use"]
    for table in all_tables():
        ripple, rejection = table.figures()
        use = max(worst_case(table)) / 2**31
        delay_ms = table.delay / table.band.grid_khz
        lines.append(
            f"{table.name:26} {len(table.taps):4}  {ripple:9.3f}  {rejection:12.1f}  {delay_ms:8.3f}  {use:15.1%}"
        )
    return "\n".join(lines)
