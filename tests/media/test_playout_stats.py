"""The settings of playout are checked."""

import pytest

from relay.media.playout import PlayoutSettings


def test_the_defaults_are_two_frames_within_one_and_six() -> None:
    settings = PlayoutSettings()
    assert (settings.start_ms, settings.min_ms, settings.max_ms) == (40, 20, 120)


@pytest.mark.parametrize(
    ("name", "value"), [("min_ms", 0), ("min_ms", 41), ("start_ms", 19), ("start_ms", 121), ("capacity_ms", 120)]
)
def test_bounds_that_contradict_each_other_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 0 < min_ms <= start_ms .* got .*\b{value}\b"):
        PlayoutSettings(**{name: value})
