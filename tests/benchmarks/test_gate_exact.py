"""The exact gates: what they compare, the committed budgets, and the delays themselves, which are quick to find."""

import json
import pathlib
import shutil
from dataclasses import replace

import pytest

from benchmarks import instructions as fused
from benchmarks.gate import exact
from benchmarks.gate.delays import all_delays, described, differences, payload_of
from benchmarks.gate.exact import (
    BUDGET,
    DELAYS,
    Budget,
    Finding,
    counted_with,
    look,
    look_at_delays,
    look_at_fused,
    python_minor,
    steady_counts,
)
from benchmarks.gate.report import Report
from relay._codec import RATES_HZ

COUNTED = Budget(counted_with(), {"in, avx2": 1000}, {"allocations, in": 500})


def problems(instructions: int = 1000, **steady: int) -> list[str]:
    named = {name.replace("_", " ") + ", in": count for name, count in steady.items()}
    return [each.name for each in look(COUNTED, {"in, avx2": instructions}, named) if each.problem]


def test_what_is_within_the_budget_passes() -> None:
    assert problems(1010, allocations=500, blocks_that_stay=0, waits=10) == []
    assert problems(10, allocations=5, blocks_that_stay=-3) == []


def test_more_instructions_than_the_tolerance_are_told_with_their_excess() -> None:
    assert problems(1011) == ["instructions, in, avx2"]
    [finding] = look(COUNTED, {"in, avx2": 1100}, {})
    assert finding == Finding("instructions, in, avx2", "1100", "1000", "+10.00%, and 1% is allowed")


@pytest.mark.parametrize("kind", ["allocations", "blocks_that_stay", "objects_towards_a_collection", "waits"])
def test_one_more_of_what_is_exact_is_too_much(kind: str) -> None:
    least = {"allocations": 501, "waits": 11}.get(kind, 1)
    assert len(problems(**{kind: least})) == 1


def test_counts_of_another_compiler_or_build_of_python_are_held_loosely() -> None:
    budget = Budget("Python 3.11.0 by another compiler", COUNTED.instructions, COUNTED.allocations)
    for factor, beyond in ((1.25, 0), (1.26, 2)):
        counts = {"in, avx2": round(1000 * factor)}, {"allocations, in": round(500 * factor)}
        assert sum(bool(each.problem) for each in look(budget, *counts)) == beyond


def test_a_fused_path_is_held_to_its_own_budget() -> None:
    budget, now = (fused.Budget("gcc", "3.11", {"Decoder.push, avx2": count}) for count in (4000, 4400))
    [finding] = look_at_fused(budget, now)
    assert (finding.now, finding.budget) == ("4400", "4000")
    assert "+10.0%" in finding.problem
    assert [each.problem for each in look_at_fused(budget, budget)] == [""]


def test_a_machine_without_valgrind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(exact, "count_now", lambda: ({}, {}, {}))
    assert any(line.startswith("note: instr") for line in Report(exact.findings(), "").as_text().splitlines())


def test_a_python_without_a_budget_is_held_to_what_needs_none() -> None:
    found = list(look(None, {"in, avx2": 7}, {"allocations, in": 7, "blocks that stay, in": 1}))
    assert [(each.budget, bool(each.problem)) for each in found] == [
        ("none yet", False),
        ("none yet", False),
        ("0", True),
    ]


@pytest.mark.parametrize("now", [{"a": "first 1"}, {"a": "first 3"}, {}, {"a": "first 2", "b": "first 1"}])
def test_any_other_delay_is_a_problem_be_it_less(now: dict[str, str]) -> None:
    assert [each.problem for each in look_at_delays({"a": "first 2"}, now) if each.problem] == ["another delay"]


def test_the_codecs_delays_are_those_of_the_table_to_the_sample() -> None:
    table = json.loads(DELAYS.read_text())
    assert all_delays() == {name: delay for name, delay in table.items() if not name.startswith("bridge ")}
    assert {name for name in table if name.startswith("bridge ")} == {"bridge in", "bridge out"}


def test_the_table_has_every_pair_of_rates_both_ways_in_every_profile() -> None:
    table = json.loads(DELAYS.read_text())
    for rate_hz in RATES_HZ:
        for pcm_rate_hz in RATES_HZ:
            for profile in ("balanced", "low_delay", "high_quality"):
                encoding = "pcmu" if rate_hz == 8000 else "l16le"
                assert f"{encoding} {rate_hz} -> {pcm_rate_hz} {profile}" in table
                assert f"{pcm_rate_hz} -> {encoding} {rate_hz} {profile}" in table


def test_a_report_may_differ_by_more_than_a_frame() -> None:
    budget = replace(COUNTED, instructions={"report, avx2": 1000})
    assert [[each.problem for each in look(budget, {"report, avx2": count}, {})] for count in (1030, 1031)] == [
        [""],
        ["+3.10%, and 3% is allowed"],
    ]


def test_an_impulse_is_what_differs_from_silence() -> None:
    silent, heard = bytes([8, 0] * 4), bytes([8, 0, 9, 0, 11, 0, 8, 0])
    assert differences(silent, heard) == [0, 1, 3, 0]
    assert described([0, 1, 3, 0], 1) == "first 0, peak 1, centre 0.75"
    assert described([0, 0], 0) == "nothing comes out"


def test_a_payload_is_read_with_a_header_before_it() -> None:
    assert payload_of(b'\x81\x7e\x01\x00{"media":{"payload":"AAE="}}') == b"\0\1"


def test_the_budget_of_this_python_has_what_is_counted() -> None:
    budget = Budget.of_this_python()
    if budget is None:
        pytest.skip(f"no budget for Python {python_minor()} yet")
    assert {name.split(", ")[0] for name in budget.instructions} == {"in", "out", "report"}
    assert budget.allocations.keys() == {"allocations, both", "allocations, in"}


@pytest.mark.long
def test_a_call_that_goes_on_leaves_nothing_and_allocates_what_its_budget_says() -> None:
    counted = steady_counts()
    assert [each for each in look(Budget.of_this_python(), {}, counted["steady"]) if each.problem] == []
    table = json.loads(DELAYS.read_text())
    assert {
        f"bridge {name}": f"{samples} samples" for name, samples in counted["bridge"].items()
    }.items() <= table.items()


def test_budgets_are_beside_those_of_the_fused_paths() -> None:
    assert {BUDGET.parent, DELAYS.parent} == {pathlib.Path(__file__).parents[2] / "benchmarks"}
