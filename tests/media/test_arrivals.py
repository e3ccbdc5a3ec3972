"""Playout under whole streams: what must hold whatever the network and the clocks do."""

from dataclasses import replace

import numpy as np
import pytest

from relay.dev.bench.arrivals import MS, RATE_HZ, SECOND, Heard, play, stalled, without
from relay.media.playout import PlayoutSettings
from tests.codec.test_concealer import largest_step, voice
from tests.media.arrivals import Delay, pulls, sent, spiky, uniform
from tests.signals import Floats, level_db, pcm, rms, samples_of, tone

FRAME = RATE_HZ // 50

pull_sizes = pytest.mark.parametrize("pull_ms", [10, 20])


def marked(number: int) -> bytes:
    """A frame that cannot be taken for another."""
    return pcm(np.random.default_rng(number).integers(-8000, 8000, FRAME))


def cut_from(signal: Floats, frame_ms: int = 20) -> list[bytes]:
    size = FRAME * frame_ms // 20
    return [pcm(signal[at : at + size]) for at in range(0, len(signal), size)]


def errors_ms(heard: Heard, *, from_s: float) -> list[float]:
    return [each.error_ms for each in heard.seconds if each.at_s >= from_s]


@pull_sizes
def test_a_steady_stream_comes_out_as_it_went_in(pull_ms: int) -> None:
    """From the first sample to the last, in order, each once. The start is on time: there is nothing to adapt to."""
    settings = PlayoutSettings(start_ms=40, min_ms=40)
    heard = play(sent(30, from_s=0), pulls(29, pull_ms=pull_ms), pull_ms=pull_ms, frame=marked, settings=settings)
    whole = b"".join(marked(number) for number in range(1500))
    silence = len(heard.pcm) - len(heard.pcm.lstrip(b"\0"))
    assert 40 * 16 <= silence <= 60 * 16
    assert heard.pcm[silence:] == whole[: len(heard.pcm) - silence]


@pull_sizes
@pytest.mark.long
def test_a_steady_stream_is_untouched_once_the_target_has_settled(pull_ms: int) -> None:
    """With the room's timer up to 1 ms late. Until then it is re-timed from the start's delay to the least."""
    heard = play(sent(121), pulls(120, pull_ms=pull_ms, lateness_ms=1), pull_ms=pull_ms, frame=marked)
    stats, settled = heard.stats, next(each.stats for each in heard.seconds if each.at_s >= 60)
    assert stats.target_ms <= 20 + (7 if pull_ms == 20 else 0)
    assert stats.retimed_samples == settled.retimed_samples
    assert (stats.underruns, stats.concealed_ms, stats.drained_ms) == (0, 0, 0)
    last = b"".join(marked(number) for number in range(4000, 5900))
    assert last in heard.pcm


@pull_sizes
@pytest.mark.parametrize("frame_ms", [20, 100])
def test_a_steady_stream_waits_as_long_as_its_target_says(pull_ms: int, frame_ms: int) -> None:
    """By the waits themselves, which are of whole pulls: a frame's first sample comes somewhere in one."""
    heard = play(
        sent(101, frame_ms=frame_ms),
        pulls(100, pull_ms=pull_ms, lateness_ms=1),
        pull_ms=pull_ms,
        frame=lambda _: bytes(16 * frame_ms),
    )
    waits_ms = heard.waits_ms[-200 * 20 // frame_ms :]
    assert heard.stats.target_ms - pull_ms <= max(waits_ms) <= heard.stats.target_ms + 3


@pull_sizes
@pytest.mark.parametrize(
    ("delay", "lateness_ms", "concealed_ms"),
    [
        (uniform(20), 20, 0),
        (uniform(60), 60, 150),
        (uniform(120), 120, 800),  # more than the bound of the delay allows for
        (spiky(8, spike_ms=100, every_frames=200), 120, 400),
    ],
    ids=["20 ms", "60 ms", "120 ms", "spikes"],
)
def test_the_delay_follows_the_jitter(pull_ms: int, delay: Delay, lateness_ms: float, concealed_ms: float) -> None:
    heard = play(sent(121, delay=delay), pulls(120, pull_ms=pull_ms, lateness_ms=1), pull_ms=pull_ms)
    stats = heard.stats
    assert stats.lateness_ms == pytest.approx(lateness_ms, abs=8)
    assert min(lateness_ms + pull_ms, 112) <= stats.target_ms <= min(lateness_ms + pull_ms + 8, 120)
    assert stats.concealed_ms <= concealed_ms
    assert abs(float(np.median(errors_ms(heard, from_s=30)))) <= 10


@pull_sizes
@pytest.mark.parametrize("frame_ms", [40, 100, 200])
@pytest.mark.parametrize(
    ("delay", "lateness_ms", "concealed_ms"),
    [(None, 0, 0), (uniform(20), 20, 0), (uniform(60), 60, 160)],
)
def test_long_messages_wait_no_longer_than_short_ones_and_nothing_is_concealed_for_their_length(
    pull_ms: int, frame_ms: int, delay: Delay | None, lateness_ms: float, concealed_ms: float
) -> None:
    heard = play(
        sent(61, frame_ms=frame_ms, delay=delay),
        pulls(60, pull_ms=pull_ms, lateness_ms=1),
        pull_ms=pull_ms,
        frame=lambda _: bytes(16 * frame_ms),
    )
    assert heard.stats.target_ms <= max(lateness_ms + pull_ms + 8, 20)
    assert heard.stats.concealed_ms <= concealed_ms
    assert max(heard.waits_ms[-1000 // frame_ms :]) <= heard.stats.target_ms + 10
    assert heard.stats.depth_ms <= heard.stats.target_ms + frame_ms


@pull_sizes
def test_a_message_of_all_that_one_can_hold_delays_nobody_for_long(pull_ms: int) -> None:
    """8 s at once, twice what may wait."""
    heard = play(
        sent(31),
        pulls(30, pull_ms=pull_ms, lateness_ms=1),
        pull_ms=pull_ms,
        frame=lambda number: bytes(16 * (8000 if number == 500 else 20)),
        every_s=0.25,
    )
    assert heard.recovered_s(10) <= 1
    assert heard.stats.concealed_ms == 0


@pull_sizes
@pytest.mark.parametrize(("behind", "lost"), [(1, 25), (2, 33)])
def test_frames_that_others_overtake_are_waited_for_as_soon_as_it_is_known(
    pull_ms: int, behind: int, lost: int
) -> None:
    """All along, each two or three frames come in the opposite order: those late by 40 and 80 ms are lost for 1 s."""
    group = behind + 1
    numbers = [number + behind - 2 * (number % group) if group <= number < 990 else number for number in range(1000)]
    arrivals = [replace(each, number=number) for each, number in zip(sent(20), numbers, strict=True)]
    heard = play(arrivals, pulls(19, pull_ms=pull_ms), pull_ms=pull_ms, numbered=True)
    assert heard.stats.lateness_ms == pytest.approx(40 * behind, abs=1)
    assert heard.stats.frames_lost <= lost
    assert heard.seconds[1].stats.frames_lost == heard.stats.frames_lost


@pull_sizes
@pytest.mark.parametrize("delay", [None, uniform(20)], ids=["steady", "20 ms"])
@pytest.mark.parametrize("drift_ppm", [-300, 300])
@pytest.mark.parametrize("seconds", [600, pytest.param(3600, marks=pytest.mark.long)])
@pytest.mark.long
def test_drift_is_followed_without_an_underrun(
    *, pull_ms: int, delay: Delay | None, drift_ppm: float, seconds: int
) -> None:
    heard = play(
        sent(seconds + 3, drift_ppm=drift_ppm, delay=delay),
        pulls(seconds, pull_ms=pull_ms, lateness_ms=1),
        pull_ms=pull_ms,
    )
    stats = heard.stats
    assert (stats.underruns, stats.concealed_ms) == (0, 0)
    assert max(map(abs, errors_ms(heard, from_s=60))) <= 10
    assert stats.drift_ppm == pytest.approx(drift_ppm, abs=15)
    assert abs(float(np.median(errors_ms(heard, from_s=120)))) <= 1.5  # no error is needed to follow a known drift
    for each in heard.seconds[60:]:  # as the frames themselves saw it
        assert each.stats.target_ms - 10 - pull_ms <= each.longest_wait_ms <= each.stats.target_ms + 10


SIGNALS = {
    "tone 80 Hz": tone(80, RATE_HZ, 20 * RATE_HZ, amplitude=8000),
    "tone 997 Hz": tone(997, RATE_HZ, 20 * RATE_HZ, amplitude=8000),
    "voice": voice(RATE_HZ, 20_000, pitch_hz=110.0),
    "noise": np.random.default_rng(1).normal(0, 3000, 20 * RATE_HZ),
    "speech": voice(RATE_HZ, 20_000) * np.clip(np.sin(np.arange(20 * RATE_HZ) * 9 / RATE_HZ) + 0.3, 0.003, 1),
}
signals = pytest.mark.parametrize("signal", SIGNALS)


def assert_unhurt(heard: Heard, signal: Floats, *, steps: float = 1.06) -> None:
    """No step much larger than the signal's own, and its level."""
    out = samples_of(heard.pcm).astype(float)
    assert largest_step(out) <= largest_step(signal) * steps
    assert level_db(rms(out[-5 * RATE_HZ :]), rms(signal[-5 * RATE_HZ :])) == pytest.approx(0, abs=0.5)


@pull_sizes
@signals
@pytest.mark.parametrize("stall_s", [0.3, 2.0])
@pytest.mark.parametrize("frame_ms", [20, 100])
def test_after_a_stall_the_delay_is_back_in_three_seconds(
    pull_ms: int, signal: str, stall_s: float, frame_ms: int
) -> None:
    """However loud and without a pause the agent is, and without a click; nothing more is concealed than the start."""
    frames = cut_from(SIGNALS[signal], frame_ms)
    heard = play(
        stalled(sent(19.9, frame_ms=frame_ms), from_s=8, for_s=stall_s),
        pulls(19.8, pull_ms=pull_ms, lateness_ms=1),
        pull_ms=pull_ms,
        frame=frames.__getitem__,
        numbered=True,
        every_s=0.05,
    )
    assert heard.recovered_s(8 + stall_s) <= 3
    assert heard.stats.underruns == 1
    assert heard.stats.concealed_ms <= 60 + pull_ms
    assert_unhurt(heard, SIGNALS[signal])


@pull_sizes
@signals
def test_after_the_room_stalled_the_delay_is_back_in_two_seconds(pull_ms: int, signal: str) -> None:
    frames = cut_from(SIGNALS[signal])
    asked = pulls(19.8, pull_ms=pull_ms, lateness_ms=1, stall=(8, 0.2))
    heard = play(sent(19.9), asked, pull_ms=pull_ms, frame=frames.__getitem__, every_s=0.05)
    assert max(errors_ms(heard, from_s=8)) > 100
    assert heard.recovered_s(8.2) <= 2
    assert heard.stats.concealed_ms == 0
    assert_unhurt(heard, SIGNALS[signal])


@pull_sizes
@pytest.mark.parametrize("frames_lost", [1, 3, 10, 25])
def test_what_is_lost_is_concealed_and_no_more(pull_ms: int, frames_lost: int) -> None:
    lost = [number for first in range(100, 1400, 100) for number in range(first, first + frames_lost)]
    heard = play(without(sent(31), lost), pulls(30, pull_ms=pull_ms, lateness_ms=1), pull_ms=pull_ms, numbered=True)
    stats = heard.stats
    assert stats.frames_lost == len(lost)
    assert 13 * min(20 * frames_lost, 60) <= stats.concealed_ms <= 20 * len(lost)
    assert stats.drained_ms == 0
    assert abs(heard.seconds[-1].error_ms) <= 10


@pull_sizes
def test_a_silent_sender_grows_nothing_and_begins_as_at_first(pull_ms: int) -> None:
    arrivals = [each for each in sent(121) if not 60 * SECOND < each.at_ns < 90 * SECOND]
    heard = play(arrivals, pulls(120, pull_ms=pull_ms, lateness_ms=1), pull_ms=pull_ms)
    stats = heard.stats
    assert (stats.underruns, stats.concealed_ms, stats.drained_ms) == (1, 60, 0)
    begun_ms = heard.waits_ms[60 * 50 : 60 * 50 + 20]
    assert max(begun_ms) <= 40 + pull_ms
    assert min(begun_ms) >= 40 - pull_ms
    assert max(map(abs, errors_ms(heard, from_s=91))) <= 10


@pull_sizes
def test_shuffled_and_repeated_frames_are_played_once_and_in_order(pull_ms: int) -> None:
    """F17. Frames up to 30 ms late overtake each other; each comes twice, the second time 13 ms later."""
    once = sent(31, delay=uniform(30), in_order=False)
    twice = sorted([*once, *sent(31, delay=uniform(30), in_order=False, from_s=0.016)], key=lambda each: each.at_ns)
    settings = PlayoutSettings(start_ms=80, min_ms=80)
    asked = pulls(30, pull_ms=pull_ms)
    heard = play(twice, asked, pull_ms=pull_ms, frame=marked, numbered=True, settings=settings)
    assert [each.number for each in once] != sorted(each.number for each in once)
    assert heard.stats.frames_lost == 0
    assert heard.stats.frames_duplicate == heard.stats.frames_received // 2
    assert b"".join(marked(number) for number in range(1000, 1200)) in heard.pcm


def test_the_waits_it_records_are_those_of_the_frames() -> None:
    heard = play(sent(11), pulls(10, pull_ms=10), pull_ms=10, settings=PlayoutSettings(start_ms=40, min_ms=40))
    assert set(heard.waits_ms) <= {37.0, 47.0}
    assert sum(heard.waits_ms) * MS > 0
