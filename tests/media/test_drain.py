"""Draining: no more than asked, nothing where nothing is, no click, and an end in sight whatever the signal."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import RATES_HZ
from relay.media.drain import Drain
from tests.codec.test_concealer import largest_step, voice
from tests.signals import Floats, level_db, noise, pcm, rms, samples_of, tone

rates = pytest.mark.parametrize("rate_hz", RATES_HZ)


def drained(signal: Floats, rate_hz: int, excess_ms: float, *, frame_ms: int = 20) -> tuple[Floats, float]:
    """What is heard of a signal that has an excess, and how long it took until all of that was gone."""
    drain, frame, out, taken_ms = Drain(rate_hz), rate_hz * frame_ms // 1000, [], -1.0
    left_ms = excess_ms
    for at in range(0, len(signal), frame):
        run = pcm(signal[at : at + frame])
        out.append(drain.push(run, left_ms))
        left_ms -= (len(run) - len(out[-1])) * 500 / rate_hz
        if left_ms <= 5 and taken_ms < 0:
            taken_ms = (at + frame) * 1000 / rate_hz
    return samples_of(b"".join(out)).astype(float), taken_ms


@rates
def test_without_excess_a_frame_passes_as_the_same_object(rate_hz: int) -> None:
    drain = Drain(rate_hz)
    for frame in (pcm(noise(rate_hz // 50)), bytes(rate_hz // 25)):
        assert drain.push(frame, 0) is drain.push(frame, -5.0) is frame


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    frames=st.lists(st.tuples(st.sampled_from([1, 10, 20, 30, 40, 100]), st.floats(0, 120)), min_size=1, max_size=12),
    signal=st.sampled_from(["noise", "tone", "quiet", "silence"]),
)
def test_never_more_than_the_excess_goes_nor_half_a_sample(
    rate_hz: int, frames: list[tuple[int, float]], signal: str
) -> None:
    drain = Drain(rate_hz)
    signals: dict[str, Any] = {
        "noise": noise(rate_hz),
        "tone": tone(300, rate_hz, rate_hz),
        "quiet": noise(rate_hz) / 1000,
        "silence": np.zeros(rate_hz),
    }
    for at, (frame_ms, excess_ms) in enumerate(frames):
        frame = pcm(signals[signal][7 * at :][: rate_hz * frame_ms // 1000])
        out = drain.push(frame, excess_ms)
        assert len(out) % 2 == 0
        assert 0 <= (len(frame) - len(out)) * 500 / rate_hz <= excess_ms


def test_quiet_frames_go_whole_and_at_once() -> None:
    drain, quiet = Drain(8000), pcm(noise(160) / 400)
    assert [len(drain.push(quiet, excess_ms)) for excess_ms in (60, 40, 20)] == [0, 0, 0]
    assert len(drain.push(quiet, 0)) == 320


def test_the_frame_after_dropped_ones_is_faded_in_over_what_was_heard() -> None:
    """Over the first of the dropped, which goes on from what was heard, not over the last."""
    drain = Drain(8000)
    first, second, third = (pcm([level] * 160) for level in (100, -100, 50))
    assert drain.push(first, 40) == drain.push(second, 20) == b""
    joined = samples_of(drain.push(third, 0)).astype(float)
    assert np.max(np.abs(joined[:40] - np.linspace(100, 50, 42)[1:-1])) <= 1
    assert (joined[40:] == 50).all()
    assert drain.push(third, 0) is third


def test_a_reset_drain_has_nothing_to_fade_from() -> None:
    drain, loud = Drain(8000), pcm([20000] * 160)
    assert drain.push(bytes(320), 20) == b""
    drain.reset()
    assert drain.push(loud, 0) is loud


@rates
@pytest.mark.parametrize("hz", [80, 125, 400, 1000])
@pytest.mark.parametrize("frame_ms", [20, 40])
def test_a_tone_is_drained_without_a_step_larger_than_its_own(rate_hz: int, hz: int, frame_ms: int) -> None:
    """20 ms have no whole period of 80 Hz in their half: any seam must do after a while, and is no click."""
    signal = tone(hz, rate_hz, 4 * rate_hz, amplitude=16000)
    out, taken_ms = drained(signal, rate_hz, 200.0, frame_ms=frame_ms)
    assert 0 < taken_ms <= 2000
    assert largest_step(out) <= largest_step(signal) * (1.03 if hz > 100 or frame_ms == 40 else 2)


@rates
@pytest.mark.parametrize("pitch_hz", [110.0, 199.0])
def test_a_voice_is_drained_by_a_fifth_without_a_click(rate_hz: int, pitch_hz: float) -> None:
    signal = voice(rate_hz, 2000, pitch_hz=pitch_hz)
    out, taken_ms = drained(signal, rate_hz, 200.0)
    assert 900 <= taken_ms <= 1400
    assert largest_step(out) <= largest_step(signal) * 1.05
    assert level_db(rms(out), rms(signal)) == pytest.approx(0, abs=0.5)


@rates
def test_noise_is_drained_in_the_end(rate_hz: int) -> None:
    signal = np.random.default_rng(1).normal(0, 3000, 3 * rate_hz)
    out, taken_ms = drained(signal, rate_hz, 200.0)
    assert 0 < taken_ms <= 2000
    assert level_db(rms(out), rms(signal)) == pytest.approx(0, abs=1)


def test_frames_too_short_to_be_shortened_are_dropped_in_the_end() -> None:
    signal = tone(400, 8000, 16000, amplitude=8000)
    _, taken_ms = drained(signal, 8000, 60.0, frame_ms=10)
    assert 0 < taken_ms <= 1000


def test_nothing_comes_of_nothing() -> None:
    drain = Drain(8000)
    assert drain.push(bytes(320), 20) == b""
    assert drain.push(b"", 0) == b""


def test_unknown_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="rate_hz to be one of 8000, 16000, 24000, 48000, got 44100"):
        Drain(44100)
