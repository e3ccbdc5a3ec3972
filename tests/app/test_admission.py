"""Whether one more transfer is let in: bounds that do not flap, and what is said of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.app.admission import (
    BOUNDS,
    GROWING_S,
    HOLD_S,
    RETRY_AFTER_S,
    WORKER_MEMORY_BYTES,
    WORKER_TASKS,
    Admission,
    AdmittingBridges,
    Bound,
    Reading,
    Shortage,
    bounds,
)
from relay.errors import Overloaded
from relay.transfers import ports
from tests.app.conftest import RunServed
from tests.app.served import Served, assert_problem
from tests.transfers.coordinated import order_for

STEP_S = 0.5
TOO_MUCH = {
    Shortage.LOOP: Reading(loop_lag_ms=21.0),
    Shortage.CPU: Reading(cpu_share=0.91),
    Shortage.MEMORY: Reading(memory_share=0.86),
    Shortage.TASKS: Reading(tasks_left=WORKER_TASKS - 1),
    Shortage.DESCRIPTORS: Reading(descriptors_share=0.86),
}
BETWEEN = {
    Shortage.LOOP: Reading(loop_lag_ms=15.0),
    Shortage.CPU: Reading(cpu_share=0.85),
    Shortage.MEMORY: Reading(memory_share=0.82),
    Shortage.TASKS: Reading(tasks_left=WORKER_TASKS + 3),
    Shortage.DESCRIPTORS: Reading(descriptors_share=0.8),
}
"""Neither too much nor enough again."""


class Steps:
    """An admission that is told of a reading every ``STEP_S``."""

    def __init__(self, within: Sequence[Bound] = BOUNDS) -> None:
        self.refused: list[Shortage] = []
        self.admission = Admission(within, on_refused=self.refused.append)
        self.now_s = 100.0

    def note(self, reading: Reading, *, for_s: float = 0.0) -> None:
        """Once, and again until so long has passed."""
        end_s = self.now_s + for_s
        while True:
            self.admission.note(self.now_s, reading)
            self.now_s += STEP_S
            if self.now_s > end_s:
                return

    @property
    def short_of(self) -> set[Shortage]:
        return set(self.admission.short_of)


# --- The policy ---


def test_without_a_reading_everybody_is_let_in() -> None:
    steps = Steps()
    steps.admission.check()
    steps.note(Reading(), for_s=60)
    steps.admission.check()


def test_f36_a_loop_is_late_after_two_seconds_of_it() -> None:
    steps = Steps()
    steps.note(TOO_MUCH[Shortage.LOOP], for_s=HOLD_S - STEP_S)
    steps.admission.check()
    steps.note(TOO_MUCH[Shortage.LOOP])
    assert steps.short_of == {Shortage.LOOP}


def test_f36_a_loop_that_is_in_time_again_before_refuses_nobody() -> None:
    steps = Steps()
    for _ in range(20):
        steps.note(TOO_MUCH[Shortage.LOOP], for_s=HOLD_S - STEP_S)
        steps.note(BETWEEN[Shortage.LOOP])
        steps.admission.check()


@pytest.mark.parametrize(
    ("reading", "shortage"),
    [
        (Reading(memory_left_bytes=5 * WORKER_MEMORY_BYTES), Shortage.MEMORY),
        (Reading(tasks_left=5 * WORKER_TASKS), Shortage.TASKS),
    ],
)
def test_f37_what_has_just_begun_is_set_aside(reading: Reading, shortage: Shortage) -> None:
    """A worker is as large as it gets only seconds after it has begun, and a reading is older than that."""
    steps = Steps()
    steps.note(reading)
    for _ in range(5):
        steps.admission.check()
    with pytest.raises(Overloaded, match="beside 5 that have just begun"):
        steps.admission.check()
    steps.note(reading, for_s=GROWING_S - 2 * STEP_S)
    with pytest.raises(Overloaded):
        steps.admission.check()
    steps.note(reading, for_s=2 * STEP_S)
    steps.admission.check()
    assert steps.refused == [shortage, shortage]


@pytest.mark.parametrize("shortage", [Shortage.CPU, Shortage.MEMORY, Shortage.TASKS, Shortage.DESCRIPTORS])
def test_f37_what_is_a_mean_already_or_is_gone_for_good_is_too_much_at_once(shortage: Shortage) -> None:
    steps = Steps()
    steps.note(TOO_MUCH[shortage])
    assert steps.short_of == {shortage}


@pytest.mark.parametrize("shortage", list(Shortage))
def test_f36_what_is_refused_is_refused_until_there_is_room_for_two_seconds(shortage: Shortage) -> None:
    steps = Steps()
    steps.note(TOO_MUCH[shortage], for_s=HOLD_S)
    steps.note(BETWEEN[shortage], for_s=60)
    assert steps.short_of == {shortage}
    steps.note(Reading(), for_s=HOLD_S - STEP_S)
    assert steps.short_of == {shortage}
    steps.note(BETWEEN[shortage])
    steps.note(Reading(), for_s=HOLD_S - STEP_S)
    assert steps.short_of == {shortage}
    steps.note(Reading())
    steps.admission.check()


def test_f37_a_call_that_would_not_fit_is_too_much_whatever_the_share() -> None:
    steps = Steps()
    steps.note(Reading(memory_share=0.1, memory_left_bytes=WORKER_MEMORY_BYTES))
    steps.admission.check()
    steps.note(Reading(memory_share=0.1, memory_left_bytes=WORKER_MEMORY_BYTES // 2))
    with pytest.raises(Overloaded, match="expected 64 MiB of memory for another call, got 32 MiB"):
        steps.admission.check()
    steps.note(Reading(memory_left_bytes=0))
    assert steps.short_of == {Shortage.MEMORY}


def test_f36_the_operator_says_how_busy_is_too_busy() -> None:
    steps = Steps(bounds(max_cpu_percent=60, max_loop_lag_ms=50))
    steps.note(Reading(cpu_share=0.59, loop_lag_ms=49), for_s=HOLD_S)
    steps.admission.check()
    steps.note(Reading(cpu_share=0.61, loop_lag_ms=51), for_s=HOLD_S)
    assert list(steps.admission.short_of.values()) == [
        "expected timers to be 50 ms late at most, and under 25 ms again, got 51 ms",
        "expected 60 % of the CPU in use at most, and under 50 % again, got 61%",
    ]
    steps.note(Reading(cpu_share=0.51, loop_lag_ms=26), for_s=60)
    assert steps.short_of == {Shortage.LOOP, Shortage.CPU}
    steps.note(Reading(cpu_share=0.49, loop_lag_ms=24), for_s=HOLD_S)
    steps.admission.check()


def test_f36_where_all_of_the_processors_may_be_in_use_nobody_is_refused_for_them() -> None:
    """A share that was read a little late is above 1."""
    steps = Steps(bounds(max_cpu_percent=100))
    steps.note(Reading(cpu_share=1.02), for_s=60)
    steps.admission.check()
    steps.note(Reading(cpu_share=1.02, memory_share=0.86))
    assert steps.short_of == {Shortage.MEMORY}


class NoBridges:
    async def acquire(self, *_: object, **__: object) -> ports.Bridge:
        raise Overloaded("no worker", retry_after_s=5)


def test_f37_what_came_to_nothing_is_not_set_aside() -> None:
    steps = Steps()
    steps.note(Reading(memory_left_bytes=2 * WORKER_MEMORY_BYTES))
    bridges = AdmittingBridges(NoBridges(), steps.admission)
    for _ in range(5):
        with pytest.raises(Overloaded, match="no worker"):
            asyncio.run(bridges.acquire("t-1", order_for("room"), held=False, on_event=print))
    steps.admission.check()


def test_f36_a_refusal_says_everything_that_is_short_and_when_to_come_again() -> None:
    steps = Steps()
    steps.note(Reading(loop_lag_ms=48.2, cpu_share=0.97), for_s=HOLD_S)
    with pytest.raises(Overloaded) as refused:
        steps.admission.check()
    assert str(refused.value) == (
        "expected timers to be 20 ms late at most, and under 10 ms again, got 48 ms; "
        "expected 90 % of the CPU in use at most, and under 80 % again, got 97%"
    )
    assert (refused.value.retry_after_s, refused.value.is_allowance) == (RETRY_AFTER_S, False)
    assert RETRY_AFTER_S > HOLD_S
    assert steps.refused == [Shortage.LOOP, Shortage.CPU]


readings = st.builds(
    Reading,
    loop_lag_ms=st.none() | st.floats(0, 60),
    cpu_share=st.none() | st.floats(0, 1.2),
    memory_share=st.none() | st.floats(0, 1.1),
    memory_left_bytes=st.none() | st.integers(-10, 4 * WORKER_MEMORY_BYTES),
    descriptors_share=st.none() | st.floats(0, 1),
)


@given(st.lists(st.tuples(st.floats(0.01, 3), readings), max_size=60))
def test_f36_the_door_never_flaps(course: list[tuple[float, Reading]]) -> None:
    """Whatever comes, a bound that has closed stays so for ``HOLD_S``, and is never passed without having closed it."""
    admission = Admission()
    now_s, closed_s = 0.0, dict.fromkeys(Shortage, -100.0)
    for step_s, reading in course:
        now_s += step_s
        before = set(admission.short_of)
        admission.note(now_s, reading)
        after = set(admission.short_of)
        for shortage in after - before:
            values = [(bound, bound.value(reading)) for bound in BOUNDS if bound.shortage is shortage]
            assert any(value is not None and value > bound.limit for bound, value in values)
            closed_s[shortage] = now_s
        for shortage in before - after:
            assert now_s - closed_s[shortage] >= HOLD_S
        if any((bound.value(reading) or 0) > bound.limit for bound in BOUNDS if not bound.hold_s):
            assert after


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=60), st.sampled_from(list(Shortage)))
def test_f36_load_that_stays_closes_the_door_and_room_that_stays_opens_it(
    steps_s: list[float], shortage: Shortage
) -> None:
    admission = Admission()
    for reading, is_closed in ((TOO_MUCH[shortage], True), (Reading(), False)):
        now_s = began_s = 1000.0 * (2 - is_closed)
        admission.note(now_s, reading)
        for step_s in steps_s:
            now_s += step_s
            admission.note(now_s, reading)
        if now_s - began_s >= HOLD_S:
            assert bool(admission.short_of) is is_closed


# --- Behind the API ---


def test_f36_a_service_that_has_no_room_refuses_before_it_dials_and_says_why(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        live = await served.make()
        served.services.admission.note(0.0, TOO_MUCH[Shortage.CPU])
        refused = await served.post(room_url="https://example.daily.co/another", headers={"Idempotency-Key": "1"})
        assert_problem(refused, 503, "overloaded")
        assert refused.headers["Retry-After"] == str(int(RETRY_AFTER_S))
        assert "of the CPU in use at most" in refused.json["detail"]
        assert (len(served.bridges.made), len(served.carrier.dials)) == (1, 1)
        metrics = (await served.ask("GET", "/metrics")).text
        assert 'relay_admission_refused_total{shortage="cpu"} 1.0' in metrics

        ready = await served.ask("GET", "/readyz", key=None)
        assert (ready.status, parts_that_lack(ready.json)) == (503, {"cpu"})
        assert (await served.ask("GET", f"/v1/transfers/{live}")).json["state"] == "dialing"  # and goes on

        for now_s in (10.0, 10.0 + HOLD_S):
            served.services.admission.note(now_s, Reading(cpu_share=0.2))
        taken = await served.post(room_url="https://example.daily.co/another", headers={"Idempotency-Key": "1"})
        assert taken.status == 201
        assert (await served.ask("GET", "/readyz", key=None)).status == 200

    run_served(scenario)


def test_f36_a_request_that_comes_again_is_answered_though_there_is_no_room(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        first = await served.post(headers={"Idempotency-Key": "1"})
        served.services.admission.note(0.0, TOO_MUCH[Shortage.MEMORY])
        again = await served.post(headers={"Idempotency-Key": "1"})
        assert (again.status, again.json["id"]) == (first.status, first.json["id"])

    run_served(scenario)


def parts_that_lack(readiness: Any) -> set[str]:
    return {name for name, is_there in readiness["parts"].items() if not is_there}
