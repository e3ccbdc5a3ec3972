"""Test signals, the same every time, and PCM of them."""

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


def dbfs(level: float) -> float:
    """Return the amplitude of a sine of this level."""
    return float(FULL_SCALE * 10 ** (level / 20))


def speech(rate_hz: int, seconds: float, *, level_dbfs: float = -12.0, seed: int = 1) -> Floats:
    """
    Return a voice that says nothing: voiced bursts of 120 to 400 ms between pauses of 60 to 300 ms.

    The peak is at ``level_dbfs``. The same seed says the same at every rate, up to 3.4 kHz.
    """
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    voice = np.zeros_like(time_s)
    at_s = 0.05
    while at_s < seconds:
        length_s, pitch_hz, pause_s = rng.uniform(0.12, 0.4), rng.uniform(95, 180), rng.uniform(0.06, 0.3)
        burst = slice(*np.searchsorted(time_s, [at_s, at_s + length_s]))
        voice[burst] += _syllable(time_s[burst] - at_s, length_s, pitch_hz)
        at_s += length_s + pause_s
    return np.asarray(voice * (dbfs(level_dbfs) / max(np.abs(voice).max(initial=0.0), 1e-12)))


def _syllable(time_s: Floats, length_s: float, pitch_hz: float) -> Floats:
    """Harmonics up to 3.4 kHz that fall with 1/n, under half a sine; the pitch falls by a tenth."""
    phase = 2 * np.pi * pitch_hz * (time_s - 0.05 * time_s**2 / length_s)
    numbers = range(1, int(3400 // pitch_hz) + 1)
    harmonics = np.sum([np.sin(n * phase + n * n) / n for n in numbers], axis=0)
    return np.asarray(harmonics * np.sin(np.pi * time_s / length_s))


def in_pieces(push: Callable[[bytes], bytes], data: bytes, sizes_bytes: list[int]) -> bytes:
    """Push ``data`` cut into these sizes, then the rest."""
    out = []
    for size in sizes_bytes:
        if not data:
            break
        out.append(push(data[:size]))
        data = data[size:]
    return b"".join([*out, push(data)] if data else out)
