"""
Print the figures of every filter and write the coefficient tables of the native core.

    python scripts/write_tables.py            # print the figures
    python scripts/write_tables.py --write    # and rewrite relay/native/fir_tables.h and retime_table.h
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator

import numpy as np
from design_filters import FilterTable, all_tables, figures_text, quantise
from filter_specs import CONVERSIONS, PROFILES

NATIVE = pathlib.Path(__file__).parent.parent / "relay" / "native"

RETIME_TAPS, RETIME_PHASES, RETIME_UNIT = 16, 128, 1 << 14  # as in retime.h and retime_kernel.h
# Error at the worst phase: -66 dB to 3.4 kHz of 16 kHz, -62 dB to 5.6 kHz. At 8 kHz, 1 dB is lost at 3.4 kHz.
RETIME_KAISER_BETA = 6.0


def _pairs_text(table: FilterTable) -> Iterator[str]:
    for number, chunk in enumerate(table.chunks()):
        yield f"static const int16_t {table.name}_{number}[] = {{"
        for slot in chunk.coefficients:
            yield "    " + " ".join(f"{older}, {newer}," for older, newer in slot)
        yield "};"
        yield f"static const int16_t {table.name}_{number}_at[] = {{"
        lanes = table.conversion.group_in // 2
        slots = range(chunk.first_slot, chunk.first_slot + len(chunk.coefficients))
        places = [f"FIR_AT({lanes - 1 - slot % lanes}, {slot // lanes})," for slot in slots]
        yield from ("    " + " ".join(places[at : at + 8]) for at in range(0, len(places), 8))
        yield "};"


def _table_text(table: FilterTable) -> Iterator[str]:
    conversion, chunks = table.conversion, table.chunks()
    yield f"static const fir_table {table.name} = {{"
    yield f"    .up = {conversion.up}, .down = {conversion.down},"
    yield f"    .group_in = {conversion.group_in}, .group_out = {conversion.group_out},"
    yield f"    .shift = {table.shift}, .fine_shift = {table.fine_shift}, .history = {table.history},"
    yield f"    .delay = {table.delay:.3f}, .chunks = {len(chunks)},"
    yield "    .chunk = {"
    for number, chunk in enumerate(chunks):
        rows, slots = len(chunk.coefficients[0]), len(chunk.coefficients)
        begin, end = chunk.inner
        yield f"        {{{rows}, {slots}, {begin}, {end}, {table.name}_{number}, {table.name}_{number}_at}},"
    yield "    },"
    yield "};"
    yield f'_Static_assert({table.history} <= FIR_HISTORY && {len(chunks)} <= FIR_CHUNKS, "{table.name} fits fir.h");'


def fir_header() -> str:
    """Return the whole of ``fir_tables.h``."""
    lines = [
        "/* Written by scripts/write_tables.py --write; do not edit. Layout: fir.h. Included by fir.c alone. */",
        "/* clang-format off */",
    ]
    for table in all_tables():
        ripple, rejection = table.figures()
        band = table.band
        figures = (
            f"{ripple:.3f} dB ripple to {band.pass_khz:g} kHz, {rejection:.1f} dB rejection from {band.stop_khz:g}"
        )
        lines += ["", f"/* {len(table.taps)} taps on a {band.grid_khz:g} kHz grid: {figures} */"]
        lines += [*_pairs_text(table), *_table_text(table)]
    lines += [
        "",
        "static const struct {",
        "    uint32_t in_rate_hz, out_rate_hz;",
        "    const fir_table *by_profile[3];",
    ]
    lines += ["} FIR_CONVERSIONS[] = {"]
    for conversion in CONVERSIONS:
        names = ", ".join(f"&{quantise(conversion, profile).name}" for profile in PROFILES)
        lines += [f"    {{{in_khz}000, {out_khz}000, {{{names}}}}}," for in_khz, out_khz in conversion.rates_khz]
    return "\n".join([*lines, "};", ""])


def retime_header() -> str:
    """
    Return the whole of ``retime_table.h``: a Kaiser-windowed sinc at every 1/128 sample.

    Row ``p`` weighs the samples ``-7 .. 8`` around a position ``p / 128`` behind the sample 0. Each row sums to the
    unit exactly, so that re-timing does not change the level of DC.
    """
    lines = [
        "/* Written by scripts/write_tables.py --write; do not edit. Layout: retime.h. Included by retime_kernel.h. */",
        "/* clang-format off */",
    ]
    lines.append("static const int16_t RETIME_SINC[RETIME_PHASES + 1][RETIME_TAPS] = {")
    for phase in range(RETIME_PHASES + 1):
        distance = np.arange(RETIME_TAPS) - (RETIME_TAPS // 2 - 1) - phase / RETIME_PHASES
        shape = np.i0(RETIME_KAISER_BETA * np.sqrt(np.clip(1 - (distance / (RETIME_TAPS / 2)) ** 2, 0, None)))
        weights = np.sinc(distance) * shape
        row = np.round(weights / weights.sum() * RETIME_UNIT).astype(int)
        row[np.argmax(row)] += RETIME_UNIT - row.sum()
        lines.append("    {" + ", ".join(str(weight) for weight in row) + "},")
    return "\n".join([*lines, "};", ""])


HEADERS = {"fir_tables.h": fir_header, "retime_table.h": retime_header}


def main() -> None:
    """Print, and write if asked to."""
    parser = argparse.ArgumentParser(description="Print the figures of every filter.")
    parser.add_argument("--write", action="store_true", help=f"write {' and '.join(HEADERS)} as well")
    if parser.parse_args().write:
        for name, text in HEADERS.items():
            (NATIVE / name).write_text(text())
    print(figures_text())


if __name__ == "__main__":
    main()
