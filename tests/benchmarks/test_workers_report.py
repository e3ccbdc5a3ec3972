"""The report of workers: its arithmetic and its verdicts."""

from benchmarks.workers.handover import HandOvers
from benchmarks.workers.memory import Memory, private_mb
from benchmarks.workers.report import WorkersReport
from benchmarks.workers.starts import ACQUIRED, BARE, STARTED, Times


def starts(started_ms: float) -> dict[str, Times]:
    return {STARTED: Times([started_ms] * 3), ACQUIRED: Times([0.5] * 3), BARE: Times([20.0] * 3)}


def hand_overs(whole_ms: float, heard_ms: list[float]) -> HandOvers:
    front, worker = Times([whole_ms / 4]), Times([whole_ms * 3 / 4])
    return HandOvers(
        Times([whole_ms]),
        front,
        worker,
        Times(heard_ms),
        {"201": 4},
        1 - len(heard_ms),
        {"a_warning": 1},
        ["unheard of"],
    )


PAGE = WorkersReport(
    command="a command",
    machine={"processor": "a machine"},
    busy=0.25,
    seconds=10,
    starts={"local rooms": [starts(300), starts(350), starts(500)], "Daily rooms": [starts(450)] * 3},
    memory={"spare": [Memory([20.0, 22.0]), Memory([20.0, 24.9])], "un-joined": [Memory([10.0, 25.1])]},
    hand_overs=[hand_overs(4, [100.0]), hand_overs(4.5, [160.0]), hand_overs(8, [])],
).as_markdown()


def test_page_judges_starts_by_the_median_of_the_rounds() -> None:
    assert "| local rooms | met | 350.00 (300.00 to 500.00) |" in PAGE
    assert "| Daily rooms | **missed** | 450.00" in PAGE


def test_page_judges_memory_by_the_greatest() -> None:
    assert "| spare | met | 21.7 (21.0 to 22.4) | 24.9 |" in PAGE
    assert "| un-joined | **missed** |" in PAGE


def test_page_judges_the_hand_over_and_shares_it() -> None:
    assert "| request to 101 | p99 < 5: met | 4.50 (4.00 to 8.00) |" in PAGE
    assert "| the front's share | | 1.12 (1.00 to 2.00) |" in PAGE
    assert "- Answers to the requests, a warm-up included: 201: 12." in PAGE


def test_page_takes_what_was_never_heard_for_late() -> None:
    assert "| 101 to audio | p99 < 150: **missed** | 160.00 (100.00 to inf) |" in PAGE
    assert "- Media streams that never heard the room: 1." in PAGE


def test_private_memory_is_what_is_clean_and_what_is_dirty() -> None:
    rollup = (
        "Rss: 9000 kB\nShared_Clean: 8 kB\nPrivate_Clean:   1024 kB\nPrivate_Dirty:   2048 kB\nPrivate_Hugetlb: 4 kB\n"
    )
    assert private_mb(rollup) == 3.0
