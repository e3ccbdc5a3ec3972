"""Participants one by one, mixed on our clock: none waits for another, and no burst leaves a delay."""

import numpy as np
import pytest

from relay.rooms.daily_devices import SPEAKER_BYTES, TICK_MS
from relay.rooms.daily_tracks import WAITING_MAX, TrackMixer
from tests.signals import pcm, samples_of


class Desk:
    """A mixer, what it asked for and what it gave."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heard: list[bytes] = []
        self.mixer = TrackMixer(heard=lambda frame, _now_ns: self.heard.append(frame), listen=self.asked.append)

    def say(self, who: str, value: int, *, frames: int = 1) -> None:
        for _ in range(frames):
            self.mixer.put(who, pcm(np.full(320, value)), rate_hz=16000, channels=1, sample_bits=16)

    def frame(self) -> int:
        """The next frame's only value."""
        for _ in range(20 // TICK_MS):
            self.mixer.tick(0)
        (value,) = set(samples_of(self.heard[-1]))
        return int(value)


def test_nobody_there_is_no_frame_and_somebody_silent_is_silence() -> None:
    desk = Desk()
    for _ in range(8):
        desk.mixer.tick(0)
    assert desk.heard == []
    desk.mixer.came("a")
    assert desk.frame() == 0
    assert (len(desk.heard), len(desk.heard[0]), desk.asked) == (1, SPEAKER_BYTES, ["a"])


def test_the_sum_of_all_is_heard() -> None:
    desk = Desk()
    for who in "ab":
        desk.mixer.came(who)
    for _ in range(2):
        desk.say("a", 100)
        desk.say("b", 30)
    assert [desk.frame(), desk.frame(), desk.frame()] == [130, 130, 0]


def test_one_who_says_nothing_holds_nobody_up() -> None:
    desk = Desk()
    for who in "ab":
        desk.mixer.came(who)
    desk.say("a", 7, frames=2)
    assert [desk.frame(), desk.frame()] == [7, 7]


def test_a_frame_is_in_hand_before_the_first_is_mixed() -> None:
    desk = Desk()
    desk.mixer.came("a")
    desk.say("a", 1)
    assert desk.frame() == 0
    desk.say("a", 2)
    assert [desk.frame(), desk.frame()] == [1, 2]


def test_of_a_burst_the_newest_are_kept() -> None:
    desk = Desk()
    desk.mixer.came("a")
    for value in range(1, 11):
        desk.say("a", value)
    assert [desk.frame() for _ in range(WAITING_MAX + 1)] == [8, 9, 10, 0]


def test_who_has_gone_is_not_heard_and_asked_for_again_when_back() -> None:
    desk = Desk()
    desk.mixer.came("a")
    desk.mixer.came("a")
    desk.say("a", 5, frames=2)
    desk.mixer.left("a")
    desk.say("a", 5)
    desk.mixer.came("a")
    assert (desk.frame(), desk.asked) == (0, ["a", "a"])


@pytest.mark.parametrize("field", ["rate_hz", "channels", "sample_bits", "length"])
def test_audio_of_another_kind_is_counted_and_not_heard(field: str) -> None:
    desk = Desk()
    desk.mixer.came("a")
    form = {"rate_hz": 16000, "channels": 1, "sample_bits": 16}
    frame = b"\1\0" * (160 if field == "length" else 320)
    if field in form:
        form[field] *= 2
    for _ in range(2):
        desk.mixer.put("a", frame, **form)
    assert (desk.frame(), desk.mixer.bad_frames) == (0, 2)
