"""The report of the bridge's cost and delay: its arithmetic and its verdicts."""

from benchmarks.bridge.cpu import ECHO, CpuResult, Turn
from benchmarks.bridge.delay import DelayResult
from benchmarks.bridge.report import BridgeReport

BRIDGE, BRIDGE_10 = "bridge, microphone 20 ms", "bridge, microphone 10 ms"
SPREAD = {"p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0}
INSIDE = {"wait": SPREAD, "own_time": SPREAD, "target_ms": 27.0, "faults": {"late_tick": 2}, "underruns": 1}


def turns(*cpu_us: float, answered: float = 1.0) -> list[Turn]:
    return [Turn(each, answered, 0.1, 0.2, INSIDE) for each in cpu_us]


CPU = CpuResult(40, {ECHO: turns(50, 40, 60), BRIDGE: turns(60, 56, 66), BRIDGE_10: turns(70, 60, 72, answered=0.7)})
DELAY = DelayResult(50, 20, [1.0, 2.0, 3.0], [4.0, 5.0, 9.0], 1, 26.5, 0.3, INSIDE)
PAGE = BridgeReport("a command", {"processor": "a machine"}, [CPU], [DELAY], 0.25).as_markdown()


def test_ratios_are_of_the_same_round() -> None:
    ratio = CPU.ratio(BRIDGE)
    assert (round(ratio.median, 3), round(ratio.least, 3), round(ratio.most, 3)) == (1.2, 1.1, 1.4)


def test_page_judges_the_median_ratio_and_marks_who_did_not_keep_up() -> None:
    assert f"| 40 | {BRIDGE} | 60.0 (56.0 to 66.0) | 1.20 (1.10 to 1.40), met | 1.000 | 0.10 | 20% |" in PAGE
    assert "1.40 (1.20 to 1.50), **missed** | **0.700** |" in PAGE


def test_page_judges_the_delay_by_its_99th_percentile() -> None:
    assert "| 50 | 20 ms | agent to room | 3 | 2.00 | 2.98 | 3.00 | met |" in PAGE
    assert "| 50 | 20 ms | room to agent | 3 | 5.00 | 8.92 | 9.00 | **missed** |" in PAGE


def test_page_adds_up_what_went_wrong_in_all_rounds() -> None:
    assert f"| 40 | {BRIDGE} | 1.00 / 2.00 / 3.00 | 1.00 / 2.00 / 3.00 | 27.0 | 3 | 6 |" in PAGE
    assert "Others took 25 % of the machine" in PAGE
