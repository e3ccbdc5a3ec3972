"""Owns the figures of the signal: delay, ripple, rejection, THD+N and G.711, each read from what the codec puts out."""

from __future__ import annotations

import contextlib
import sys

import numpy as np
import numpy.typing as npt

from benchmarks.rivals import Missing, package
from benchmarks.signals import voiced_frame
from relay._codec import Decoder, Encoder, Resampler

Floats = npt.NDArray[np.float64]

PASS_HZ, STOP_HZ, STEP_HZ = 3400, 4600, 100  # what telephony carries, and where its first image or alias lies
SETTLED_S = 0.25  # longer than any filter here, so that the second after it is periodic


def signal_figures() -> dict[str, float]:
    """Return every figure by its name in ``targets.py``."""
    figures = {
        "delay balanced 8k -> 16k ms": Resampler(8000, 16000).delay_ms,
        "delay low_delay 8k -> 16k ms": Resampler(8000, 16000, profile="low_delay").delay_ms,
        "ripple dB": max(ripple_db(8000, 16000), ripple_db(16000, 8000)),
        "rejection 2x dB": min(rejection_db(8000, 16000), rejection_db(16000, 8000)),
        "rejection 3x and 6x dB": min(
            rejection_db(*pair) for pair in ((8000, 24000), (24000, 8000), (8000, 48000), (48000, 8000))
        ),
        "THD+N 8k -> 16k dB": thd_n_db(8000, 16000),
        "THD+N 16k -> 8k dB": thd_n_db(16000, 8000),
        "state 2x bytes": max(_state_bytes(Decoder("pcmu", 8000, 16000)), _state_bytes(Encoder("pcmu", 8000, 16000))),
    }
    with contextlib.suppress(Missing):  # the report then says "not measured"
        figures["G.711 differences"] = g711_differences()
    return figures


def _state_bytes(stream: Decoder | Encoder) -> int:
    """The filter's memory; the object itself is the price of being a Python object."""
    stream.push(voiced_frame(16000))
    return sys.getsizeof(stream) - type(stream).__basicsize__


def spectrum_dbfs(in_rate_hz: int, out_rate_hz: int, tone_hz: int, level_dbfs: float = -1.0) -> Floats:
    """Return the level of every whole Hz of the output for one tone at the input."""
    time_s = np.arange(round(in_rate_hz * (SETTLED_S + 1))) / in_rate_hz
    tone = 32767 * 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * tone_hz * time_s)
    pcm = Resampler(in_rate_hz, out_rate_hz).push(np.rint(tone).astype("<i2").tobytes())
    second = np.frombuffer(pcm, "<i2")[-out_rate_hz:]
    amplitude = np.abs(np.fft.rfft(second)) / (out_rate_hz / 2) / 32767
    level: Floats = 20 * np.log10(np.maximum(amplitude, 1e-9))
    return level


def ripple_db(in_rate_hz: int, out_rate_hz: int) -> float:
    """Return the difference between the loudest and the quietest tone of the pass band."""
    gains = [spectrum_dbfs(in_rate_hz, out_rate_hz, hz)[hz] for hz in range(STEP_HZ, PASS_HZ + 1, STEP_HZ)]
    return float(max(gains) - min(gains))


def rejection_db(in_rate_hz: int, out_rate_hz: int) -> float:
    """Return how far below the tone its loudest image (up) or alias (down) lies."""
    if in_rate_hz < out_rate_hz:
        tones = range(STEP_HZ, PASS_HZ + 1, STEP_HZ)
        spectra = [spectrum_dbfs(in_rate_hz, out_rate_hz, hz)[STOP_HZ:] for hz in tones]
    else:
        # 7 Hz off the grid: no alias falls on 0 Hz, where a sine would cancel itself
        tones = range(STOP_HZ + 7, in_rate_hz // 2, STEP_HZ)
        spectra = [spectrum_dbfs(in_rate_hz, out_rate_hz, hz)[: PASS_HZ + 1] for hz in tones]
    return float(-1.0 - max(float(np.max(spectrum)) for spectrum in spectra))


def thd_n_db(in_rate_hz: int, out_rate_hz: int, tone_hz: int = 1000) -> float:
    """Return everything that is not the tone, relative to the tone, for 1 kHz at -1 dBFS."""
    power = 10 ** (spectrum_dbfs(in_rate_hz, out_rate_hz, tone_hz) / 10)
    return float(10 * np.log10((power.sum() - power[tone_hz]) / power[tone_hz]))


def g711_differences() -> int:
    """Return in how many places of both domains and both laws the codec differs from PyPI's g711 (ITU-T G.191)."""
    g711 = package("g711")
    every_sample = np.arange(-32768, 32768).astype("<i2")
    every_code = bytes(range(256))
    differences = 0
    for encoding, law in (("pcmu", "ulaw"), ("pcma", "alaw")):
        encoded = Encoder(encoding, 8000, 8000).push(every_sample.tobytes())  # type: ignore[arg-type] # a str here
        expected = getattr(g711, f"encode_{law}")(every_sample.astype(np.float32) / 32768)
        differences += sum(ours != theirs for ours, theirs in zip(encoded, expected, strict=True))
        decoded = np.frombuffer(Decoder(encoding, 8000, 8000).push(every_code), "<i2")  # type: ignore[arg-type] # as above
        differences += int((decoded != np.rint(getattr(g711, f"decode_{law}")(every_code) * 32768)).sum())
    return differences
