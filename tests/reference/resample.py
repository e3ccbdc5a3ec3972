"""
Rate conversion as a direct convolution with the integer taps of ``scripts/design_filters.py``.

The input, with ``up - 1`` zeros after each sample, is convolved with the taps, and one output in ``down`` is kept.
Output k lies at place ``k * down + down - 1`` of that grid: it can be computed as soon as the input covers it, which
is why n input samples have always given ``n * up // down`` outputs.

The one thing beyond that is the rounding. The outer taps of a filter are held finer by ``fine_shift`` bits than the
inner ones: their products are summed first and shifted down, then the inner products are added, and the sum is rounded.
"""

from design_filters import ROWS_PER_CHUNK, FilterTable, quantise
from filter_specs import CONVERSIONS

from tests.reference.pcm import pack, saturate, unpack


def table_for(in_rate_hz: int, out_rate_hz: int, profile: str) -> FilterTable | None:
    """The filter between two rates; None for equal ones, which need none."""
    for conversion in CONVERSIONS:
        if (in_rate_hz // 1000, out_rate_hz // 1000) in conversion.rates_khz:
            return quantise(conversion, profile)
    if in_rate_hz != out_rate_hz:
        raise ValueError(f"no filter from {in_rate_hz} to {out_rate_hz} Hz")
    return None


class Resampler:
    def __init__(self, in_rate_hz: int, out_rate_hz: int, *, profile: str = "balanced") -> None:
        self.table = table_for(in_rate_hz, out_rate_hz, profile)
        self.heard: list[int] = []
        self.written = 0

    def push(self, pcm: bytes) -> bytes:
        return pack(self.convert(unpack(pcm)))

    def convert(self, samples: list[int]) -> list[int]:
        if self.table is None:
            return samples
        self.heard += samples
        begin, self.written = self.written, len(self.heard) * self.table.conversion.up // self.table.conversion.down
        return [self._output(self.table, k) for k in range(begin, self.written)]

    def _output(self, table: FilterTable, k: int) -> int:
        up, down = table.conversion.up, table.conversion.down
        place = k * down + down - 1
        outer = inner = 0
        for tap in range(place % up, len(table.taps), up):
            at = (place - tap) // up
            if at < 0:
                break  # before the stream there was silence
            if is_inner(table, k, at):
                inner += (table.taps[tap] >> table.fine_shift) * self.heard[at]
            else:
                outer += table.taps[tap] * self.heard[at]
        half = 1 << (table.shift - 1)
        return saturate(((outer >> table.fine_shift) + inner + half) >> table.shift)


def is_inner(table: FilterTable, k: int, at: int) -> bool:
    """Whether input sample ``at`` meets output ``k`` in a slot of the coarse scale; a group counts its own."""
    group, row = divmod(k, table.conversion.group_out)
    return table.slot_of(at - group * table.conversion.group_in) in table.inner[row // ROWS_PER_CHUNK]
