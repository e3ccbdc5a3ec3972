"""Microphone and speaker by hand: paced by completions, held to real time, never spinning, whatever the SDK does."""

from collections.abc import Callable

import pytest

from relay.rooms.daily_devices import (
    AHEAD_MAX_MS,
    GIVEN_UP_MS,
    MICROPHONE_BYTES,
    SPEAKER_BYTES,
    STALLED_MS,
    TICK_MS,
    Microphone,
    Pace,
    Speaker,
)
from relay.rooms.device_clock import MS_NS, ManualClock
from tests.rooms.daily_room import crossing_by_hand

FRAME = b"\1\0" * 160
HEARD = b"\2\0" * 320


class Bench:
    """A device that does what the test says, on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.loop, self.crossing = crossing_by_hand()
        self.waiting: list[tuple[float, bytes | int, Callable[..., None]]] = []
        self.attempts = 0
        self.asked: list[float] = []
        self.heard: list[tuple[float, bytes]] = []
        self.at_once: object = None
        self.microphone = Microphone(self.take, due=self.due, crossing=self.crossing, now_ns=self.clock.now_ns)
        self.speaker = Speaker(self.take, heard=self.hear, crossing=self.crossing, now_ns=self.clock.now_ns)

    def now_ms(self) -> float:
        return self.clock.now_ns() / MS_NS

    def take(self, what: bytes | int, completion: Callable[..., None]) -> None:
        self.attempts += 1
        if isinstance(self.at_once, Exception):
            raise self.at_once
        if self.at_once is not None:
            completion(self.at_once)
        else:
            self.waiting.append((self.now_ms(), what, completion))

    def due(self, now_ns: int) -> bytes:
        self.asked.append(now_ns / MS_NS)
        return FRAME

    def hear(self, pcm: bytes, now_ns: int) -> None:
        self.heard.append((now_ns / MS_NS, pcm))

    def complete(self, result: object, *, times: int = 1) -> None:
        """Complete the oldest, from whatever thread that is."""
        _, _, completion = self.waiting.pop(0)
        for _ in range(times):
            completion(result)
        self.loop.run()

    def pass_ms(self, ms: int, device: Microphone | Speaker) -> None:
        for _ in range(ms):
            self.clock.advance(1)
            if self.now_ms() % TICK_MS == 0:
                device.tick(self.clock.now_ns())
            self.loop.run()

    def begin(self) -> None:
        """The microphone has taken its frames of silence, and two of the listener's are in flight."""
        self.microphone.tick(self.clock.now_ns())
        while self.waiting and self.waiting[0][1] == bytes(MICROPHONE_BYTES):
            self.pass_ms(10, self.microphone)
            self.complete(160)


def test_a_pace_lets_through_real_time_and_a_burst() -> None:
    pace, taken = Pace(10, ahead_max_ms=20), 0
    for now_ms in range(100_000):
        taken += pace.take(now_ms * MS_NS)
        assert taken * 10 <= now_ms * 1.0011 + 20
    assert taken * 10 >= 100_000


def test_after_a_silence_a_pace_allows_no_more_than_the_burst() -> None:
    pace = Pace(10, ahead_max_ms=20)
    assert [pace.take(0) for _ in range(3)] == [True, True, False]
    assert [pace.take(3600_000 * MS_NS) for _ in range(3)] == [True, True, False]


def test_the_listener_is_asked_for_nothing_before_the_sdk_takes_anything() -> None:
    bench = Bench()
    bench.at_once = 0
    bench.microphone.tick(0)
    bench.pass_ms(1000, bench.microphone)
    assert (bench.asked, bench.microphone.dropped_frames) == ([], 0)
    bench.at_once = None
    bench.pass_ms(20, bench.microphone)
    bench.complete(160)
    bench.pass_ms(20, bench.microphone)
    assert len(bench.asked) == 1


def test_completions_pace_the_microphone_which_is_never_more_than_20_ms_ahead() -> None:
    bench = Bench()
    bench.begin()
    for _ in range(500):
        assert len(bench.waiting) * 10 <= AHEAD_MAX_MS
        bench.pass_ms(10, bench.microphone)
        bench.complete(160)
    assert len(bench.asked) == pytest.approx(500, abs=3)
    assert bench.microphone.dropped_frames == 0


def test_completions_with_jitter_lose_nothing() -> None:
    """Now two within a tick, now none for three frames' time: what is in flight goes on, two at most."""
    bench = Bench()
    bench.begin()
    for _ in range(200):
        bench.pass_ms(20, bench.microphone)
        bench.complete(160)
        if bench.waiting:
            bench.complete(160)
        bench.pass_ms(0, bench.microphone)
    assert len(bench.asked) == pytest.approx(400, abs=4)


def test_completions_that_are_a_little_early_wait_for_no_tick() -> None:
    """Their frame would come when the other, in flight, has been played already."""
    bench = Bench()
    bench.begin()
    for ms in (7, 13, 8, 12, 6, 14) * 20:
        bench.pass_ms(ms, bench.microphone)
        bench.complete(160)
        assert len(bench.waiting) == 2


def test_completions_that_come_at_once_are_held_to_real_time() -> None:
    bench = Bench()
    bench.at_once = 160
    bench.microphone.tick(0)
    bench.pass_ms(10_000, bench.microphone)
    assert bench.attempts * 10 <= 10_000 * 1.001 + AHEAD_MAX_MS + 10
    assert len(bench.asked) == pytest.approx(1000, abs=5)


@pytest.mark.parametrize("at_once", [0, RuntimeError("no microphone device has been attached")])
def test_a_microphone_that_refuses_is_asked_in_real_time_and_what_it_refuses_is_counted(at_once: object) -> None:
    bench = Bench()
    bench.begin()
    bench.waiting.clear()
    bench.microphone._in_flight.clear()
    asked = len(bench.asked)
    bench.at_once = at_once
    attempts = bench.attempts
    bench.pass_ms(1000, bench.microphone)
    assert bench.attempts - attempts <= 105
    assert len(bench.asked) - asked == pytest.approx(100, abs=5)
    assert bench.microphone.dropped_frames == len(bench.asked) - asked


def test_completions_that_come_twice_count_once() -> None:
    bench = Bench()
    bench.begin()
    for _ in range(50):
        bench.pass_ms(10, bench.microphone)
        bench.complete(160, times=2)
        assert len(bench.waiting) * 10 <= AHEAD_MAX_MS
    assert len(bench.asked) == pytest.approx(50, abs=3)


def test_completions_that_never_come_do_not_hold_the_listener_up() -> None:
    """It is asked in real time, for nothing; a few writes are tried again each second, and the silence is counted."""
    bench = Bench()
    bench.begin()
    asked, attempts = len(bench.asked), bench.attempts
    bench.pass_ms(10_000, bench.microphone)
    assert len(bench.asked) - asked == pytest.approx((10_000 - STALLED_MS) / 10, rel=0.02)
    assert bench.attempts - attempts <= 2 * 10_000 / GIVEN_UP_MS
    assert bench.microphone.unanswered_ms >= 9_900
    assert bench.microphone.dropped_frames > 900


def test_a_completion_that_comes_after_it_was_given_up_changes_nothing() -> None:
    bench = Bench()
    bench.begin()
    bench.pass_ms(GIVEN_UP_MS + TICK_MS, bench.microphone)
    late, in_flight = bench.waiting[:2], dict(bench.microphone._in_flight)
    for _, _, completion in late:
        completion(160)
    bench.loop.run()
    assert bench.microphone._in_flight == in_flight


def test_one_lost_completion_is_no_silence_of_the_device() -> None:
    bench = Bench()
    bench.begin()
    bench.waiting.pop(0)
    for _ in range(500):
        bench.pass_ms(10, bench.microphone)
        if bench.waiting:
            bench.complete(160)
    assert bench.microphone.unanswered_ms < STALLED_MS
    assert bench.microphone.dropped_frames == 1


def test_the_speaker_reads_on_as_soon_as_a_read_completes() -> None:
    bench = Bench()
    bench.speaker.tick(0)
    for _ in range(100):
        assert len(bench.waiting) == 1
        assert bench.waiting[0][1] == 320
        bench.pass_ms(20, bench.speaker)
        bench.complete(HEARD)
    assert [pcm for _, pcm in bench.heard] == [HEARD] * 100


def test_a_speaker_that_is_a_little_early_waits_for_no_tick() -> None:
    """What nobody reads in time is lost: a read is begun within its own completion, on time or 5 ms before."""
    bench = Bench()
    bench.speaker.tick(0)
    for ms in (20, 15, 25) * 10:
        bench.pass_ms(ms, bench.speaker)
        bench.complete(HEARD)
        assert len(bench.waiting) == 1


@pytest.mark.parametrize("at_once", [b"", RuntimeError("no speaker device has been attached")])
def test_a_speaker_with_nothing_is_asked_again_by_the_tick_only(at_once: object) -> None:
    bench = Bench()
    bench.at_once = at_once
    bench.speaker.tick(0)
    bench.pass_ms(1000, bench.speaker)
    assert 40 <= bench.attempts <= 55
    assert (bench.heard, bench.speaker.unanswered_ms) == ([], 0)
    bench.at_once = None
    bench.pass_ms(40, bench.speaker)
    bench.complete(HEARD)
    assert len(bench.heard) == 1


def test_a_speaker_that_gives_everything_at_once_is_held_to_real_time() -> None:
    bench = Bench()
    bench.at_once = HEARD
    bench.speaker.tick(0)
    bench.pass_ms(10_000, bench.speaker)
    assert len(bench.heard) == pytest.approx(500, abs=4)


def test_frames_of_another_length_are_counted_and_not_heard() -> None:
    bench = Bench()
    bench.speaker.tick(0)
    bench.complete(HEARD[:-2])
    bench.pass_ms(20, bench.speaker)
    bench.complete(HEARD)
    assert (len(bench.heard), bench.speaker.bad_frames) == (1, 1)
    assert len(HEARD) == SPEAKER_BYTES


def test_a_read_without_an_answer_is_asked_again_and_the_silence_is_counted() -> None:
    bench = Bench()
    bench.speaker.tick(0)
    bench.pass_ms(5_000, bench.speaker)
    assert bench.attempts <= 6
    assert bench.speaker.unanswered_ms >= 4_990
    bench.waiting[0][2](HEARD)  # of the first, given up long ago
    bench.loop.run()
    assert bench.heard == []
    bench.waiting[-1][2](HEARD)
    bench.loop.run()
    assert (len(bench.heard), bench.speaker.unanswered_ms) == (1, 0)


def test_nothing_comes_after_the_crossing_is_shut() -> None:
    bench = Bench()
    bench.begin()
    bench.speaker.tick(bench.clock.now_ns())
    asked = len(bench.asked)
    bench.crossing.shut()
    for _, _, completion in bench.waiting:
        completion(HEARD)
    bench.loop.run()
    assert (len(bench.asked), bench.heard) == (asked, [])
