"""The sum of several runs, the fade from one to another, and the level of one."""

import math
from collections.abc import Sequence

from tests.reference.blend import blend
from tests.reference.pcm import pack, saturate, unpack


def mix(frames: Sequence[bytes]) -> bytes:
    return pack(saturate(sum(at_once)) for at_once in zip(*map(unpack, frames), strict=True))


def crossfade(before: bytes, after: bytes) -> bytes:
    old, new = unpack(before), unpack(after)
    faded = [blend(a, b, i, len(old)) for i, (a, b) in enumerate(zip(old, new, strict=False))]
    return pack(faded + new[len(old) :])


def level_dbfs(pcm: bytes) -> float:
    samples = unpack(pcm)
    squares = sum(sample * sample for sample in samples)
    return 10 * math.log10(squares / (len(samples) * 32768**2)) if squares else -math.inf
