"""What a stream of audio is made of, and how many bytes a stretch of it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from relay._codec import ENCODINGS, RATES_HZ

Encoding: TypeAlias = Literal["pcmu", "pcma", "l16le", "l16be"]

PTIME_MS: Final = 20
"""Audio in one frame, unless said."""

_NAMES: Final = {"pcmu": "PCMU", "pcma": "PCMA", "l16le": "L16", "l16be": "L16"}
_SAMPLE_BYTES: Final = {"pcmu": 1, "pcma": 1, "l16le": 2, "l16be": 2}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """
    Encoding and rate of a mono stream. Prints as ``PCMU/8000``.

    Raises:
        ValueError: an encoding or rate that the codec does not have.
    """

    encoding: Encoding
    rate_hz: int

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise ValueError(f"AudioFormat: expected an encoding of {', '.join(ENCODINGS)}, got {self.encoding!r}")
        if self.rate_hz not in RATES_HZ:
            raise ValueError(
                f"AudioFormat: expected a rate_hz of {', '.join(map(str, RATES_HZ))}, got {self.rate_hz!r}"
            )

    def __str__(self) -> str:
        return f"{_NAMES[self.encoding]}/{self.rate_hz}"

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return _SAMPLE_BYTES[self.encoding]

    def size_bytes(self, duration_ms: int) -> int:
        """Bytes of ``duration_ms`` of audio."""
        return self.rate_hz * duration_ms // 1000 * self.sample_bytes

    def duration_ms(self, size_bytes: int) -> float:
        """Audio in ``size_bytes``."""
        return 1000 * size_bytes / (self.sample_bytes * self.rate_hz)


def pcm(rate_hz: int) -> AudioFormat:
    """The format called PCM here: L16 mono, little-endian."""
    return AudioFormat("l16le", rate_hz)
