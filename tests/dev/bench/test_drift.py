"""A clock that drifts, simulated: the delay is held, and a delay that moves is seen to move."""

import pytest

from relay.dev.bench import drift
from relay.dev.bench.direction import Moment
from relay.dev.bench.drift import arrivals, held, of_moments, simulate


@pytest.mark.parametrize("ppm", [300.0, -300.0])
def test_delay_is_held_while_the_clocks_go_apart(ppm: float) -> None:
    result = simulate(ppm, 0.0, 240.0)
    assert result.delay.held
    assert result.delay.apart_ms == pytest.approx(240 * ppm / 1000 * 0.75, rel=0.02)  # of what is settled
    assert result.most_ms < 5
    assert (result.underruns, result.concealed_ms) == (0, 0)


def test_delay_that_nothing_follows_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.dev.bench.drift.play", lambda *_, **__: NotFollowed())
    assert not simulate(300.0, 0.0, 240.0).delay.held


class NotFollowed:
    """A second's delay grows by 0.3 ms each."""

    def __init__(self) -> None:
        self.seconds = [Second(at_s) for at_s in range(1, 240)]
        self.stats = Stats()


class Second:
    def __init__(self, at_s: float) -> None:
        self.at_s, self.error_ms = at_s, 0.3 * at_s


class Stats:
    underruns, concealed_ms = 0, 0.0


def test_frames_of_a_fast_clock_come_closer_together_and_in_order() -> None:
    fast, late = arrivals(1000.0, 0.0, 20.0), arrivals(0.0, 60.0, 20.0)
    assert fast[1000].at_ns - fast[0].at_ns == pytest.approx(20e9 / 1.001, abs=2)
    assert [each.at_ns for each in late] == sorted(each.at_ns for each in late)
    assert max(each.at_ns - each.number * 20_000_000 for each in late) == pytest.approx(63e6, abs=1e6)


@pytest.mark.parametrize(("moved_ms", "is_held"), [(4.9, True), (5.1, False), (-5.1, False)])
def test_held_is_within_5_ms_of_what_it_was(moved_ms: float, *, is_held: bool) -> None:
    seconds = [(float(at_s), 2.0 if at_s < 300 else 2.0 + moved_ms) for at_s in range(601)]
    found = held(seconds, 300.0)
    assert found.begin_ms == 2.0
    assert found.end_ms == pytest.approx(2.0 + moved_ms)
    assert found.held is is_held


def test_what_was_measured_is_taken_beyond_its_target() -> None:
    moments = [Moment(tenth / 10, 50.0 + tenth / 10, 90.0, 40.0) for tenth in range(101)]
    found = of_moments(moments, -300.0)
    assert found is not None
    assert found.begin_ms == pytest.approx(11.25, abs=0.06)
    assert found.end_ms == pytest.approx(18.75, abs=0.06)
    assert of_moments([], 300.0) is None
    assert drift.CASES == ((300.0, 0.0), (-300.0, 0.0), (300.0, 20.0), (-300.0, 20.0))
