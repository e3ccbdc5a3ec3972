"""The carrier's playout, by a clock that the test moves: what is heard, when, and what that means for marks."""

import pytest

from relay.dev.phone_playout import FRAME_BYTES, Gap, PhoneClock, Playout

START_NS = 1_000_000_000
MS = 1_000_000
LOUD = b"\x01\x10" * (FRAME_BYTES // 2)
QUIET = bytes(FRAME_BYTES)


def at(ms: float) -> int:
    return START_NS + round(ms * MS)


@pytest.fixture
def playout() -> Playout:
    return Playout(PhoneClock(START_NS))


def test_steady_audio_is_heard_from_the_next_tick_on_without_a_gap(playout: Playout) -> None:
    for frame in range(5):
        playout.push(LOUD, at(20 * frame + 3))
    playout.advance(at(100))
    assert playout.heard.pcm == QUIET + 5 * LOUD
    assert playout.gaps == []
    assert list(playout.depths) == [0] * 6


def test_late_audio_is_heard_as_a_gap(playout: Playout) -> None:
    playout.push(LOUD, at(3))
    playout.push(LOUD, at(65))
    playout.advance(at(80))
    assert playout.heard.pcm == QUIET + LOUD + 2 * QUIET + LOUD
    assert playout.gaps == [Gap(at(40), 320)]
    assert playout.gaps[0].duration_ms == 40


def test_early_audio_waits_and_stays_as_delay(playout: Playout) -> None:
    for _ in range(6):
        playout.push(LOUD, at(1))
    for frame in range(1, 20):
        playout.push(LOUD, at(20 * frame + 1))
    playout.advance(at(400))
    assert list(playout.depths)[2:20] == [5 * 160] * 18
    assert [round((arrival.heard_ns - arrival.at_ns) / MS) for arrival in playout.arrivals[6:]] == [119] * 19


def test_each_arrival_knows_when_it_is_heard(playout: Playout) -> None:
    playout.push(LOUD * 2, at(5))
    playout.push(LOUD, at(6))
    assert [arrival.heard_ns for arrival in playout.arrivals] == [at(20), at(60)]


def test_a_part_of_a_frame_is_filled_with_silence(playout: Playout) -> None:
    playout.push(LOUD[:160], at(1))
    playout.push(LOUD, at(21))
    playout.advance(at(40))
    assert playout.heard.pcm == QUIET + LOUD[:160] + bytes(160) + LOUD
    assert playout.gaps == [Gap(at(30), 80)]


def test_silence_before_the_first_audio_and_after_the_last_is_no_gap(playout: Playout) -> None:
    playout.push(LOUD, at(101))
    playout.advance(at(500))
    assert playout.gaps == []
    assert playout.heard.duration_ms == 520


def test_a_late_look_at_the_clock_changes_nothing_that_is_heard() -> None:
    """Arrivals have their times: a busy loop must not make the recording worse than the relay was."""
    often, seldom = Playout(PhoneClock(START_NS)), Playout(PhoneClock(START_NS))
    for frame in range(10):
        often.advance(at(20 * frame))
        often.push(LOUD, at(20 * frame + 19))
        seldom.push(LOUD, at(20 * frame + 19))
    often.advance(at(300))
    seldom.advance(at(300))
    assert often.heard == seldom.heard
    assert often.gaps == seldom.gaps == []


def test_a_mark_returns_when_all_before_it_has_been_played_to_its_end(playout: Playout) -> None:
    playout.push(LOUD * 2, at(1))
    assert playout.mark("m1", at(1)) == []
    assert playout.advance(at(59)) == []
    assert playout.advance(at(60)) == ["m1"]
    assert playout.advance(at(200)) == []


def test_a_mark_behind_nothing_returns_at_once(playout: Playout) -> None:
    assert playout.mark("m1", at(1)) == ["m1"]


def test_a_mark_while_its_last_frame_is_playing_waits_for_its_end(playout: Playout) -> None:
    playout.push(LOUD, at(1))
    assert playout.mark("m1", at(25)) == []
    assert playout.advance(at(40)) == ["m1"]


def test_marks_return_in_order_and_audio_after_a_mark_does_not_hold_it(playout: Playout) -> None:
    for name in ("a", "b", "c"):
        playout.push(LOUD, at(1))
        playout.mark(name, at(1))
    assert playout.advance(at(45)) == ["a"]
    assert playout.advance(at(80)) == ["b", "c"]


def test_clear_drops_what_waits_and_returns_all_marks(playout: Playout) -> None:
    playout.push(LOUD * 10, at(1))
    playout.mark("m1", at(1))
    playout.mark("m2", at(1))
    assert playout.clear(at(25)) == ["m1", "m2"]
    playout.advance(at(100))
    assert playout.heard.pcm == QUIET + LOUD + 4 * QUIET


def test_after_clear_marks_count_from_new(playout: Playout) -> None:
    playout.push(LOUD * 10, at(1))
    playout.clear(at(2))
    playout.push(LOUD, at(3))
    assert playout.mark("m1", at(3)) == []
    assert playout.advance(at(40)) == ["m1"]


@pytest.mark.parametrize("drift_ppm", [300.0, -300.0])
def test_a_drifting_clock_ticks_so_for_an_hour_without_adding_errors(drift_ppm: float) -> None:
    clock = PhoneClock(START_NS, drift_ppm)
    an_hour = 180_000
    assert clock.tick_ns(an_hour) - START_NS == pytest.approx(3600e9 / (1 + drift_ppm / 1e6), abs=1)
    assert clock.rate_hz == pytest.approx(8000 * (1 + drift_ppm / 1e6))
    steps = {clock.tick_ns(n + 1) - clock.tick_ns(n) for n in range(1000)}
    assert max(steps) - min(steps) <= 1


def test_a_fast_phone_underruns_on_a_true_sender() -> None:
    """1000 ppm over 25 s are 25 ms: more than the frame in hand."""
    playout = Playout(PhoneClock(START_NS, 1000.0))
    for frame in range(1250):
        playout.push(LOUD, at(20 * frame + 1))
    assert [gap.samples for gap in playout.gaps] == [160]


def test_what_is_forgotten_is_gone_and_the_rest_keeps_its_time(playout: Playout) -> None:
    for frame in range(3):
        playout.push(LOUD, at(20 * frame + 3))
    playout.advance(at(60))
    playout.forget()
    playout.push(QUIET, at(63))
    playout.advance(at(80))
    assert playout.heard.pcm == QUIET
    assert playout.heard.start_ns == at(80)
    assert [arrival.at_ns for arrival in playout.arrivals] == [at(63)]
    assert playout.taken_samples == 4 * 160, "counts stay"
