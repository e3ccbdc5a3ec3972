"""The sum of several runs, and the level of one."""

import math
from collections.abc import Sequence

from tests.reference.pcm import pack, saturate, unpack


def mix(frames: Sequence[bytes]) -> bytes:
    return pack(saturate(sum(at_once)) for at_once in zip(*map(unpack, frames), strict=True))


def level_dbfs(pcm: bytes) -> float:
    samples = unpack(pcm)
    squares = sum(sample * sample for sample in samples)
    return 10 * math.log10(squares / (len(samples) * 32768**2)) if squares else -math.inf
