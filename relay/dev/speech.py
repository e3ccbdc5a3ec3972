"""Generated speech: no words, but the rhythm, pitch and spectrum of a voice, from a seed. No recording, no licence."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from relay._codec import PUSH_MAX_BYTES, Resampler
from relay.dev.phone_playout import RATE_HZ

PEAK: Final = 16384  # -6 dBFS: louder voices are clipped by somebody on the way
SYLLABLE_S: Final = (0.20, 0.33)  # 3 to 5 a second
PAUSE_S: Final = (0.25, 0.7)
SYLLABLES: Final = (4, 9)  # between two pauses
VOICE_HZ: Final = (95.0, 210.0)
GLIDE: Final = 0.15  # of the pitch, down over a phrase
GLOTTIS_HZ: Final = 100.0  # above it a voice falls by 12 dB an octave, of which the lips give back 6 (Klatt 1980)
BANDWIDTHS_HZ: Final = (80.0, 110.0, 160.0)
VOWELS_HZ: Final = (
    (730.0, 1090.0, 2440.0),
    (270.0, 2290.0, 3010.0),
    (300.0, 870.0, 2240.0),
    (530.0, 1840.0, 2480.0),
    (570.0, 840.0, 2410.0),
    (660.0, 1720.0, 2410.0),
    (440.0, 1020.0, 2240.0),
)
"""Peterson and Barney 1952, mean formants of men."""


@dataclass(frozen=True, slots=True)
class _Syllable:
    """A vowel with a rise and a fall, or a pause: no formants."""

    samples: int
    pitch_hz: float
    formants_hz: tuple[float, ...]


def speech(duration_s: float, *, seed: int = 0, rate_hz: int = RATE_HZ) -> bytes:
    """
    So much of a voice: L16 mono, the same for the same seed; up to 4 kHz at any rate.

    Raises:
        ValueError: the codec does not know ``rate_hz``.
    """
    samples = array("d")
    wanted = round(duration_s * RATE_HZ)
    # S311: a signal, no secret.
    for syllable in _syllables(Random(seed)):  # noqa: S311
        if len(samples) >= wanted:
            break
        samples.extend(_sound(syllable))
    loudest = max((abs(sample) for sample in samples), default=0.0) or 1.0
    pcm = array("h", (round(PEAK * sample / loudest) for sample in samples[:wanted])).tobytes()
    return pcm if rate_hz == RATE_HZ else resampled(pcm, RATE_HZ, rate_hz)


def resampled(pcm: bytes, in_rate_hz: int, out_rate_hz: int) -> bytes:
    """
    L16 mono at another rate, as long as before.

    Raises:
        ValueError: the codec does not know a rate, or ``pcm`` ends inside a sample.
    """
    if in_rate_hz == out_rate_hz:
        return pcm
    resampler = Resampler(in_rate_hz, out_rate_hz, profile="high_quality")
    return b"".join(resampler.push(pcm[at : at + PUSH_MAX_BYTES]) for at in range(0, len(pcm), PUSH_MAX_BYTES))


def _syllables(random: Random) -> Iterator[_Syllable]:
    """Phrases and pauses without end."""
    voice_hz = random.uniform(*VOICE_HZ)
    while True:
        count = random.randint(*SYLLABLES)
        for number in range(count):
            pitch_hz = voice_hz * (1 + GLIDE * (0.5 - number / count)) * random.uniform(0.96, 1.04)
            yield _Syllable(round(random.uniform(*SYLLABLE_S) * RATE_HZ), pitch_hz, random.choice(VOWELS_HZ))
        yield _Syllable(round(random.uniform(*PAUSE_S) * RATE_HZ), 0.0, ())


def _sound(syllable: _Syllable) -> array[float]:
    """Pulses of the glottis through a resonator for each formant, under a rise and a fall."""
    if not syllable.formants_hz:
        return array("d", bytes(8 * syllable.samples))
    signal = _pulses(syllable)
    _resonate(signal, 0.0, GLOTTIS_HZ)
    for formant_hz, bandwidth_hz in zip(syllable.formants_hz, BANDWIDTHS_HZ, strict=True):
        _resonate(signal, formant_hz, bandwidth_hz)
    power = sum(sample * sample for sample in signal) / len(signal)
    level, step = 1 / math.sqrt(power), math.pi / syllable.samples  # vowels are about as loud as each other
    return array("d", (level * sample * math.sin(step * n) for n, sample in enumerate(signal)))


def _pulses(syllable: _Syllable) -> array[float]:
    """An impulse a period, without what is constant in them."""
    pulses = array("d", bytes(8 * syllable.samples))
    period = RATE_HZ / syllable.pitch_hz
    for number in range(int(syllable.samples / period)):
        at = int(number * period)
        pulses[at] += 1.0
        if at + 1 < syllable.samples:
            pulses[at + 1] -= 1.0
    return pulses


def _resonate(signal: array[float], frequency_hz: float, bandwidth_hz: float) -> None:
    """Filter in place by two poles (Klatt 1980), with a gain of 1 at 0 Hz."""
    radius = math.exp(-math.pi * bandwidth_hz / RATE_HZ)
    b = 2 * radius * math.cos(2 * math.pi * frequency_hz / RATE_HZ)
    c = -radius * radius
    a = 1 - b - c
    last = before = 0.0
    for n, sample in enumerate(signal):
        last, before = a * sample + b * last + c * before, last
        signal[n] = last
