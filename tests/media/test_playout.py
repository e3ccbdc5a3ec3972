"""Playout frame by frame: what comes out, when, and what is counted. tests/media/test_arrivals.py has the long runs."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import RATES_HZ
from relay.dev.bench.arrivals import MS, Waits
from relay.media.latency import LatencyHistogram
from relay.media.playout import Playout, PlayoutSettings
from tests.signals import noise, pcm, samples_of

RATE_HZ = 8000
SETTLED = PlayoutSettings(start_ms=40, min_ms=40, max_ms=120)  # the target stays where it starts


def frame(number: int, *, ms: int = 20, rate_hz: int = RATE_HZ) -> bytes:
    return pcm(noise(rate_hz * ms // 1000, seed=number) / 4)


def playing(numbers: int, *, pull_ms: int = 20, wait: LatencyHistogram | None = None, numbered: bool = True) -> Playout:
    """A playout that has got so many frames, each just before a pull that followed; the next is due at once."""
    playout = Playout(RATE_HZ, pull_ms=pull_ms, settings=SETTLED, wait=wait)
    for number in range(numbers):
        playout.push(frame(number), number * 20 * MS, sequence=number if numbered else None)
        for pull in range(20 // pull_ms):
            playout.pull((number * 20 + pull * pull_ms) * MS)
    return playout


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("pull_ms", [5, 10, 20, 30])
def test_before_the_first_frame_there_is_silence_of_the_right_length(rate_hz: int, pull_ms: int) -> None:
    playout = Playout(rate_hz, pull_ms=pull_ms)
    for at in range(5):
        assert playout.pull(at * pull_ms * MS) == bytes(rate_hz // 500 * pull_ms)
    assert (playout.started, playout.played) == (False, False)
    assert playout.snapshot().underruns == 0
    assert playout.snapshot().delay_ms == 0


@given(
    rate_hz=st.sampled_from(RATES_HZ),
    pull_ms=st.sampled_from([10, 20]),
    steps=st.lists(
        st.tuples(st.sampled_from(["push", "pull", "clear"]), st.integers(0, 400), st.integers(1, 100), st.integers()),
        max_size=60,
    ),
)
def test_whatever_comes_a_pull_is_as_long_as_it_must_be(
    rate_hz: int, pull_ms: int, steps: list[tuple[str, int, int, int]]
) -> None:
    playout, now_ns = Playout(rate_hz, pull_ms=pull_ms, settings=PlayoutSettings(capacity_ms=500)), 0
    for what, wait_ms, frame_ms, number in steps:
        now_ns += wait_ms * MS // 4
        if what == "push":
            playout.push(frame(1, ms=frame_ms, rate_hz=rate_hz), now_ns, sequence=number % 70 if number % 7 else None)
        elif what == "pull":
            assert len(playout.pull(now_ns)) == rate_hz // 500 * pull_ms
        else:
            playout.clear()
        assert playout.snapshot().depth_ms <= 500 + 100


@pytest.mark.parametrize("pull_ms", [10, 20])
def test_the_first_frame_waits_for_the_start_delay_and_then_all_come_as_they_were(pull_ms: int) -> None:
    wait = Waits()
    playout, heard = Playout(RATE_HZ, pull_ms=pull_ms, settings=SETTLED, wait=wait), b""
    for at_ms in range(0, 1000, pull_ms):
        if at_ms % 20 == 0:
            playout.push(frame(at_ms // 20), at_ms * MS)
        heard += playout.pull(at_ms * MS)
        assert playout.played == (at_ms >= 40)
    assert heard == bytes(640) + b"".join(frame(number) for number in range(48))
    assert set(wait.ms) == {40.0}
    assert playout.snapshot().delay_ms == pytest.approx(40)


def test_frames_of_any_length_come_out_whole() -> None:
    playout, heard = Playout(RATE_HZ, pull_ms=20, settings=SETTLED), b""
    for at_ms in range(0, 800, 20):
        if at_ms % 100 == 0:
            playout.push(frame(at_ms, ms=100), at_ms * MS)
        heard += playout.pull(at_ms * MS)
    assert heard[640:] == b"".join(frame(at_ms, ms=100) for at_ms in range(0, 800, 100))[: len(heard) - 640]


def test_a_lost_frame_is_concealed_in_its_place() -> None:
    playout = playing(10)
    playout.push(frame(11), 200 * MS, sequence=11)
    heard = [playout.pull((200 + 20 * pull) * MS) for pull in range(4)]
    assert heard[:2] == [frame(8), frame(9)]
    assert heard[2] not in (frame(10), bytes(320))
    assert heard[3][-160:] == frame(11)[-160:]
    stats = playout.snapshot()
    assert (stats.frames_lost, stats.concealed_ms, stats.underruns) == (1, 20, 0)


def test_a_lost_frame_that_was_missed_by_the_room_is_concealed_once() -> None:
    """The room had asked for it before the frame after it told that it was lost."""
    playout = playing(10)
    for pull in range(3):
        playout.pull((200 + 20 * pull) * MS)
    playout.push(frame(11), 250 * MS, sequence=11)
    assert playout.pull(260 * MS)[-160:] == frame(11)[-160:]
    stats = playout.snapshot()
    assert (stats.frames_lost, stats.concealed_ms, stats.underruns) == (1, 20, 0)


def test_frames_out_of_order_are_played_in_order() -> None:
    playout = playing(10)
    playout.push(frame(11), 200 * MS, sequence=11)
    playout.push(frame(10), 201 * MS, sequence=10)
    assert [playout.pull((202 + 20 * pull) * MS) for pull in range(4)] == [frame(number) for number in range(8, 12)]


def test_duplicates_and_late_frames_are_dropped_and_counted() -> None:
    playout = playing(10)
    playout.push(frame(9), 200 * MS, sequence=9)
    playout.push(frame(11), 200 * MS, sequence=11)
    for pull in range(4):
        playout.pull((200 + 20 * pull) * MS)
    playout.push(frame(10), 270 * MS, sequence=10)
    playout.push(frame(3), 270 * MS, sequence=3)
    stats = playout.snapshot()
    assert (stats.frames_received, stats.frames_duplicate, stats.frames_late, stats.depth_ms) == (14, 2, 1, 0)


@pytest.mark.parametrize("numbered", [True, False])
def test_an_underrun_is_concealed_for_60_ms_and_what_comes_later_is_played_on(numbered: bool) -> None:  # noqa: FBT001
    playout = playing(10, numbered=numbered)
    heard = [playout.pull((200 + 20 * pull) * MS) for pull in range(12)]
    assert heard[:2] == [frame(8), frame(9)]
    assert all(any(pcm) for pcm in heard[2:5])
    assert not any(b"".join(heard[5:]))
    stats = playout.snapshot()
    assert (stats.underruns, stats.concealed_ms) == (1, 60)
    playout.push(frame(10), 430 * MS, sequence=10 if numbered else None)
    assert playout.pull(440 * MS)[-160:] == frame(10)[-160:]
    assert playout.snapshot().underruns == 1
    assert playout.snapshot().delay_ms == pytest.approx(10, abs=1)  # the path may be longer now, or a burst follows:
    for number in range(11, 21):
        playout.push(frame(number), 431 * MS, sequence=number if numbered else None)
    assert playout.snapshot().delay_ms == pytest.approx(10 + 200, abs=21)


@pytest.mark.parametrize("longer_ms", [100, 200, 400])
def test_a_path_that_becomes_longer_costs_one_underrun_of_audio_and_no_draining(longer_ms: int) -> None:
    playout = playing(100)
    drained_ms = playout.snapshot().drained_ms
    for at_ms in range(2000, 12_000, 10):
        number, rest_ms = divmod(at_ms - longer_ms, 20)
        if rest_ms == 0 and number >= 100:
            playout.push(frame(number % 50), at_ms * MS, sequence=number)
        if at_ms % 20 == 0:
            playout.pull(at_ms * MS)
    stats = playout.snapshot()
    assert stats.drained_ms == drained_ms
    assert stats.concealed_ms <= 80
    assert stats.frames_lost == 0
    assert stats.delay_ms < 40


def test_a_sender_that_was_silent_begins_anew() -> None:
    waits = Waits()
    playout = playing(10, wait=waits)
    for at_ms in range(200, 30_000, 20):
        playout.pull(at_ms * MS)
    assert playout.snapshot().concealed_ms == 60
    for number in range(10, 20):
        at_ms = 30_000 + (number - 10) * 20
        playout.push(frame(number), at_ms * MS, sequence=number)
        playout.pull(at_ms * MS)
    assert waits.ms[10:] == [40.0] * 8
    assert playout.snapshot().delay_ms == pytest.approx(40)
    assert playout.snapshot().frames_lost == 0


def test_frames_lost_in_a_long_silence_are_not_waited_for() -> None:
    playout = playing(10)
    for at_ms in range(200, 800, 20):
        playout.pull(at_ms * MS)
    playout.push(frame(40), 800 * MS, sequence=40)
    stats = playout.snapshot()
    assert (stats.frames_lost, stats.depth_ms, stats.concealed_ms) == (30, 20, 60)


def test_a_renumbered_stream_goes_on() -> None:
    playout = playing(10)
    playout.push(frame(10), 200 * MS, sequence=5_000_000)
    playout.push(frame(11), 200 * MS, sequence=5_000_001)
    assert [playout.pull((200 + 20 * pull) * MS) for pull in range(4)] == [frame(number) for number in range(8, 12)]
    assert playout.snapshot().frames_lost == 0


def test_a_flood_is_bounded_by_the_capacity() -> None:
    playout = Playout(RATE_HZ, pull_ms=20, settings=PlayoutSettings(capacity_ms=1000))
    for number in range(10_000):
        playout.push(frame(1), number * MS // 1000, sequence=number)
    stats = playout.snapshot()
    assert stats.depth_ms == 1000
    assert stats.frames_overrun == 9950
    assert stats.delay_ms <= 1040


def test_clear_drops_what_waits_and_begins_anew() -> None:
    playout = playing(10)
    playout.clear()
    assert playout.pull(200 * MS) == bytes(320)
    playout.push(frame(3), 220 * MS, sequence=3)
    assert playout.pull(220 * MS) == playout.pull(240 * MS) == bytes(320)
    assert playout.pull(260 * MS) == frame(3)
    assert playout.snapshot().frames_received == 11


def test_a_room_that_did_not_ask_for_a_while_is_not_taken_for_late_frames() -> None:
    playout = playing(50)
    for number in range(50, 60):
        playout.push(frame(number), number * 20 * MS, sequence=number)
    playout.pull(1200 * MS)
    stats = playout.snapshot()
    assert stats.delay_ms + stats.drained_ms == pytest.approx(240)
    assert stats.lateness_ms == 0


def test_a_room_that_makes_up_for_it_leaves_the_delay_as_it_was() -> None:
    playout = playing(50)
    for number in range(50, 60):
        playout.push(frame(number), number * 20 * MS, sequence=number)
    for pull in range(11):
        playout.pull(1200 * MS + pull)
    stats = playout.snapshot()
    assert stats.delay_ms == pytest.approx(40, abs=6)


@pytest.mark.parametrize("pull_ms", [10, 20])
def test_draining_leaves_what_the_room_is_about_to_get(pull_ms: int) -> None:
    """The fastest frames came early, this one did not: nothing is left out that would have to be concealed."""
    playout = Playout(RATE_HZ, pull_ms=pull_ms, settings=SETTLED)
    playout.push(pcm([3, -3] * 80), 0)
    playout._jitter.note(140.0)
    assert any(playout.pull(40 * MS))
    stats = playout.snapshot()
    assert (stats.underruns, stats.concealed_ms) == (0, 0)
    assert stats.drained_ms <= 20 - pull_ms


@pytest.mark.parametrize("pcm_given", [b"", b"\0", bytes(319)])
def test_a_bad_frame_is_refused_without_a_trace(pcm_given: bytes) -> None:
    playout, untouched = playing(10), playing(10)
    with pytest.raises(ValueError, match=f"whole samples of 2 bytes, got {len(pcm_given)} bytes"):
        playout.push(pcm_given, 10**12, sequence=10)
    assert playout.snapshot() == untouched.snapshot()
    assert playout.pull(200 * MS) == untouched.pull(200 * MS)


@pytest.mark.parametrize("bad", [0, 44100, None])
def test_unknown_rates_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="rate_hz to be one of"):
        Playout(bad, pull_ms=20)


@pytest.mark.parametrize("bad", [0, -10, 101])
def test_a_pull_of_no_use_is_refused(bad: int) -> None:
    with pytest.raises(ValueError, match=f"a pull_ms of 1 to 100, got {bad}"):
        Playout(RATE_HZ, pull_ms=bad)


@pytest.mark.long
def test_frames_leave_no_garbage_in_cycles() -> None:
    playout = playing(100)
    gc.collect()
    for number in range(100, 400):
        playout.push(frame(number % 5), number * 20 * MS, sequence=number)
        playout.pull(number * 20 * MS)
    assert gc.collect() == 0


def test_a_concealed_start_of_a_frame_is_faded_not_stepped() -> None:
    level = pcm(np.full(160, 8000))
    playout = Playout(RATE_HZ, pull_ms=20, settings=SETTLED)
    for at_ms in range(0, 200, 20):
        playout.push(level, at_ms * MS)
        playout.pull(at_ms * MS)
    heard = [playout.pull(at_ms * MS) for at_ms in range(200, 300, 20)]
    playout.push(level, 299 * MS)
    heard.append(playout.pull(300 * MS))
    assert np.max(np.abs(np.diff(samples_of(b"".join(heard)).astype(float)))) <= 400
