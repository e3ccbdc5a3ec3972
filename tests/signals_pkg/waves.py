"""Test signals, and measurements on PCM: levels, delays and noise by least squares, without windows or FFT bins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

FULL_SCALE = 32767.0


def pcm(values: npt.ArrayLike) -> bytes:
    """PCM of values, rounded and saturated."""
    return np.clip(np.round(np.asarray(values, dtype=np.float64)), -32768, 32767).astype("<i2").tobytes()


def samples_of(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, dtype="<i2")


def noise(samples: int, *, seed: int = 1) -> Samples:
    """White noise over the whole int16 range."""
    return np.random.default_rng(seed).integers(-32768, 32768, samples).astype(np.int16)


def square_noise(samples: int, *, seed: int = 1) -> Samples:
    """Full-scale noise of the two extreme values alone."""
    return np.where(np.random.default_rng(seed).random(samples) < 0.5, -32768, 32767).astype(np.int16)


def tone(frequency_hz: float, rate_hz: int, samples: int, *, amplitude: float = FULL_SCALE) -> Floats:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz)


def fit(values: npt.ArrayLike, rate_hz: int, *frequencies_hz: float, first: int = 0) -> tuple[list[complex], Floats]:
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


def in_pieces(push: Callable[[bytes], bytes], data: bytes, sizes_bytes: list[int]) -> bytes:
    """Push ``data`` cut into these sizes, then the rest."""
    out = []
    for size in sizes_bytes:
        if not data:
            break
        out.append(push(data[:size]))
        data = data[size:]
    return b"".join([*out, push(data)] if data else out)
