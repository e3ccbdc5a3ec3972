"""Audio in any format of a carrier is the phone's, and a message is whole from the first on."""

import math
from array import array

import pytest

from relay.dev.carrier_document import Encoding
from relay.dev.carriers.audio_wire import AudioWire
from relay.dev.phone_wire import Call, ProtocolViolation

TONE = array("h", (round(8000 * math.sin(2 * math.pi * 440 * at / 8000)) for at in range(8000))).tobytes()
FORMATS: list[tuple[Encoding, int]] = [
    ("pcmu", 8000),
    ("pcma", 8000),
    ("l16le", 8000),
    ("l16le", 16000),
    ("l16be", 16000),
    ("l16le", 24000),
]


def power(pcm: bytes) -> float:
    samples = array("h", pcm)
    return sum(sample * sample for sample in samples) / max(1, len(samples))


@pytest.mark.parametrize(("encoding", "rate_hz"), FORMATS)
def test_a_tone_comes_back_as_it_went(encoding: Encoding, rate_hz: int) -> None:
    wire = AudioWire(Call(), encoding, rate_hz)
    heard = b""
    for at in range(0, len(TONE), 320):
        message = wire.encoded(TONE[at : at + 320])
        assert len(message) == wire.frame_bytes
        heard += wire.decoded(message, what="audio")
    assert power(heard[8000:]) == pytest.approx(power(TONE), rel=0.1)
    assert len(TONE) - len(heard) < 320


def test_what_is_no_audio_is_a_violation() -> None:
    wire = AudioWire(Call(), "l16le", 8000)
    for payload in (b"\0", "%", ""):
        with pytest.raises(ProtocolViolation, match="audio: "):
            wire.decoded(payload, what="audio")
