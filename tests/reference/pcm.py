"""What PCM bytes are: samples of 16 bits, two's complement, little-endian."""

import struct
from collections.abc import Iterable

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1


def unpack(pcm: bytes) -> list[int]:
    return [sample for (sample,) in struct.iter_unpack("<h", pcm)]


def pack(samples: Iterable[int]) -> bytes:
    return b"".join(struct.pack("<h", sample) for sample in samples)


def saturate(value: int) -> int:
    return max(LOWEST, min(HIGHEST, value))
