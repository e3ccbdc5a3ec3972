"""What is heard in place of somebody, and the change over to them."""

from relay.bridge.stand_in import StandIn
from relay.media.tones import Loop
from tests.signals import largest_step, pcm, tone

VOICE = pcm(tone(440, 16000, 320, amplitude=8000))


def test_without_a_sound_it_is_silence_and_a_voice_is_left_as_it_is() -> None:
    stand_in = StandIn(16000, 20)
    assert stand_in.frame() == bytes(640)
    assert stand_in.give_way(VOICE) is VOICE


def test_sound_goes_on_from_frame_to_frame() -> None:
    stand_in = StandIn(16000, 10)
    sound = pcm(range(1000))
    stand_in.play(Loop(sound, 16000))
    assert stand_in.frame() + stand_in.frame() == sound[:640]


def test_voice_is_faded_in_once_without_a_click() -> None:
    stand_in = StandIn(16000, 20)
    stand_in.play(Loop(pcm([12000] * 16), 16000))
    before, first = stand_in.frame(), stand_in.give_way(VOICE)
    assert first != VOICE
    assert largest_step(before + first) <= largest_step(VOICE) + 12000 // 100
    assert stand_in.give_way(VOICE) is VOICE
    assert stand_in.frame() == bytes(640)
