"""Signals and measurements for tests and benchmarks: PCM in, figures out; recordings are (pcm, rate_hz, start_ns)."""

from tests.signals.chirps import ChirpHeard, Chirps, chirp_delays
from tests.signals.flaws import Silence, clicks, gaps, largest_step, step_over_own_db
from tests.signals.levels import fit, level_db, rejection_db, rms, tone_dbfs
from tests.signals.waves import (
    FULL_SCALE,
    Floats,
    Samples,
    dbfs,
    in_pieces,
    noise,
    pcm,
    samples_of,
    speech,
    square_noise,
    tone,
)

__all__ = [
    "FULL_SCALE",
    "ChirpHeard",
    "Chirps",
    "Floats",
    "Samples",
    "Silence",
    "chirp_delays",
    "clicks",
    "dbfs",
    "fit",
    "gaps",
    "in_pieces",
    "largest_step",
    "level_db",
    "noise",
    "pcm",
    "rejection_db",
    "rms",
    "samples_of",
    "speech",
    "square_noise",
    "step_over_own_db",
    "tone",
    "tone_dbfs",
]
