"""Measurements of level: least squares on a tone, without windows or FFT bins; 0 dBFS is a sine of full scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.signals.waves import FULL_SCALE, Floats, samples_of

BLOCK_MS = 100
"""A level is taken over this long: 10 Hz of resolution, and a start anywhere spoils one block only."""
STEADY_DB = 0.5


def fit(values: npt.ArrayLike, rate_hz: float, *frequencies_hz: float, first: int = 0) -> tuple[list[complex], Floats]:
    """
    Return the complex amplitude of each frequency, fitted together with DC, and what is left over.

    ``sin(2 pi f n / rate_hz)``, with n counted from sample ``-first``, has amplitude 1 and phase 0.
    """
    values = np.asarray(values, dtype=np.float64)
    at = 2 * np.pi * (first + np.arange(len(values))) / rate_hz
    columns = [np.ones_like(at)]
    for frequency in frequencies_hz:
        columns += [np.sin(at * frequency), np.cos(at * frequency)]
    basis = np.stack(columns, axis=1)
    solution, *_ = np.linalg.lstsq(basis, values, rcond=None)
    amplitudes = [complex(a, b) for a, b in zip(solution[1::2], solution[2::2], strict=True)]
    return amplitudes, values - basis @ solution


def level_db(value: float, reference: float = FULL_SCALE) -> float:
    return float(20 * np.log10(max(value, 1e-12) / reference))


def rms(values: npt.ArrayLike) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=np.float64)))))


def tone_dbfs(pcm: bytes, rate_hz: float, frequency_hz: float) -> float:
    """
    Return the level of a tone where it sounds: the median over the blocks within 6 dB of its loudest.

    A tone that starts or ends anywhere in the recording has the same level; one that is absent has that of the noise.

    Raises:
        ValueError: the recording is shorter than ``BLOCK_MS``.
    """
    amplitudes = _block_amplitudes(pcm, rate_hz, frequency_hz)[:, 0]
    return level_db(float(np.median(amplitudes[amplitudes >= amplitudes.max() / 2])))


def rejection_db(pcm: bytes, rate_hz: float, *, wanted_hz: float, own_hz: float) -> float:
    """
    Return how far the listener's own tone is below the tone it should hear, in the worst block.

    Only blocks in and beside which the wanted tone is steady count: where it starts or ends it has every frequency.

    Raises:
        ValueError: the recording is shorter than ``BLOCK_MS``, or the wanted tone is steady nowhere.
    """
    amplitudes = _block_amplitudes(pcm, rate_hz, wanted_hz, own_hz)
    wanted = amplitudes[:, 0]
    level = max(float(np.median(wanted[wanted >= wanted.max() / 2])), 1e-9)
    steady = np.abs(20 * np.log10(np.maximum(wanted, 1e-12) / level)) < STEADY_DB
    inside = steady & np.append(steady[1:], False) & np.append(False, steady[:-1])
    if not inside.any():
        raise ValueError(f"recording: expected {wanted_hz} Hz to be steady for 300 ms, got it nowhere so")
    return -level_db(float(amplitudes[inside, 1].max()), level)


def _block_amplitudes(pcm: bytes, rate_hz: float, *frequencies_hz: float) -> Floats:
    rows = [np.abs(fit(block, rate_hz, *frequencies_hz)[0]) for block in _blocks(samples_of(pcm), rate_hz)]
    if not rows:
        raise ValueError(f"recording: expected at least {BLOCK_MS} ms, got {1000 * len(pcm) / 2 / rate_hz:.1f} ms")
    return np.array(rows)


def _blocks(samples: npt.NDArray[np.int16], rate_hz: float) -> Iterator[npt.NDArray[np.int16]]:
    length = round(rate_hz * BLOCK_MS / 1000)
    yield from (samples[at : at + length] for at in range(0, len(samples) - length + 1, length))
