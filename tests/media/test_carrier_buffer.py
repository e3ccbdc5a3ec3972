"""How deep the carrier's own buffer is, by what was sent and by the marks that come back."""

from dataclasses import dataclass, field

import pytest

from relay.media.carrier_buffer import (
    CLEAR_ABOVE_MS,
    MARK_INTERVAL_MS,
    MARKS_OUT_MAX,
    TOLERANCE_MS,
    TRIM_TO_MS,
    CarrierBuffer,
)

MS = 1_000_000


@dataclass
class Carrier:
    """
    A simulated carrier: plays what it gets 60 ms late at the least, and returns marks as they are played.

    Frames of 20 ms are collected until they make a message.
    """

    buffer: CarrierBuffer
    message_ms: int = 20
    collected_ms: int = 0
    one_way_ms: float = 20.0
    base_ms: float = 60.0
    drift_ppm: float = 0.0
    returns_marks: bool = True
    now_ms: float = 0.0
    played_until_ms: float = 0.0
    marks: list[tuple[float, str]] = field(default_factory=list)

    def run(self, duration_ms: float, *, sending: bool = True) -> None:
        """Time goes by, with or without a frame every 20 ms."""
        for _ in range(int(duration_ms / 20)):
            self.now_ms += 20
            self.come_back()
            if sending:
                self.send()

    def send(self) -> None:
        """One frame of 20 ms."""
        self.collected_ms += 20
        if self.collected_ms < self.message_ms:
            return
        self.collected_ms = 0
        arrives_ms = self.now_ms + self.one_way_ms
        starts_ms = max(self.played_until_ms, arrives_ms + self.base_ms)
        self.played_until_ms = starts_ms + self.message_ms / (1 + self.drift_ppm * 1e-6)
        name = self.buffer.sent(self.message_ms, round(self.now_ms * MS))
        if name is not None and self.returns_marks:
            self.marks.append((self.played_until_ms + self.one_way_ms, name))

    def come_back(self) -> None:
        """Marks whose time has come."""
        while self.marks and self.marks[0][0] <= self.now_ms:
            _, name = self.marks.pop(0)
            assert self.buffer.reached(name, round(self.now_ms * MS))

    @property
    def true_depth_ms(self) -> float:
        return max(self.played_until_ms - self.now_ms - self.one_way_ms, 0.0)

    @property
    def depth_ms(self) -> float:
        return self.buffer.depth_ms(round(self.now_ms * MS), round_trip_ms=2 * self.one_way_ms)

    @property
    def excess_ms(self) -> float:
        return self.buffer.excess_ms(
            round(self.now_ms * MS), round_trip_ms=2 * self.one_way_ms, collected_ms=self.collected_ms
        )


@pytest.fixture
def carrier() -> Carrier:
    return Carrier(CarrierBuffer(marks=True))


@pytest.fixture(params=[20, 100, 200])
def any_carrier(request: pytest.FixtureRequest) -> Carrier:
    """Whatever it takes at a time."""
    return Carrier(CarrierBuffer(marks=True, message_ms=request.param), message_ms=request.param)


def test_mark_is_asked_for_twice_a_second() -> None:
    buffer = CarrierBuffer(marks=True)
    names = [buffer.sent(20, n * 20 * MS) for n in range(100)]
    assert [n for n, name in enumerate(names) if name] == [24, 49, 74, 99]
    assert len(set(names)) == 5
    assert MARK_INTERVAL_MS == 500


@pytest.mark.parametrize("base_ms", [0, 60, 140])
def test_steady_stream_has_no_excess_whatever_the_carrier_holds_by_itself(any_carrier: Carrier, base_ms: float) -> None:
    carrier = any_carrier
    carrier.base_ms = base_ms
    for _ in range(500):  # at any place in a message
        carrier.run(20)
        assert carrier.excess_ms == 0
    assert carrier.depth_ms == pytest.approx(carrier.true_depth_ms, abs=25)


def test_burst_is_seen_at_once_and_only_as_deep_as_it_is(any_carrier: Carrier) -> None:
    carrier = any_carrier
    carrier.run(5_000)
    carrier.run(400, sending=False)  # we stood still, and the carrier ran dry
    for _ in range(20):
        carrier.send()
    assert carrier.excess_ms == pytest.approx(400 - carrier.message_ms - TRIM_TO_MS, abs=5)
    for _ in range(100):
        carrier.run(20)
        assert carrier.excess_ms == pytest.approx(400 - carrier.message_ms - TRIM_TO_MS, abs=5)
    assert carrier.depth_ms == pytest.approx(carrier.true_depth_ms, abs=25)


def test_trimming_goes_on_until_it_is_within_a_frame(any_carrier: Carrier) -> None:
    carrier = any_carrier
    carrier.run(5_000)
    carrier.run(400, sending=False)
    for _ in range(20):
        carrier.send()
    skipped = 0
    for _ in range(100):
        carrier.now_ms += 20
        carrier.come_back()
        if carrier.excess_ms >= 20:
            skipped += 1
        else:
            carrier.send()
    assert skipped == pytest.approx((400 - carrier.message_ms - TRIM_TO_MS) / 20, abs=2)
    assert carrier.true_depth_ms < 60 + carrier.message_ms + TRIM_TO_MS + 25


def test_stall_in_the_network_shows_by_marks_alone(any_carrier: Carrier) -> None:
    carrier = any_carrier
    carrier.run(5_000)
    carrier.played_until_ms += 300  # the carrier heard nothing for so long, and then everything
    carrier.run(1_200)
    assert carrier.depth_ms == pytest.approx(carrier.true_depth_ms, abs=25)
    assert carrier.excess_ms > 200


def test_mark_that_does_not_come_back_shows_too(carrier: Carrier) -> None:
    carrier.run(5_000)
    carrier.returns_marks = False
    carrier.marks.clear()
    before_ms = carrier.depth_ms
    carrier.run(3_000)
    assert carrier.depth_ms > before_ms + 2_000
    assert carrier.excess_ms > CLEAR_ABOVE_MS


def test_carrier_that_never_returns_a_mark_is_not_taken_to_be_behind(carrier: Carrier) -> None:
    carrier.returns_marks = False
    for _ in range(100):
        carrier.run(1_000)
        assert carrier.excess_ms == 0


def test_carrier_that_stops_returning_marks_is_cleared_once(carrier: Carrier) -> None:
    carrier.run(5_000)
    carrier.returns_marks = False
    clears = 0
    for _ in range(60):
        carrier.run(1_000)
        if carrier.excess_ms > CLEAR_ABOVE_MS:
            carrier.buffer.clear()
            clears += 1
    assert clears == 1


def test_carrier_with_a_slower_clock_is_followed_for_an_hour(any_carrier: Carrier) -> None:
    carrier = any_carrier
    carrier.drift_ppm = -300
    skipped = 0
    for _ in range(3600 * 50):
        carrier.now_ms += 20
        carrier.come_back()
        if carrier.excess_ms >= 20:
            skipped += 1  # what trimming does
        else:
            carrier.send()
    assert skipped == pytest.approx(3600 * 300e-6 * 50, abs=8)
    assert carrier.true_depth_ms < 60 + carrier.message_ms + TOLERANCE_MS + 45


def test_clear_forgets_depth_and_what_its_marks_would_say(any_carrier: Carrier) -> None:
    carrier = any_carrier
    carrier.run(600)
    flushed = [name for _, name in carrier.marks]
    assert flushed
    carrier.buffer.clear()
    assert carrier.depth_ms == 0
    now_ns = round(carrier.now_ms * MS)
    assert all(carrier.buffer.reached(name, now_ns) for name in flushed)
    assert carrier.depth_ms == 0
    assert carrier.buffer.marks_out == 0


@pytest.mark.parametrize("name", ["", "hello", "0.999", "7.1", "-1.0", "0.", "1"])
def test_mark_of_somebody_else_is_none_of_ours(name: str) -> None:
    assert not CarrierBuffer(marks=True).reached(name, 0)


@pytest.mark.parametrize("message_ms", [20, 100, 200])
def test_without_marks_what_was_sent_still_counts_and_drift_does_not(message_ms: int) -> None:
    carrier = Carrier(CarrierBuffer(marks=False, message_ms=message_ms), message_ms, base_ms=0)
    for _ in range(3000):
        carrier.run(20)
        assert carrier.excess_ms == 0
    carrier.run(400, sending=False)
    for _ in range(20):
        carrier.send()
    assert carrier.excess_ms == pytest.approx(400 - message_ms + 20 - TRIM_TO_MS, abs=5)
    assert carrier.marks == []


@pytest.mark.parametrize("one_way_ms", [50, 150, 250])
@pytest.mark.parametrize("ping_ms", [0, 20])
def test_long_path_is_not_trimmed_for_long(any_carrier: Carrier, one_way_ms: float, ping_ms: float) -> None:
    carrier = any_carrier
    carrier.one_way_ms = one_way_ms
    trimmed = 0
    for _ in range(120 * 50):
        carrier.now_ms += 20
        carrier.come_back()
        excess_ms = carrier.buffer.excess_ms(
            round(carrier.now_ms * MS), round_trip_ms=ping_ms, collected_ms=carrier.collected_ms
        )
        if excess_ms >= 20 and trimmed < 100:
            carrier.buffer.trimmed(20)
            trimmed += 1
        else:
            carrier.send()
    assert trimmed * 20 <= 1500  # once; it takes that long to find out, and only beyond 160 ms


def test_path_that_becomes_longer_is_not_trimmed_for_long(carrier: Carrier) -> None:
    carrier.run(10_000)
    carrier.one_way_ms += 80
    skipped = 0
    for number in range(60 * 50):
        carrier.now_ms += 20
        carrier.come_back()
        if number % 5 == 0 and carrier.excess_ms >= 20:  # a fifth, as in speech
            carrier.buffer.trimmed(20)
            skipped += 1
        else:
            carrier.send()
    assert 0 < skipped * 20 <= 400


def test_one_mark_that_is_lost_means_nothing(carrier: Carrier) -> None:
    carrier.run(5_000)
    carrier.returns_marks = False
    carrier.run(500)
    carrier.returns_marks = True
    for _ in range(10):
        carrier.run(1_000)
        assert carrier.excess_ms == 0
    assert carrier.buffer.marks_out <= 1


def test_mark_that_was_not_sent_is_not_waited_for(carrier: Carrier) -> None:
    carrier.run(5_000)
    for _ in range(150):
        carrier.run(20)
        for _, name in carrier.marks:
            carrier.buffer.not_sent(name)
        carrier.marks.clear()
        assert carrier.excess_ms == 0
    assert carrier.buffer.marks_out == 0
    assert carrier.buffer.reached("0.12", 0)  # ours all the same


def test_marks_that_never_come_back_are_not_kept_for_ever(carrier: Carrier) -> None:
    carrier.returns_marks = False
    carrier.run(60_000)
    assert carrier.buffer.marks_out == MARKS_OUT_MAX
