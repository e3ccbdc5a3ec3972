"""What the simulated phone says: PCM from bytes, an iterator or a callable, cut into frames; silence when it ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from relay.dev.phone_playout import FRAME_BYTES

Source: TypeAlias = bytes | Iterable[bytes] | Callable[[int], bytes]
"""8 kHz L16: all of it, pieces of any size, or a function of the frame's number that returns at most a frame."""

SILENCE = bytes(FRAME_BYTES)


def repeated(pcm: bytes) -> Callable[[int], bytes]:
    """Say ``pcm`` again and again; the last part of it that is no whole frame is left out."""
    frames = len(pcm) // FRAME_BYTES
    return lambda number: pcm[FRAME_BYTES * (number % frames) :][:FRAME_BYTES]


def frames_of(source: Source | None) -> Iterator[bytes]:
    """Frames of 20 ms without end: those of ``source``, the last filled up, then silence."""
    if source is None:
        return itertools.repeat(SILENCE)
    if isinstance(source, bytes):
        return _cut([source])
    return _called(source) if callable(source) else _cut(source)


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= FRAME_BYTES:
            yield bytes(pending[:FRAME_BYTES])
            del pending[:FRAME_BYTES]
    if pending:
        yield bytes(pending.ljust(FRAME_BYTES, b"\0"))
    yield from itertools.repeat(SILENCE)


def _called(source: Callable[[int], bytes]) -> Iterator[bytes]:
    for number in itertools.count():
        frame = source(number)
        if len(frame) > FRAME_BYTES:
            raise ValueError(f"source: expected at most {FRAME_BYTES} bytes for frame {number}, got {len(frame)}")
        yield frame.ljust(FRAME_BYTES, b"\0")
