"""Owns the markers' frames, ready to be said; ``_phones`` writes and reads them, native/marker.h says what they are."""

from __future__ import annotations

from functools import cache

from relay._codec import Encoder
from relay.dev.bench._phones import MARKERS, marker_frame

__all__ = ["MARKERS", "frames", "payloads"]


@cache
def frames(rate_hz: int) -> tuple[bytes, ...]:
    """Every frame of 20 ms, by its number, as L16."""
    return tuple(marker_frame(number, rate_hz) for number in range(MARKERS))


@cache
def payloads() -> tuple[bytes, ...]:
    """Every frame as a phone says it: PCMU at 8 kHz."""
    encoder = Encoder("pcmu", 8000, 8000)
    return tuple(encoder.push(frame) for frame in frames(8000))
