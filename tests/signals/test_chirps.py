"""Delays are found to a fraction of a sample, whatever the rates, the clocks, the noise and the level."""

import math

import numpy as np
import pytest

from relay._codec import Decoder, Encoder
from tests.signals import Chirps, chirp_delays, pcm, rms, samples_of

CHIRPS = Chirps(count=4)
NOW_NS = 1_000_000_000_000


def heard_after(delay_ms: float, rate_hz: float, *, chirps: Chirps = CHIRPS, gain: float = 1.0) -> bytes:
    """The train as a recorder that started with it hears it, ``delay_ms`` late."""
    time_ms = 1000 * np.arange(round(chirps.at_ms(chirps.count) * rate_hz / 1000)) / rate_hz
    return pcm(gain * np.sum([chirps.chirp(time_ms - delay_ms - chirps.at_ms(i)) for i in range(chirps.count)], axis=0))


def delays_ms(heard: bytes, rate_hz: float, start_ns: int = NOW_NS) -> list[float]:
    return [found.delay_ms for found in chirp_delays(heard, rate_hz, start_ns, chirps=CHIRPS, said_start_ns=NOW_NS)]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000, 8002.4])
@pytest.mark.parametrize("delay_ms", [0.0, 12.34, 61.8, 250.07])
def test_a_known_delay_is_found_within_a_fiftieth_of_a_millisecond(delay_ms: float, rate_hz: float) -> None:
    assert delays_ms(heard_after(delay_ms, rate_hz), rate_hz) == pytest.approx([delay_ms] * 4, abs=0.02)


def test_the_start_of_the_recording_does_not_matter() -> None:
    heard = heard_after(12.34, 8000)[2 * 400 :]
    assert delays_ms(heard, 8000, NOW_NS + 50_000_000) == pytest.approx([12.34] * 4, abs=0.02)


def test_noise_as_loud_as_the_chirps_moves_a_delay_by_less_than_a_twentieth_of_a_millisecond() -> None:
    heard = samples_of(heard_after(12.34, 8000)).astype(np.float64)
    level = rms(CHIRPS.chirp(np.arange(0, CHIRPS.length_ms, 0.125)))
    noisy = pcm(heard + np.random.default_rng(3).normal(0, level, len(heard)))
    assert delays_ms(noisy, 8000) == pytest.approx([12.34] * 4, abs=0.05)


def test_a_faint_chirp_through_g711_is_found() -> None:
    heard = heard_after(12.34, 8000, gain=0.03)
    through = Decoder("pcmu", 8000, 8000).push(Encoder("pcmu", 8000, 8000).push(heard))
    assert delays_ms(through, 8000) == pytest.approx([12.34] * 4, abs=0.05)


def test_a_chirp_heard_before_it_was_said_is_found_so() -> None:
    """Clocks that were mixed up must show as such."""
    assert delays_ms(heard_after(-7.5, 8000), 8000) == pytest.approx([-7.5] * 4, abs=0.02)


def test_each_chirp_has_its_own_delay() -> None:
    shifts = [10, 20, 30, 40]
    late = [samples_of(heard_after(shift, 8000))[i * 4000 : i * 4000 + 4000] for i, shift in enumerate(shifts)]
    assert delays_ms(pcm(np.concatenate(late)), 8000) == pytest.approx(shifts, abs=0.02)


def test_a_chirp_that_was_not_heard_has_no_delay() -> None:
    heard = samples_of(heard_after(12.34, 8000)).copy()
    heard[4000:8000] = np.random.default_rng(1).normal(0, 1000, 4000)
    found = chirp_delays(pcm(heard), 8000, NOW_NS, chirps=CHIRPS, said_start_ns=NOW_NS)
    assert [one.heard for one in found] == [True, False, True, True]
    assert found[1].match < 0.3
    assert math.isnan(found[1].delay_ms)
    with pytest.raises(ValueError, match="NaN"):
        _ = found[1].heard_ns


def test_a_recording_that_ends_early_has_not_heard_the_rest() -> None:
    found = chirp_delays(heard_after(5, 8000)[: 2 * 6000], 8000, NOW_NS, chirps=CHIRPS, said_start_ns=NOW_NS)
    assert [one.heard for one in found] == [True, True, False, False]


def test_times_are_absolute() -> None:
    found = chirp_delays(heard_after(12.5, 8000), 8000, NOW_NS, chirps=CHIRPS, said_start_ns=NOW_NS)
    assert [one.said_ns - NOW_NS for one in found] == [100_000_000, 600_000_000, 1_100_000_000, 1_600_000_000]
    assert found[0].heard_ns == pytest.approx(NOW_NS + 112_500_000, abs=20_000)


def test_silence_has_heard_nothing() -> None:
    assert all(math.isnan(delay) for delay in delays_ms(bytes(2 * 16000), 8000))
