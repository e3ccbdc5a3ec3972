"""WAV files are read as 16-bit mono at the rate that is wanted, or refused with what they are."""

import wave
from pathlib import Path

import pytest

from relay.dev.speech import resampled, speech
from relay.dev.wav import read_wav, write_wav

PCM = speech(0.5)


def write(path: Path, *, channels: int = 1, sample_bytes: int = 2, rate_hz: int = 8000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, sample_bytes, rate_hz, 0, "NONE", ""))
        file.writeframes(PCM)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    write_wav(path, PCM, rate_hz=8000)
    assert read_wav(path, rate_hz=8000) == PCM


def test_another_rate_is_resampled(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    write_wav(path, PCM, rate_hz=8000)
    assert read_wav(path, rate_hz=16000) == resampled(PCM, 8000, 16000)


@pytest.mark.parametrize(("channels", "sample_bytes"), [(2, 2), (1, 1), (1, 3)])
def test_another_format_is_refused_with_what_came(tmp_path: Path, channels: int, sample_bytes: int) -> None:
    path = write(tmp_path / "other.wav", channels=channels, sample_bytes=sample_bytes)
    expected = f"expected 16-bit mono, got {8 * sample_bytes} bits and {channels} channels"
    with pytest.raises(ValueError, match=expected):
        read_wav(path, rate_hz=8000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a WAV file at all, but some bytes"])
def test_what_is_no_wav_file_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.wav: expected a WAV file"):
        read_wav(path, rate_hz=8000)


def test_a_rate_that_the_codec_does_not_know_is_refused_with_the_files_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"music\.wav: .*44100"):
        read_wav(write(tmp_path / "music.wav", rate_hz=44100), rate_hz=8000)
