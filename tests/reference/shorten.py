"""One pitch period less: the run's end is cross-faded in one period early, over a period or what was compared."""

from tests.reference.blend import blend
from tests.reference.pcm import pack, unpack
from tests.reference.pitch import COARSE_RATE_HZ, find_pitch


def shorten(pcm: bytes, at_most_samples: int, rate_hz: int, *, least_match: float = 0.9) -> bytes:
    samples = unpack(pcm)
    longest = min(rate_hz * 15 // 1000, len(samples) // 2)
    window = min(rate_hz * 20 // 1000, len(samples) - longest - rate_hz // COARSE_RATE_HZ)
    lowest, highest = rate_hz * 25 // 10_000, min(at_most_samples, longest)
    if highest < lowest:
        return pcm
    lag, match = find_pitch(samples, rate_hz, window=window, lowest=lowest, highest=highest)
    if match < least_match * least_match:
        return pcm
    fade = min(lag, window)
    seam = [blend(samples[i - fade - lag], samples[i - fade], i, fade) for i in range(fade)]
    return pack(samples[: len(samples) - fade - lag] + seam)
