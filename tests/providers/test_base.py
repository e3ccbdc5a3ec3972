"""The contract's own values: what a frame rule lets through, and events that cannot be changed."""

import pytest

from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import MESSAGE_MAX_FRAMES, FrameRule, StreamStarted


@pytest.mark.parametrize(
    ("rule", "taken", "refused"),
    [
        (FrameRule(), [1, 2, 100_000], [0]),
        (FrameRule(multiple_bytes=160, min_bytes=160), [160, 320, 1600], [0, 159, 161]),
        (FrameRule(multiple_bytes=320, min_bytes=3200, max_bytes=6400), [3200, 3520, 6400], [0, 320, 3201, 6720]),
    ],
)
def test_a_frame_rule_takes_whole_multiples_within_its_bounds(
    rule: FrameRule, taken: list[int], refused: list[int]
) -> None:
    for size in taken:
        rule.check("acme", bytes(size))
    for size in refused:
        with pytest.raises(LocalProtocolError, match=f"^acme payload: expected {rule}, got {size} bytes$"):
            rule.check("acme", bytes(size))


@pytest.mark.parametrize(
    ("rule", "frame_bytes", "frames"),
    [
        (FrameRule(), 160, 1),
        (FrameRule(multiple_bytes=160, min_bytes=160), 160, 1),
        (FrameRule(multiple_bytes=640, min_bytes=640, max_bytes=640), 640, 1),
        (FrameRule(multiple_bytes=320, min_bytes=3200, max_bytes=100_000), 320, 10),
        (FrameRule(multiple_bytes=320, min_bytes=3200, max_bytes=100_000), 640, 5),
        (FrameRule(multiple_bytes=320, min_bytes=3200, max_bytes=100_000), 960, 4),
        (FrameRule(multiple_bytes=240, min_bytes=240), 160, 3),
        (FrameRule(min_bytes=160 * MESSAGE_MAX_FRAMES), 160, MESSAGE_MAX_FRAMES),
    ],
)
def test_a_message_is_as_few_frames_as_the_rule_lets_through(rule: FrameRule, frame_bytes: int, frames: int) -> None:
    assert rule.frames(frame_bytes) == frames
    rule.check("acme", bytes(frames * frame_bytes))


@pytest.mark.parametrize(
    "rule",
    [FrameRule(max_bytes=159), FrameRule(min_bytes=160 * MESSAGE_MAX_FRAMES + 1), FrameRule(multiple_bytes=9999)],
)
def test_a_rule_that_no_number_of_frames_meets_says_so(rule: FrameRule) -> None:
    with pytest.raises(ValueError, match=f"^frame rule: expected one for frames of 160 bytes, got {rule}$"):
        rule.frames(160)


def test_a_frame_rule_says_what_it_asks() -> None:
    assert str(FrameRule(multiple_bytes=160, min_bytes=160)) == "a multiple of 160 bytes, at least 160"
    assert str(FrameRule(max_bytes=9)) == "a multiple of 1 bytes, at least 1, at most 9"
    assert str(FrameRule(multiple_bytes=640, min_bytes=640, max_bytes=640)) == "exactly 640 bytes"


def test_a_start_without_custom_parameters_has_none() -> None:
    started = StreamStarted("S1", "C1", AudioFormat("pcmu", 8000))
    assert started.custom == {}
    with pytest.raises(TypeError, match="does not support item assignment"):
        started.custom["a"] = "b"  # type: ignore[index]  # read-only is the promise
