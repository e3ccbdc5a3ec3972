"""
Concealment: repeat the last pitch periods of what was heard, fade out, and cross-fade back.

In the manner of ITU-T G.711 Appendix I, without its look-back. ``Gap`` computes any sample of a gap from what was heard
before it; it has no other state, so that how a gap is asked for cannot matter.
"""

from tests.reference.blend import FULL, blend, weight
from tests.reference.pcm import pack, saturate, unpack
from tests.reference.pitch import find_pitch


class Times:
    """The times of the algorithm in samples."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.pitch_min, self.pitch_max = rate_hz * 5 // 1000, rate_hz * 15 // 1000
        self.window = rate_hz * 20 // 1000
        self.history = rate_hz * 4875 // 100_000
        self.step = self.fade_in_max = rate_hz * 10 // 1000
        self.silence = rate_hz * 60 // 1000
        self.fade_in_step = rate_hz * 4 // 1000


class Gap:
    def __init__(self, history: list[int], times: Times) -> None:
        self.history, self.times = history, times
        self.pitch, _ = find_pitch(
            history, times.rate_hz, window=times.window, lowest=times.pitch_min, highest=times.pitch_max
        )
        self.quarter = self.pitch // 4

    def sample(self, n: int) -> int:
        """Sample n of the gap: full level for a step, then a fifth less each step."""
        times = self.times
        if n >= times.silence:
            return 0
        level = FULL if n < times.step else weight(times.silence - n, times.silence - times.step)
        return self._continued(n) * level >> 15

    def _continued(self, n: int) -> int:
        """One period repeated for a step, two for the next, then three; a quarter period of cross-fade between."""
        periods = min(n // self.times.step + 1, 3)
        since = n - (periods - 1) * self.times.step
        value = self._repeated(n, periods)
        if since >= self.quarter:
            return value
        if periods > 1:
            return blend(self._repeated(n, periods - 1), value, since, self.quarter)
        jump = self.history[-1] - self.history[-1 - self.pitch]
        return saturate(value + (jump * weight(self.quarter - n, self.quarter + 1) >> 15))

    def _repeated(self, n: int, periods: int) -> int:
        """The last periods without end; their last quarter period leads into their beginning."""
        length = periods * self.pitch
        at = n % length
        value = self.history[at - length]
        into = at - (length - self.quarter)
        return blend(value, self.history[at - 2 * length], into, self.quarter) if into >= 0 else value


class Concealer:
    def __init__(self, rate_hz: int) -> None:
        self.times = Times(rate_hz)
        self.reset()

    def reset(self) -> None:
        self.history = [0] * self.times.history
        self.gap: Gap | None = None
        self.concealed = 0
        self.faded = 0

    def _remember(self, samples: list[int]) -> None:
        self.history = (self.history + samples)[-self.times.history :]

    def conceal(self, samples: int) -> bytes:
        if self.gap is None or self.faded:
            self.gap, self.concealed, self.faded = Gap(self.history, self.times), 0, 0
        out = [self.gap.sample(self.concealed + i) for i in range(samples)]
        self.concealed += samples
        self._remember(out)
        return pack(out)

    def push(self, pcm: bytes) -> bytes:
        samples = unpack(pcm)
        if self.gap is not None:
            fade_in = self.gap.quarter + self.concealed // self.times.step * self.times.fade_in_step
            fade_in = min(fade_in, self.times.fade_in_max)
            for i in range(min(fade_in - self.faded, len(samples))):
                samples[i] = blend(self.gap.sample(self.concealed + self.faded), samples[i], self.faded, fade_in)
                self.faded += 1
            if self.faded == fade_in:
                self.gap, self.faded = None, 0
        self._remember(samples)
        return pack(samples)
