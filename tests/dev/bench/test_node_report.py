"""The result and the report of mode ``node``: what holds, whose fault it is else, and the tables."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from relay.dev.bench.direction import Direction
from relay.dev.bench.heard import FrameDelay, Frames
from relay.dev.bench.load import Load
from relay.dev.bench.node_report import as_markdown, node_report
from relay.dev.bench.node_result import Cost, Kept, NodeResult, result_of
from relay.dev.bench.processes import Held
from relay.dev.bench.server import Cpu

LOAD = Load(
    since_ns=0,
    until_ns=10_000_000_000,
    sent=1000,
    received=1000,
    heard_bytes=160_000,
    marks=0,
    pings=0,
    clears=0,
    blocked=0,
    ended=0,
    open=2,
    late_p50_ms=0.1,
    late_p99_ms=0.5,
    late_max_ms=1.0,
    core=0.1,
)
WAY = Direction.of([(Frames((FrameDelay(0, 3.0),) * 199, 200, 0, 0), ())], 0)
LATE = replace(WAY, late=2)
RESULT = NodeResult(
    calls=2,
    seconds=10.0,
    agent_to_room=WAY,
    room_to_agent=WAY,
    phone_late_p99_ms=3.0,
    room_late_p99_ms=20.0,
    front=Cost(1.25, 1.0, 0.25),
    workers=Cost(20.0, 15.0, 5.0),
    store=Cost(0.5, 0.25, 0.25),
    core=0.25,
    worker_private_kb=21000.4,
    worker_pss_kb=22000.0,
    front_kb=260.0,
    front_base_kb=65000,
    counts={"frames_lost": 1, "concealed_ms": 20.4},
    ended=0,
    overloads=0,
    room_own_late_p99_ms=0.5,
    load=LOAD.as_dict(),
)


def test_cost_is_per_call_and_second() -> None:
    assert Cost.of(Cpu(2_000_000_000, 1.5, 0.5), calls=10, seconds=20.0) == Cost(10.0, 7.5, 2.5)


def test_a_step_holds_if_all_calls_went_on_and_their_frames_came_in_time() -> None:
    assert RESULT.holds
    for broken in (
        replace(RESULT, agent_to_room=LATE),
        replace(RESULT, room_to_agent=LATE),
        replace(RESULT, ended=1),
        replace(RESULT, load={**RESULT.load, "answered": 0.97}),
    ):
        assert not broken.holds


def test_what_stands_in_is_blamed_when_it_was_late() -> None:
    assert RESULT.bottleneck is None
    assert "the rooms spoke 2.1 ms late" in (replace(RESULT, room_own_late_p99_ms=2.1).bottleneck or "")
    assert "the load wrote 2.5 ms late" in (
        replace(RESULT, load=replace(LOAD, late_p99_ms=2.5).as_dict()).bottleneck or ""
    )


def test_page_has_a_row_for_each_result_and_says_what_is_to_be_doubted() -> None:
    doubtful = replace(RESULT, calls=40, room_own_late_p99_ms=2.1, overloads=3)
    fewer = replace(RESULT, calls=40, ended=1)
    report = node_report(
        ["node", "--calls", "2"],
        {"processor": "a machine"},
        busy=0.25,
        results=[RESULT],
        capacity=[doubtful, fewer],
        broke=["50 calls broke: why"],
    )
    page = as_markdown(report)
    assert "`relay bench node --calls 2`" in page
    assert "| 2 | 1.25 | 1.00 | 0.25 | 20.00 | 15.00 | 5.00 | 0.50 | 25% | 0.50 | 0.50 | 10% |" in page
    assert "| 2 | 21000 | 22000 | 260 | 65000 |" in page
    assert "| 2 | 1 | 0 | 0 | 20 | 0 | 0 | 0 |" in page
    assert "| 40 | 0.50% | 0.50% | 1.000 | 25% | yes |" in page
    assert "- 40 calls: the rooms spoke 2.1 ms late at p99, expected 2 ms" in page
    assert "- 40 calls: refused 3 times" in page
    assert "- 40 calls: 1 of 40 calls ended" in page
    assert page.endswith("- 50 calls broke: why\n")
    assert report["results"] == [asdict(RESULT)]


def test_call_that_has_left_its_room_is_left_out_and_costs_are_of_the_others() -> None:
    held = Held(0, 0, 0, 0, 0)
    kept = Kept(Path(), load=LOAD, base=held, front=held, transfer_ids=["a", "b"], ended=1)
    kept.rooms = {"first": {}, "late_p99_ms": 0.0, "own_late_p99_ms": 0.0}
    kept.cpu = dict.fromkeys(("front", "workers", "store"), Cpu(1_000_000_000, 1.0, 0.0))
    result = result_of(kept)
    assert result.front == Cost(100.0, 100.0, 0.0)
    assert not result.holds


def test_a_window_that_broke_off_has_no_result() -> None:
    with pytest.raises(ValueError, match="read to its end"):
        result_of(Kept(Path()))
