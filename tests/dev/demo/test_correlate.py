"""A stretch is found where it is from, also between samples, and also where the voice is much like itself."""

import math

import pytest

from relay.dev.demo.correlate import FACTOR, Searched, samples_of, thinned
from relay.dev.speech import speech

VOICE = samples_of(speech(4.0, seed=0))
LENGTH = 1920


@pytest.mark.parametrize("at", [0, 1, 2, 3, 801, 12000, 12347, 30079])
def test_a_stretch_is_found_at_its_sample(at: int) -> None:
    found = Searched(VOICE).find(VOICE[at : at + LENGTH], at - 400, at + 400)
    assert found is not None
    assert (found.at, found.match, found.gain) == pytest.approx((at, 1.0, 1.0), abs=0.01)


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_a_stretch_from_between_two_samples_is_found_there(part: float) -> None:
    """A tone under a bell: what is between its samples is known."""

    def sample(at: float) -> float:
        return 8000 * math.exp(-(((at - 3000) / 500) ** 2)) * math.sin(0.3 * at)

    found = Searched([sample(at) for at in range(6000)]).find(
        [sample(2040 + at + part) for at in range(LENGTH)], 1900, 2200
    )
    assert found is not None
    assert found.at == pytest.approx(2040 + part, abs=0.05)


def test_how_loud_it_is_against_the_original() -> None:
    found = Searched(VOICE).find([0.5 * sample for sample in VOICE[12000 : 12000 + LENGTH]], 11900, 12100)
    assert found is not None
    assert (found.match, found.gain) == pytest.approx((1.0, 0.5), abs=0.01)


def test_another_voice_matches_badly() -> None:
    other = samples_of(speech(4.0, seed=7))
    found = Searched(VOICE).find(other[12000 : 12000 + LENGTH], 0, len(VOICE))
    assert found is not None
    assert found.match < 0.9


def test_nothing_is_found_where_nothing_is() -> None:
    assert Searched(VOICE).find(VOICE[:LENGTH], len(VOICE), len(VOICE) + 800) is None
    assert Searched([0.0] * 8000).find(VOICE[12000 : 12000 + LENGTH], 0, 8000) is None


@pytest.mark.parametrize(("frequency_hz", "level"), [(300, 1.0), (3000, 0.0)])
def test_thinning_keeps_what_it_can_carry_and_nothing_else(frequency_hz: float, level: float) -> None:
    tone = [math.sin(2 * math.pi * frequency_hz * at / 8000) for at in range(4000)]
    middle = thinned(tone)[100:-100]
    assert len(thinned(tone)) == len(tone) // FACTOR
    assert max(middle) == pytest.approx(level, abs=0.03)
