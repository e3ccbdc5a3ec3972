"""
Concealment: repeat the last pitch periods of what was heard, fade out, and cross-fade back.

In the manner of ITU-T G.711 Appendix I, without its look-back. ``Gap`` computes any sample of a gap from what was heard
before it; it has no other state, so that how a gap is asked for cannot matter.
"""

from tests.reference.pcm import pack, saturate, unpack

FULL = 1 << 15  # a weight of 1
COARSE_RATE_HZ = 4000
SEARCH_PEAK = 1023


class Times:
    """The times of the algorithm in samples."""

    def __init__(self, rate_hz: int) -> None:
        self.pitch_min, self.pitch_max = rate_hz * 5 // 1000, rate_hz * 15 // 1000
        self.window = rate_hz * 20 // 1000
        self.history = rate_hz * 4875 // 100_000
        self.step = self.fade_in_max = rate_hz * 10 // 1000
        self.silence = rate_hz * 60 // 1000
        self.fade_in_step = rate_hz * 4 // 1000
        self.coarse = rate_hz // COARSE_RATE_HZ


def weight(part: int, parts: int) -> int:
    """The part as a weight of 15 bits, by way of the weight of one part in 30 bits."""
    return part * ((FULL << 15) // parts) >> 15


def blend(from_: int, to: int, step: int, steps: int) -> int:
    """The value at ``step`` of ``steps`` on the way; neither end itself is among them."""
    return from_ + ((to - from_) * weight(step + 1, steps + 1) >> 15)


def scaled_down(samples: list[int], step: int) -> list[int]:
    """Sums of ``step`` samples, counted from the end, shifted until no sum can exceed the search's peak."""
    peak = max(1, *map(abs, samples))
    shift = 0
    while peak * step >> shift > SEARCH_PEAK:
        shift += 1
    return [sum(samples[i : i + step]) >> shift for i in range(len(samples) % step, len(samples), step)]


def best_lag(samples: list[int], window: int, lags: range) -> int:
    """The lag of highest normalised correlation, the first of equals; a negative correlation counts as none."""

    def score(lag: int) -> float:
        recent, older = samples[-window:], samples[-window - lag : -lag]
        product = sum(a * b for a, b in zip(recent, older, strict=True))
        energy = sum(b * b for b in older)
        return float(product) * product / energy if product > 0 and energy > 0 else 0.0

    return max(lags, key=score)


def find_pitch(history: list[int], times: Times) -> int:
    """The pitch period: searched at 4 kHz, then by the sample within one coarse sample of that."""
    step = times.coarse
    coarse_lags = range(times.pitch_min // step, times.pitch_max // step + 1)
    about = step * best_lag(scaled_down(history, step), times.window // step, coarse_lags)
    lags = range(max(about - step, times.pitch_min), min(about + step, times.pitch_max) + 1)
    return best_lag(scaled_down(history, 1), times.window, lags)


class Gap:
    def __init__(self, history: list[int], times: Times) -> None:
        self.history, self.times = history, times
        self.pitch = find_pitch(history, times)
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
