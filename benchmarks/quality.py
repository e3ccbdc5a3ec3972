"""
Owns what listeners would say: PESQ (ITU-T P.862) of the phone leg and of drift correction, on synthetic speech.

Speech is made by espeak-ng, so that nothing is downloaded and every machine hears the same sentences.
"""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import wave
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.rivals import Missing, package
from relay._codec import Decoder, Encoder, retime

Samples = npt.NDArray[np.int16]

RATE_HZ = 16000
FRAME_SAMPLES = 320
DRIFT_PPM = 300
SENTENCES = (
    (
        "en-gb",
        "Good morning, this is the support desk. I will connect you with a colleague who can look at your order.",
    ),
    (
        "en-us+f3",
        "Thank you for waiting. Your parcel left our warehouse on Tuesday and should arrive before the weekend.",
    ),
    (
        "en-us+m5",
        "Please read me the nine digit number on the back of the card, and I will check it while you hold the line.",
    ),
    ("de+f2", "Guten Tag, einen Augenblick bitte, ich verbinde Sie jetzt mit einer Mitarbeiterin aus der Technik."),
)


@dataclass(frozen=True, slots=True)
class QualityResult:
    """Mean opinion scores, one per sentence."""

    name: str
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the sentences."""
        return statistics.fmean(self.scores)


PHONE_OURS = "phone leg, relay (PESQ-NB)"
PHONE_SOXR = "phone leg, soxr VHQ + G.711 (PESQ-NB)"
DRIFT_FAST = f"drift corrected, +{DRIFT_PPM} ppm (PESQ-WB)"
DRIFT_SLOW = f"drift corrected, -{DRIFT_PPM} ppm (PESQ-WB)"


def measure_quality() -> list[QualityResult]:
    """
    Score every sentence on every path.

    Raises:
        Missing: espeak-ng, pesq, soxr or scipy is not installed.
    """
    pesq = package("pesq").pesq
    sentences = [speech(voice, text) for voice, text in SENTENCES]
    degraded = {
        PHONE_OURS: ("nb", phone_leg),
        PHONE_SOXR: ("nb", phone_leg_soxr),
        DRIFT_FAST: ("wb", lambda pcm: drift_and_back(pcm, DRIFT_PPM)),
        DRIFT_SLOW: ("wb", lambda pcm: drift_and_back(pcm, -DRIFT_PPM)),
    }
    return [
        QualityResult(name, tuple(float(pesq(RATE_HZ, pcm, degrade(pcm), mode)) for pcm in sentences))
        for name, (mode, degrade) in degraded.items()
    ]


def speech(voice: str, text: str) -> Samples:
    """Return one spoken sentence at 16 kHz, a whole number of frames, with 0.2 s of silence on either side."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise Missing("espeak-ng is not installed (Debian: espeak-ng)")
    spoken = subprocess.run([program, "-v", voice, "--stdout", text], check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        made_rate_hz = file.getframerate()
        made = np.frombuffer(spoken[44:], "<i2").astype(np.float64)  # espeak-ng does not fill in the length to a pipe
    resampled = package("scipy.signal").resample_poly(made, RATE_HZ, made_rate_hz)
    padded = np.pad(resampled * (20000 / np.abs(resampled).max()), RATE_HZ // 5)
    return to_pcm(padded[: len(padded) // FRAME_SAMPLES * FRAME_SAMPLES])


def to_pcm(signal: npt.NDArray[np.float64]) -> Samples:
    """Round to L16."""
    pcm: Samples = np.rint(signal).clip(-32768, 32767).astype("<i2")
    return pcm


def phone_leg(pcm: Samples) -> Samples:
    """16k -> PCMU 8k -> 16k by the codec, frame by frame."""
    encoder, decoder = Encoder("pcmu", 8000, RATE_HZ), Decoder("pcmu", 8000, RATE_HZ)
    frames = (pcm[at : at + FRAME_SAMPLES].tobytes() for at in range(0, len(pcm), FRAME_SAMPLES))
    return np.frombuffer(b"".join(decoder.push(encoder.push(frame)) for frame in frames), "<i2")


def phone_leg_soxr(pcm: Samples) -> Samples:
    """The same by soxr VHQ on the whole sentence, which spares it its delay, with the same G.711."""
    resample = package("soxr").resample
    narrow = resample(pcm, RATE_HZ, 8000, quality="VHQ")
    payload = Encoder("pcmu", 8000, 8000).push(narrow.tobytes())
    decoded = np.frombuffer(Decoder("pcmu", 8000, 8000).push(payload), "<i2")
    wide: Samples = resample(decoded, 8000, RATE_HZ, quality="VHQ")
    return wide


def drift_and_back(pcm: Samples, ppm: int) -> Samples:
    """Stretch speech as a clock that is ``ppm`` off does, then take the drift out sample by sample with ``retime``."""
    drifted = package("scipy.signal").resample(pcm.astype(np.float64), round(len(pcm) * (1 + ppm / 1e6)))
    return correct_drift(to_pcm(drifted), ppm)


def correct_drift(pcm: Samples, ppm: int) -> Samples:
    """Re-time one frame by one sample each time the drift comes to a sample: the quietest of those since the last."""
    frames_per_sample = round(1e6 / (abs(ppm) * FRAME_SAMPLES))
    change = -1 if ppm > 0 else 1
    frames = [pcm[at : at + FRAME_SAMPLES] for at in range(0, len(pcm) - FRAME_SAMPLES + 1, FRAME_SAMPLES)]
    out = [frame.tobytes() for frame in frames]
    for first in range(0, len(frames) - frames_per_sample + 1, frames_per_sample):
        window = range(first, first + frames_per_sample)
        quietest = min(window, key=lambda number: float(np.square(frames[number].astype(np.float64)).sum()))
        out[quietest] = retime(out[quietest], change)
    return np.frombuffer(b"".join(out), "<i2")
