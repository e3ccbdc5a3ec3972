"""The period of a voice or a tone: the lag of highest normalised correlation, at 4 kHz and then by the sample."""

COARSE_RATE_HZ = 4000
SEARCH_PEAK = 1023


def scaled_down(samples: list[int], step: int) -> list[int]:
    """Sums of ``step`` samples, counted from the end, shifted until no sum can exceed the search's peak."""
    peak = max(1, *map(abs, samples))
    shift = 0
    while peak * step >> shift > SEARCH_PEAK:
        shift += 1
    return [sum(samples[i : i + step]) >> shift for i in range(len(samples) % step, len(samples), step)]


def score(samples: list[int], window: int, lag: int) -> float:
    """How much the end resembles what was ``lag`` before; a negative correlation counts as none."""
    recent, older = samples[-window:], samples[-window - lag : -lag]
    product = sum(a * b for a, b in zip(recent, older, strict=True))
    energy = sum(b * b for b in older)
    return float(product) * product / energy if product > 0 and energy > 0 else 0.0


def find_pitch(samples: list[int], rate_hz: int, *, window: int, lowest: int, highest: int) -> tuple[int, float]:
    """Return the period, the first of equals, and the square of its normalised correlation."""
    step = rate_hz // COARSE_RATE_HZ
    coarse, fine = scaled_down(samples, step), scaled_down(samples, 1)
    coarse_lags = range(lowest // step, highest // step + 1)
    about = step * max(coarse_lags, key=lambda lag: score(coarse, window // step, lag))
    lags = range(max(about - step, lowest), min(about + step, highest) + 1)
    best = max(lags, key=lambda lag: score(fine, window, lag))
    energy = sum(a * a for a in fine[-window:])
    return best, score(fine, window, best) / energy if energy else 0.0
