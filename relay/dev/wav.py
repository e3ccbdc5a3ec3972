"""WAV files of L16 mono: recordings of a call, and what a phone is to say."""

from __future__ import annotations

import wave
from pathlib import Path

from relay.dev.speech import resampled


def read_wav(path: Path, *, rate_hz: int) -> bytes:
    """
    The samples of a file at ``rate_hz``: L16 mono, resampled if the file has another rate.

    Raises:
        ValueError: it is no WAV file of 16-bit mono PCM, or at a rate that the codec does not know.
        OSError: it cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, sample_bytes, file_rate_hz, samples, *_ = file.getparams()
            if (channels, sample_bytes) != (1, 2):
                got = f"{8 * sample_bytes} bits and {channels} channels"
                raise ValueError(f"{path}: expected 16-bit mono, got {got}")
            pcm = file.readframes(samples)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: expected a WAV file of 16-bit mono PCM, got {str(error) or 'too little'}") from error
    try:
        return resampled(pcm, file_rate_hz, rate_hz)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_wav(path: Path, pcm: bytes, *, rate_hz: int) -> None:
    """
    Write L16 mono.

    Raises:
        OSError: it cannot be written.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
