"""The verdicts of a soak: each invariant that is broken is found, and by its own line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.dev.bench.processes import Held
from relay.dev.bench.soak import Course, Plan
from relay.dev.bench.soak_report import as_json, as_table, memory_series, verdicts, warmed_up
from relay.dev.bench.soak_samples import Sample

MB = 1 << 20
PLAN = Plan(minutes=60, bridges=2, set_ups=1000, calls_per_worker=16, out=Path())
HELD = Held(pss_bytes=70 * MB, anonymous_bytes=64 * MB, private_bytes=65 * MB, descriptors=40, threads=5)
SAMPLE = Sample(
    at_s=0.0,
    done=0,
    service=HELD,
    store=HELD,
    workers={1: HELD, 2: HELD},
    tasks=13,
    live=2,
    spares=10,
    zombies=frozenset(),
)


def course() -> Course:
    samples = [replace(SAMPLE, at_s=each, done=each) for each in range(0, 1000, 10)]
    return Course(
        PLAN,
        samples=samples,
        baseline=SAMPLE,
        after=SAMPLE,
        quiet=replace(SAMPLE, live=0),
        done=1000,
        bridges={"frames": 100, "by agents": [0.99, 1.0], "by customers": [1.0, 0.9]},
        carrier={"live": 0, "violations": []},
        exit_status=0,
    )


def failed(course: Course) -> list[str]:
    return [each.what for each in verdicts(course) if not each.holds]


def growing(share: float, *, worker: bool = False) -> list[Sample]:
    held = [replace(HELD, anonymous_bytes=round(64 * MB * (1 + share * number / 1000))) for number in range(1000)]
    if worker:
        return [replace(SAMPLE, done=each, workers={1: HELD, 2: held[each]}) for each in range(1000)]
    return [replace(SAMPLE, done=each, service=held[each]) for each in range(1000)]


def test_what_is_as_before_holds() -> None:
    assert failed(course()) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"after": replace(SAMPLE, service=replace(HELD, descriptors=41))}, "descriptors of the service, bridges on"),
        ({"after": replace(SAMPLE, service=replace(HELD, threads=6))}, "threads of the service, bridges on"),
        ({"after": replace(SAMPLE, tasks=14)}, "asyncio tasks of the service, bridges on"),
        ({"quiet": replace(SAMPLE, live=1)}, "transfers that hold a bridge, behind the last call"),
        ({"quiet": replace(SAMPLE, live=0, workers=dict.fromkeys(range(3), HELD))}, "workers behind the last call"),
        ({"open_transfers": ["tr_1"]}, "transfers left open in the store"),
        ({"carrier": {"live": 1, "violations": []}}, "phones live at the carrier"),
        ({"carrier": {"live": 0, "violations": ["a"]}}, "what the carrier complained of"),
        ({"rooms": ["room-1"]}, "rooms in which somebody is left"),
        ({"left_files": ["relay-store-1"]}, "temporary files left"),
        ({"left_processes": ["valkey-server"]}, "processes left"),
        ({"exit_status": 1}, "exit status of the service"),
        ({"logged": {"error: worker_broke": 1}}, "errors in the service's log"),
        ({"done": 999}, "set-ups that ended as they should"),
        ({"unexpected": ["busy: failed no_answer"] * 11}, "set-ups that ended as they should"),
        ({"samples": growing(0.03)}, "memory of the service"),
        ({"samples": growing(0.06, worker=True)}, "memory of the 2 long-lived workers"),
    ],
)
def test_each_thing_that_is_left_is_found_by_its_own_line(changes: dict[str, object], found: str) -> None:
    broken = course()
    for name, value in changes.items():
        setattr(broken, name, value)
    assert failed(broken) == [found]


def test_a_worker_and_its_pairs_are_no_descriptors_of_the_services_own() -> None:
    one_worker_more = replace(
        SAMPLE, workers={**SAMPLE.workers, 3: HELD}, spares=26, service=replace(HELD, descriptors=57)
    )
    assert one_worker_more.own_descriptors == SAMPLE.own_descriptors == 26


def test_memory_before_the_warm_up_counts_for_nothing() -> None:
    samples = course().samples
    early = [replace(sample, service=replace(HELD, anonymous_bytes=MB)) for sample in samples if sample.done < 100]
    assert failed(replace(course(), samples=[*early, *warmed_up(course())])) == []


def test_growth_that_lasts_for_one_reading_is_none() -> None:
    samples = course().samples
    samples[-1] = replace(samples[-1], service=replace(HELD, anonymous_bytes=128 * MB))
    assert failed(replace(course(), samples=samples)) == []


def test_a_bridge_that_carried_nothing_for_half_the_time_is_found() -> None:
    silent = replace(course(), bridges={"frames": 100, "by agents": [1.0, 1.0], "by customers": [0.49, 1.0]})
    assert failed(silent) == ["frames of the bridges heard by customers, the worst bridge"]


def test_zombies_that_stay_are_found_and_those_that_are_just_reaped_are_not() -> None:
    dead = [replace(SAMPLE, done=500, zombies=frozenset({pid})) for pid in (7, 8, 8)]
    assert failed(replace(course(), samples=[*course().samples, *dead[:2]])) == []
    assert failed(replace(course(), samples=[*course().samples, *dead])) == ["children that ended and were not reaped"]


def test_memory_over_time_is_of_the_service_the_workers_that_stayed_and_the_store() -> None:
    some = replace(course(), samples=[replace(SAMPLE, at_s=60.0 * each, done=100 + each) for each in range(3)])
    series = memory_series(some)
    assert list(series) == ["service", "2 long-lived workers", "store"]
    assert [points[-1] for points in series.values()] == [(2.0, 64.0), (2.0, 128.0), (2.0, 64.0)]


def test_table_and_json_have_each_verdict() -> None:
    found = verdicts(course())
    table = as_table(course(), found)
    assert all(f"| {each.what} | {each.expected} | {each.found} | holds |" in table for each in found)
    assert len(json.loads(as_json(course(), found))["verdicts"]) == len(found)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"took_s": 1100.0}, "longest time without a reading"),
        ({"samples": course().samples[:30] + course().samples[40:]}, "longest time without a reading"),
        ({"unsteady": ["at 3 s"]}, "readings to compare with that did not become steady"),
    ],
)
def test_what_was_not_looked_at_or_not_steady_does_not_hold(changes: dict[str, Any], what: str) -> None:
    assert failed(replace(course(), **changes)) == [what]
