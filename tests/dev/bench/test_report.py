"""The report of mode ``bridge`` from a fixed result: tables, page, JSON, plots."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from relay.dev.bench.bridge import BridgeResult, StallResult
from relay.dev.bench.direction import Direction, Moment
from relay.dev.bench.report import as_markdown, bridge_report, for_terminal
from relay.dev.bench.spread import Spread

SPREAD = Spread(500, 0.25, 1.5, 2.0, 3.0)
MOMENTS = tuple(Moment(tenth / 10, 30.0, 35.0, 28.0) for tenth in range(30))
WAY = Direction(10, 505, 3, 2, 1, 4, SPREAD, SPREAD, tuple(each / 100 for each in range(201)), MOMENTS)
LOAD = {"late_p99_ms": 0.3, "core": 0.2, "bottleneck": None, "ended": 0, "ended_by": "", "answered": 1.0}
RESULT = BridgeResult(40, 10.0, WAY, WAY, 0.6, 0.4, 0.2, 0.24, 21.0, 22.0, 28000, {"concealed_ms": 60.0}, LOAD)
SLOW = replace(RESULT, calls=900, room_to_agent=replace(WAY, late=90, beyond=replace(SPREAD, p99=21.0)))
WORST = replace(
    RESULT,
    calls=2000,
    agent_to_room=replace(WAY, said=99999, missing=9999, late=9999, beyond=Spread(9999, *([-1234.5] * 4))),
)
LIMITED = replace(RESULT, load={**LOAD, "bottleneck": "the load wrote 3 ms late"})
REPORT = bridge_report(
    ["bridge", "--calls", "40"],
    {"processor": "a machine"},
    busy=0.25,
    results=[RESULT, LIMITED],
    stalls=[StallResult("the server stands still for 200 ms", 0.4, None, RESULT)],
    capacity=[RESULT, SLOW],
    notes=["no second core"],
    drift_ppm=300.0,
)


def test_page_has_every_table() -> None:
    page = as_markdown(REPORT)
    assert "`relay bench bridge --calls 40`" in page
    assert "Others took 25 % of the machine" in page
    assert "| 40 | to room | 500 | 0.25 | 1.50 | 2.00 | 3.00 | 3 | 2 | 4 |" in page
    assert "| 40 | 0.60 | 0.40 | 0.20 | 24% | 21 | 22 | 28000 | 0.30 | 20% |" in page
    assert "| 40 | 0.9 | 2.0 | 2.0 | yes |" in page
    assert "| the server stands still for 200 ms | 0.4 | not yet | 35 |" in page
    assert "| 900 | 1.50 | 0.99% | 21.00 | 18.42% | 24% | no |" in page
    assert page.endswith("- no second core\n- 40 calls: the load wrote 3 ms late\n")


def test_terminal_of_80_columns_has_it_whole() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=80)
    worst = bridge_report(
        [],
        {},
        busy=0.0,
        results=[WORST],
        stalls=[StallResult("the server stands still for 200 ms", None, None, WORST)],
        capacity=[WORST],
        drift_ppm=300.0,
    )
    for table in (*for_terminal(REPORT), *for_terminal(worst)):
        console.print(table)
    assert "to room" in screen.getvalue()
    assert "…" not in screen.getvalue()


@pytest.mark.parametrize(
    ("changed", "holds"),
    [({}, True), ({"ended": 1}, False), ({"answered": 0.9}, False)],
)
def test_calls_hold_when_all_go_on_and_nearly_all_is_answered(changed: dict[str, float], *, holds: bool) -> None:
    assert replace(RESULT, load={**LOAD, **changed}).holds is holds
    assert not SLOW.holds


@pytest.mark.parametrize("changed", [{"missing": 4}, {"late": 3}, {"said": 0, "missing": 0, "late": 0}])
@pytest.mark.parametrize("way", ["agent_to_room", "room_to_agent"])
def test_frames_that_never_came_are_late_and_nothing_said_is_nothing_shown(way: str, changed: dict[str, int]) -> None:
    assert RESULT.holds
    assert not replace(RESULT, **{way: replace(WAY, **changed)}).holds  # type: ignore[arg-type]


def test_calls_that_ended_and_what_broke_are_told() -> None:
    fewer = replace(RESULT, load={**LOAD, "ended": 2, "ended_by": "EPIPE"})
    page = as_markdown(bridge_report([], {}, busy=0.0, results=[fewer], broke=["80 calls broke: why"]))
    assert page.endswith("- 40 calls: 2 of 40 calls ended (EPIPE)\n- 80 calls broke: why\n")


def test_json_has_everything() -> None:
    values = json.loads(json.dumps(REPORT))
    assert values["results"][0]["agent_to_room"]["beyond"]["p99_9"] == 2.0
    assert [each["holds"] for each in values["capacity"]] == [True, False]


def test_page_shows_the_plots_that_are_beside_it() -> None:
    assert as_markdown(REPORT, ["plots/stall-1.svg"]).endswith("\n\n![stall-1](plots/stall-1.svg)\n")
    assert "![" not in as_markdown(REPORT)


def test_plots_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="comes with the bench extra")
    plots = pytest.importorskip("relay.dev.bench.plots")
    written = plots.write_plots(json.loads(json.dumps(REPORT)), tmp_path / "plots")
    assert [each.name for each in written] == ["distribution.svg", "stall-1.svg", "capacity.svg"]
    assert "to agent" in written[0].read_text() or written[0].stat().st_size > 10000
