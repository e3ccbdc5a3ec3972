"""The delay that is measured is the delay that there is: through codecs, over jumps, and never of another voice."""

import pytest

from relay._codec import Decoder, Encoder
from relay.dev.demo.measure import Delay, Moment, moments, summed_up
from relay.dev.recording import Recording, spliced
from relay.dev.speech import speech
from relay.media.tones import ringback

START_NS = 7_000_000_000


def carried(pcm: bytes, in_rate_hz: int, out_rate_hz: int) -> tuple[bytes, float]:
    """What PCMU makes of it, and the delay of the filters on the way."""
    encoder, decoder = Encoder("pcmu", 8000, in_rate_hz), Decoder("pcmu", 8000, out_rate_hz)
    frame_bytes = in_rate_hz // 50 * 2
    frames = (pcm[at : at + frame_bytes] for at in range(0, len(pcm), frame_bytes))
    return b"".join(decoder.push(encoder.push(frame)) for frame in frames), encoder.delay_ms + decoder.delay_ms


@pytest.mark.parametrize("delay_ms", [63.4, 1987.3])
@pytest.mark.parametrize(("in_rate_hz", "out_rate_hz"), [(8000, 16000), (16000, 8000)])
@pytest.mark.long
def test_a_known_delay_is_found(in_rate_hz: int, out_rate_hz: int, delay_ms: float) -> None:
    said = speech(3.0, seed=2, rate_hz=in_rate_hz)
    pcm, filters_ms = carried(said, in_rate_hz, out_rate_hz)
    heard = Recording(pcm, out_rate_hz, START_NS + round(delay_ms * 1e6))
    found = moments(heard, Recording(said, in_rate_hz, START_NS))
    assert len(found) >= 15
    assert [moment.delay_ms for moment in found] == pytest.approx([delay_ms + filters_ms] * len(found), abs=0.1)
    summary = summed_up(found)
    assert summary is not None
    assert summary.level_db == pytest.approx(0, abs=0.2)


def test_a_delay_that_jumps_is_seen_where_it_jumps() -> None:
    said = speech(4.0, seed=2)
    half = len(said) // 2
    heard = spliced(
        [Recording(said[:half], 8000, START_NS + 50_000_000), Recording(said[half:], 8000, START_NS + 2_950_000_000)]
    )
    found = moments(heard, Recording(said, 8000, START_NS))
    early = [moment.delay_ms for moment in found if moment.at_ns < START_NS + 2_000_000_000]
    late = [moment.delay_ms for moment in found if moment.at_ns >= START_NS + 2_900_000_000]
    assert len(early) >= 8
    assert len(late) >= 8
    assert early == pytest.approx([50.0] * len(early), abs=0.1)
    assert late == pytest.approx([950.0] * len(late), abs=0.1)


def test_another_voice_ringback_and_silence_are_not_what_was_said() -> None:
    said = Recording(speech(2.0, seed=2), 8000, START_NS)
    ringing = ringback(8000).take(1000)
    assert moments(said._replace(pcm=speech(1.0, seed=9)), said) == []
    assert moments(said._replace(pcm=ringing), said) == []
    assert moments(said._replace(pcm=bytes(16000)), said) == []
    assert moments(said._replace(pcm=b""), said) == []


def test_a_level_is_that_against_the_original() -> None:
    said = speech(2.0, seed=2)
    quieter = b"".join(
        (int.from_bytes(said[at : at + 2], "little", signed=True) // 2).to_bytes(2, "little", signed=True)
        for at in range(0, len(said), 2)
    )
    summary = summed_up(moments(Recording(quieter, 8000, START_NS), Recording(said, 8000, START_NS)))
    assert summary is not None
    assert summary.level_db == pytest.approx(-6.0, abs=0.1)


def test_moments_are_summed_up() -> None:
    made = [
        Moment(0, float(delay_ms), level_db) for delay_ms, level_db in zip(range(1, 101), [0.0, -1.0] * 50, strict=True)
    ]
    assert summed_up(made) == Delay(50.5, 95.0, 100.0, -0.5)
    assert summed_up([]) is None
