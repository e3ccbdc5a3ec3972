"""Owns the audio that the benchmarks feed: the same every time, and loud and voiced as speech is."""

from __future__ import annotations

import numpy as np

from relay._codec import Encoder

FRAME_MS = 20


def voiced_frame(rate_hz: int, frame_ms: int = FRAME_MS) -> bytes:
    """Return PCM with the harmonics of a 120 Hz voice up to 3.4 kHz over a little noise."""
    time_s = np.arange(rate_hz * frame_ms // 1000) / rate_hz
    harmonics = [np.sin(2 * np.pi * 120 * n * time_s + n * n) / n for n in range(1, 29)]
    noise = np.random.default_rng(1).normal(0, 0.02, len(time_s))
    pcm: bytes = ((sum(harmonics) + noise) * 9000).clip(-32768, 32767).astype("<i2").tobytes()
    return pcm


def pcmu_frame() -> bytes:
    """Return 20 ms of PCMU."""
    return Encoder("pcmu", 8000, 8000).push(voiced_frame(8000))
