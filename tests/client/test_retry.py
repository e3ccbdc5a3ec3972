"""When to come back: later each time, never in step, and never sooner than relay asked."""

import pytest

from relay.client.errors import Overloaded, Problem, RelayUnreachable
from relay.client.retry import asked_for_s, is_passing, pause_s


@pytest.mark.parametrize(
    ("failures", "least_s", "most_s"), [(1, 0.1, 0.2), (2, 0.2, 0.4), (5, 1.6, 3.2), (10**9, 2.5, 5.0)]
)
def test_pauses_grow_to_a_bound_and_are_spread(failures: int, least_s: float, most_s: float) -> None:
    pauses_s = [pause_s(failures) for _ in range(200)]
    assert all(least_s <= each <= most_s for each in pauses_s)
    assert max(pauses_s) - min(pauses_s) > (most_s - least_s) / 2


def test_relay_may_ask_for_a_longer_pause_but_not_for_a_shorter() -> None:
    asked = Overloaded(Problem(status=503, retry_after_s=40))
    assert pause_s(1, asked) == 40
    assert pause_s(9, Overloaded(Problem(status=503, retry_after_s=0))) >= 2.5
    assert asked_for_s(Overloaded(Problem(status=503))) == 0
    assert asked_for_s(RelayUnreachable("broken")) == 0


def test_an_allowance_that_is_used_up_does_not_pass_by_itself() -> None:
    assert is_passing(Overloaded(Problem(status=503)))
    assert not is_passing(Overloaded(Problem(status=429)))
