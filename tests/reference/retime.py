"""
One sample more or less: each output is read from a place that drifts by one sample along a cubic ramp.

Output i of n is read at ``i - change * (3 (i/n)^2 - 2 (i/n)^3)``, cut to 1/32768 sample: by a windowed sinc at every
1/128 sample, and a straight line between two of those. Before the first and after the last sample, these two go on.
"""

import functools
import re

from write_tables import RETIME_PHASES, RETIME_TAPS, RETIME_UNIT, retime_header

from tests.reference.pcm import pack, saturate, unpack

PLACES = 1 << 15  # per sample
BETWEEN = PLACES // RETIME_PHASES


@functools.cache
def sinc_rows() -> list[list[int]]:
    """The weights of each phase, out of the text that is compiled in."""
    rows = [
        [int(weight) for weight in row.split(",")]
        for row in re.findall(r"^    \{(.*)\},$", retime_header(), re.MULTILINE)
    ]
    assert [len(row) for row in rows] == [RETIME_TAPS] * (RETIME_PHASES + 1)
    return rows


def retime(pcm: bytes, change: int) -> bytes:
    samples = unpack(pcm)
    written = len(samples) + change
    return pack(_read(samples, i * PLACES - change * ramp(i, written)) for i in range(written))


def ramp(i: int, n: int) -> int:
    """How far the ramp has come at output i of n, in places."""
    return (3 * i * i * n - 2 * i**3) * PLACES // n**3


def _read(samples: list[int], place: int) -> int:
    whole, fraction = divmod(place, PLACES)
    phase, between = divmod(fraction, BETWEEN)
    first = whole - (RETIME_TAPS // 2 - 1)
    around = [samples[max(0, min(at, len(samples) - 1))] for at in range(first, first + RETIME_TAPS)]
    this, following = (sum(a * w for a, w in zip(around, sinc_rows()[row], strict=True)) for row in (phase, phase + 1))
    scaled = this * (BETWEEN - between) + following * between
    return saturate((scaled + RETIME_UNIT * BETWEEN // 2) // (RETIME_UNIT * BETWEEN))
