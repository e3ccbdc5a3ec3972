"""What the filters do to sound, measured from the output PCM: ripple, rejection, noise and delay."""

import itertools
import math

import numpy as np
import pytest

from relay._codec import Resampler
from tests.codec.cases import CONVERSIONS, Profile
from tests.signals import FULL_SCALE, Floats, fit, level_db, pcm, rms, samples_of, tone

RIPPLE_DB = 0.1
REJECTION_DB = 80.0
REJECTION_OF_DB = {  # the int32 accumulator has no room for finer taps over so many: 148 and 204
    (48000, 8000, "low_delay"): 79.5,
    (48000, 8000, "high_quality"): 79.5,
}
DELAY_MS = {"balanced": 1.5, "low_delay": 0.25, "high_quality": 2.4}

# THD+N of 997 Hz (AES17: no simple fraction of a rate, so that rounding is noise) at -1 dBFS. Without images it is what
# rounding the input and the output to int16 leaves, -97 dB each. Images add to it on the way up: one in a 2x
# conversion, two in 3x, five in 6x, each with the rejection that it happens to fall on.
NOISE_UP_DB, NOISE_DOWN_DB = -93.5, -94.5
NOISE_WITH_IMAGES_DB = {
    (8000, 16000): {"balanced": -87.5, "low_delay": -81.5, "high_quality": -85.0},
    (8000, 24000): {"balanced": -82.0, "low_delay": -80.5, "high_quality": -82.0},
    (8000, 48000): {"balanced": -84.0, "low_delay": -76.5, "high_quality": -76.5},
    (16000, 24000): {"balanced": -83.5, "low_delay": -85.0, "high_quality": -88.5},
    (16000, 48000): {"balanced": -84.0, "low_delay": -84.0, "high_quality": -88.5},
    (24000, 48000): {"balanced": -91.0, "low_delay": -82.0, "high_quality": -85.0},
    (24000, 16000): {"balanced": -92.0, "low_delay": -84.5, "high_quality": -92.5},
}
NOISE_WITHOUT_IMAGES_DB = -95.0  # a whole-number decimator makes none

# Half the transition band as a part of half the lower rate: 3.4 to 4.6 kHz about 4, 7 to 9 about 8.
TRANSITION = {4000: 0.15, 8000: 0.125, 12000: 0.15}
TRANSITION_HIGH_QUALITY = 0.1
TRANSITION_48K_TO_8K_HIGH_QUALITY = 0.1125  # 3.55 to 4.45 kHz: what the int32 accumulator has room for at 80 dB

HALF_SCALE = FULL_SCALE / 2  # leaves room for what a filter overshoots while it settles
SETTLED_MS, MEASURED_MS = 20, 100

conversions = pytest.mark.parametrize(("in_hz", "out_hz", "profile"), CONVERSIONS)


def band_edges_hz(in_hz: int, out_hz: int, profile: Profile) -> tuple[float, float]:
    """Where the pass band ends and the stop band begins."""
    middle_hz = min(in_hz, out_hz) // 2
    half = TRANSITION[middle_hz]
    if profile == "high_quality":
        half = TRANSITION_48K_TO_8K_HIGH_QUALITY if (in_hz, out_hz) == (48000, 8000) else TRANSITION_HIGH_QUALITY
    return middle_hz * (1 - half), middle_hz * (1 + half)


def response(
    in_hz: int,
    out_hz: int,
    profile: Profile,
    tone_hz: float,
    *heard_hz: float,
    amplitude: float = HALF_SCALE,
    measured_ms: int = MEASURED_MS,
) -> tuple[list[complex], Floats]:
    """The amplitudes at ``heard_hz`` in the output of a steady tone, as parts of the tone's, and what else there is."""
    samples = (SETTLED_MS + measured_ms) * in_hz // 1000
    out = samples_of(
        Resampler(in_hz, out_hz, profile=profile).push(pcm(tone(tone_hz, in_hz, samples, amplitude=amplitude)))
    )
    first = SETTLED_MS * out_hz // 1000
    amplitudes, rest = fit(out[first:], out_hz, *heard_hz, first=first)
    return [heard / amplitude for heard in amplitudes], rest


def unwanted_hz(in_hz: int, out_hz: int, tone_hz: float, stop_hz: float) -> list[float]:
    """Where in the output the images of a tone are heard that lie in the stop band of the filter's grid."""
    grid_hz = math.lcm(in_hz, out_hz)
    images = [abs(k * in_hz + side * tone_hz) for k in range(grid_hz // in_hz) for side in (1, -1)]
    stopped = {image for image in images if stop_hz <= image <= grid_hz / 2}
    return sorted(abs(image - out_hz * round(image / out_hz)) for image in stopped)


@conversions
def test_the_pass_band_is_flat(in_hz: int, out_hz: int, profile: Profile) -> None:
    edge_hz, _ = band_edges_hz(in_hz, out_hz, profile)
    tones = np.linspace(edge_hz / 40, edge_hz, 60)
    gains = [level_db(abs(response(in_hz, out_hz, profile, hz, hz)[0][0]), 1.0) for hz in tones]
    assert max(gains) - min(gains) <= RIPPLE_DB
    assert abs(gains[0]) <= RIPPLE_DB


@conversions
def test_images_and_aliases_are_rejected(in_hz: int, out_hz: int, profile: Profile) -> None:
    """Every tone outside the transition band; in the pass band its images, in the stop band the tone itself as well."""
    pass_hz, stop_hz = band_edges_hz(in_hz, out_hz, profile)
    half_hz = in_hz / 2 - 43
    tones = [*np.linspace(103, pass_hz, 40), *(np.linspace(stop_hz, half_hz, 80) if stop_hz < half_hz else [])]
    worst = 0.0
    for hz in tones:
        unwanted = unwanted_hz(in_hz, out_hz, hz, stop_hz)
        if unwanted:
            wanted = [hz] if hz <= pass_hz else []
            levels, _ = response(in_hz, out_hz, profile, hz, *unwanted, *wanted)
            worst = max(worst, *map(abs, levels[: len(unwanted)]))
    assert worst > 0
    assert -level_db(worst, 1.0) >= REJECTION_OF_DB.get((in_hz, out_hz, profile), REJECTION_DB)


def noise_db(in_hz: int, out_hz: int, profile: Profile, *fitted_hz: float) -> float:
    """Whatever the output of 997 Hz at -1 dBFS has beside that tone and what is fitted."""
    amplitude = FULL_SCALE * 10 ** (-1 / 20)
    _, rest = response(in_hz, out_hz, profile, 997, 997, *fitted_hz, amplitude=amplitude, measured_ms=1000)
    return level_db(rms(rest), amplitude / math.sqrt(2))


@conversions
def test_distortion_and_noise_are_those_of_rounding(in_hz: int, out_hz: int, profile: Profile) -> None:
    _, stop_hz = band_edges_hz(in_hz, out_hz, profile)
    images_hz = unwanted_hz(in_hz, out_hz, 997, stop_hz)
    assert noise_db(in_hz, out_hz, profile, *images_hz) <= (NOISE_UP_DB if out_hz > in_hz else NOISE_DOWN_DB)


@conversions
def test_distortion_and_noise_with_images_keep_their_figure(in_hz: int, out_hz: int, profile: Profile) -> None:
    limit_db = NOISE_WITH_IMAGES_DB.get((in_hz, out_hz), {}).get(profile, NOISE_WITHOUT_IMAGES_DB)
    assert noise_db(in_hz, out_hz, profile) <= limit_db


def phase_delay_ms(in_hz: int, out_hz: int, profile: Profile, hz: float) -> float:
    """The delay of a tone's phase, for delays below half its period."""
    (heard,), _ = response(in_hz, out_hz, profile, hz, hz)
    return -math.atan2(heard.imag, heard.real) / (2 * math.pi * hz) * 1000


def group_delay_ms(in_hz: int, out_hz: int, profile: Profile, hz: float, *, span_hz: float = 100) -> float:
    """The delay of what a tone carries: the slope of phase over frequency."""
    (below,), _ = response(in_hz, out_hz, profile, hz - span_hz / 2, hz - span_hz / 2)
    (above,), _ = response(in_hz, out_hz, profile, hz + span_hz / 2, hz + span_hz / 2)
    turned = above * below.conjugate()
    return -math.atan2(turned.imag, turned.real) / (2 * math.pi * span_hz) * 1000


@conversions
def test_the_delay_at_1_khz_is_within_its_target(in_hz: int, out_hz: int, profile: Profile) -> None:
    assert 0 < group_delay_ms(in_hz, out_hz, profile, 1000) <= DELAY_MS[profile]


@conversions
def test_delay_ms_is_the_delay_measured(in_hz: int, out_hz: int, profile: Profile) -> None:
    at_hz = min(in_hz, out_hz) / 8
    assert Resampler(in_hz, out_hz, profile=profile).delay_ms == pytest.approx(
        group_delay_ms(in_hz, out_hz, profile, at_hz), abs=0.002
    )


@pytest.mark.parametrize("profile", ["balanced", "high_quality"])
@pytest.mark.parametrize(("in_hz", "out_hz"), sorted({case[:2] for case in CONVERSIONS}))
def test_linear_phase_delays_every_frequency_alike(in_hz: int, out_hz: int, profile: Profile) -> None:
    edge_hz, _ = band_edges_hz(in_hz, out_hz, profile)
    delay_ms = Resampler(in_hz, out_hz, profile=profile).delay_ms
    for hz in itertools.chain([150], np.linspace(400, edge_hz - 60, 12)):
        assert group_delay_ms(in_hz, out_hz, profile, float(hz)) == pytest.approx(delay_ms, abs=0.002)
    assert phase_delay_ms(in_hz, out_hz, profile, 150) == pytest.approx(delay_ms, abs=0.002)


@conversions
def test_dc_keeps_its_level(in_hz: int, out_hz: int, profile: Profile) -> None:
    out = samples_of(Resampler(in_hz, out_hz, profile=profile).push(pcm(np.full(in_hz // 10, 10_000))))
    assert np.max(np.abs(out[SETTLED_MS * out_hz // 1000 :] - 10_000.0)) <= 10_000 * (10 ** (RIPPLE_DB / 20) - 1)
