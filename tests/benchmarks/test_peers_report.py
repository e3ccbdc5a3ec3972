"""The page beside the peers: ratios of the same round, verdicts, and who collapsed is not cheap."""

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.peers.comparison import TARGETS, Comparison, Target, compare, ratio, verdict
from benchmarks.peers.contenders import CODEC, ECHO, FLOOR, PIPECAT_BEST, PIPECAT_DEFAULT, RELAY, Contender
from benchmarks.peers.report import PeersReport
from benchmarks.peers.turn import ROUND_TRIP, Delay, Turn
from benchmarks.rivals import Missing

DELAY = Delay(said=100, missing=1, p50_ms=4.0, p99_ms=6.0, beyond_p50_ms=1.0, beyond_p99_ms=3.0)
GOOD = Turn(user_us=7, system_us=5, answered=1.0, memory_kb=20, base_mb=30, delays={ROUND_TRIP: DELAY})


def turns(*cpu_us: float, **changes: Any) -> list[Turn]:
    return [replace(GOOD, cpu_us=each, **changes) for each in cpu_us]


AT_300 = {
    RELAY.name: turns(12, 13, 14),
    FLOOR.name: turns(10, 10, 10),
    CODEC.name: turns(20, 10, 16),
    ECHO.name: turns(1, 1, 1, delays={ROUND_TRIP: replace(DELAY, missing=100)}),
}
AT_40 = {
    RELAY.name: turns(30, 40, 60),
    FLOOR.name: turns(30, 30, 30, load_limit="the load took 90% of its core", load_core=0.9),
    PIPECAT_DEFAULT.name: [*turns(240, 400), *turns(5, answered=0.3)],
    PIPECAT_BEST.name: turns(3, 2, 1, answered=0.5),
}
REPORT = PeersReport(
    "a command", {"processor": "a machine"}, Comparison({40: AT_40, 300: AT_300}, {"a peer": "not here: no"}), 0.25
)
PAGE = REPORT.as_markdown()


def test_ratios_are_of_the_same_round_and_judged_by_their_median() -> None:
    assert f"| 300 | {FLOOR.name} | 1.30 | 1.20, 1.30, 1.40 | <= 1.30 | met |" in PAGE
    assert f"| 300 | {CODEC.name} | 0.88 | 0.60, 1.30, 0.88 | <= 0.75 | **missed by 17%** |" in PAGE
    assert f"| 40 | {FLOOR.name} | 1.33 | 1.00, 1.33, 2.00 | - | no target here |" in PAGE


def test_a_round_in_which_a_peer_collapsed_has_no_ratio() -> None:
    assert f"| 40 | {PIPECAT_DEFAULT.name} | 0.11 | 0.12, 0.10, - | <= 0.17 | met |" in PAGE
    assert ratio(AT_40, PIPECAT_BEST.name) is None
    assert f"| 40 | {PIPECAT_BEST.name} | - | -, -, - | <= 0.17 | not measured |" in PAGE


def test_who_collapsed_is_shown_as_such_and_not_as_cheap() -> None:
    assert (
        f"| 40 | {PIPECAT_BEST.name} | - | - | 0.500 | - | - | **collapsed in 3 of 3 rounds**: answered 50% |" in PAGE
    )
    row = f"| 40 | {PIPECAT_DEFAULT.name} | 320.0 (240.0 to 400.0) | 7.0 + 5.0 | 0.300 | 20 | 30.0 |"
    assert f"{row} **collapsed in 1 of 3 rounds**: answered 30% |" in PAGE


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({}, ""),
        ({"answered": 0.9}, "answered 90%"),
        ({"ended": 2}, "2 calls ended"),
        ({"broke": "LoadError: refused"}, "LoadError: refused"),
        (
            {"delays": {ROUND_TRIP: replace(DELAY, missing=11)}},
            "11 of 100 frames not heard as a whole (round trip)",
        ),
    ],
)
def test_collapse_has_its_reason(changes: dict[str, Any], how: str) -> None:
    assert replace(GOOD, **changes).collapsed == how


def test_page_says_delays_who_is_missing_and_where_the_load_was_the_limit() -> None:
    assert f"| 300 | {RELAY.name} | round trip | 297 of 300 | 4.00 / 6.00 | 1.00 / 3.00 |" in PAGE
    assert f"| 300 | {ECHO.name} | round trip | 0 of 300 | - | - |" in PAGE
    limit = "the load's limit in 3 of 3 rounds: the load took 90% of its core"
    assert f"| 40 | {FLOOR.name} | 30.0 (30.0 to 30.0) | 7.0 + 5.0 | 1.000 | 20 | 30.0 | {limit} |" in PAGE
    assert "- a peer: not here: no" in PAGE
    assert "- 40 calls: 0.00 ms, 90%; **in 3 of 12 turns it was the limit**: the load took 90% of its core." in PAGE
    assert "- 300 calls: 0.00 ms, 0%." in PAGE


def test_json_has_every_turn_and_every_verdict() -> None:
    whole = json.loads(REPORT.as_json())
    assert whole["turns"]["40"][PIPECAT_BEST.name][0]["collapsed"] == "answered 50%"
    assert len(whole["ratios"]) == 2 * len(TARGETS)
    floor = next(each for each in whole["ratios"] if (each["calls"], each["rival"]) == (300, FLOOR.name))
    assert (round(floor["median"], 3), floor["by_round"], floor["verdict"]) == (1.3, [1.2, 1.3, 1.4], "met")
    assert (whole["turns"]["300"][RELAY.name][0]["user_us"], floor["limit"]) == (7, 1.3)


def test_targets_hold_where_they_were_set() -> None:
    assert verdict(Target("a rival", 1.0), 299, {}) == "no target here"
    assert verdict(Target("a rival", 1.0, at=(40,)), 40, {}) == "not measured"


@pytest.mark.parametrize(
    ("ours", "theirs", "judged"),
    [
        ([*turns(5, 5), *turns(9, answered=0.5)], turns(10, 10, 10), "**not carried**"),
        ([*turns(5, 5), *turns(5, load_limit="its core")], turns(10, 10, 10), "not measured"),
        (turns(5, 5, 5), [*turns(10, 10), *turns(10, load_limit="its core")], "not measured"),
        (turns(5, 5, 5), [*turns(10), *turns(10, 10, ended=1)], "not measured"),
        (turns(5, 5, 5), [*turns(10, 10), *turns(10, ended=1)], "met"),
    ],
)
def test_one_good_round_is_no_verdict(ours: list[Turn], theirs: list[Turn], judged: str) -> None:
    assert verdict(Target("a rival", 1.0), 300, {RELAY.name: ours, "a rival": theirs}) == judged


def test_every_contender_has_its_turn_once_a_round_and_a_missing_one_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot() -> list[str]:
        raise Missing("not here: no compiler")

    order: list[tuple[str, int]] = []

    def take(contender: Contender, command: object, calls: int, *, seconds: float) -> Turn:
        assert (command, seconds) == ([contender.name], 5)
        order.append((contender.name, calls))
        return GOOD

    monkeypatch.setattr("benchmarks.peers.comparison.take_turn", take)
    contenders = [
        Contender("first", lambda: ["first"]),
        Contender("few", lambda: ["few"], most_calls=40),
        Contender("absent", cannot),
    ]
    found = compare([40, 300], rounds=2, seconds=5, contenders=contenders)
    assert order == [("first", 40), ("few", 40), ("first", 300), ("few", 40), ("first", 40), ("first", 300)]
    assert found.missing == {"absent": "not here: no compiler"}
    assert {calls: {name: len(each) for name, each in by.items()} for calls, by in found.turns.items()} == {
        40: {"first": 2, "few": 2},
        300: {"first": 2},
    }
