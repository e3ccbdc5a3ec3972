"""Verdicts on targets."""

import pytest

from benchmarks import paths, quality
from benchmarks.quality import QualityResult
from benchmarks.targets import TARGETS, YARDSTICKS_NS, Target, Verdict, collect_figures, machine_scale
from relay.dev.bench.measure import PathResult

AT_MOST = Target("time", "t", 100, "ns")
AT_LEAST = Target("ratio", "r", 10, "x", at_least=True)


@pytest.mark.parametrize(
    ("target", "figures", "scale", "verdict"),
    [
        (AT_MOST, {"t": 100}, 1.0, Verdict.MET),
        (AT_MOST, {"t": 101}, 1.0, Verdict.MISSED),
        (AT_MOST, {"t": 150}, 1.5, Verdict.MET_AT_REFERENCE_SPEED),
        (AT_MOST, {"t": 151}, 1.5, Verdict.MISSED),
        (AT_LEAST, {"r": 10}, 1.0, Verdict.MET),
        (AT_LEAST, {"r": 9.9}, 1.0, Verdict.MISSED),
        (AT_LEAST, {"t": 1}, 1.0, Verdict.NOT_MEASURED),
    ],
)
def test_verdict(target: Target, figures: dict[str, float], scale: float, verdict: Verdict) -> None:
    assert target.verdict(figures, scale) is verdict


def test_only_times_are_scaled() -> None:
    """A ratio or a level does not change with the machine's speed."""
    assert Target("level", "l", -85, "dB").verdict({"l": -80}, 4.0) is Verdict.MISSED
    assert AT_LEAST.verdict({"r": 5}, 0.1) is Verdict.MISSED


def test_the_scale_is_the_median_of_the_yardsticks() -> None:
    first, second, third = YARDSTICKS_NS.items()
    figures = {first[0]: first[1] * 1.2, second[0]: second[1] * 1.5, third[0]: third[1] * 9.0}
    assert machine_scale(figures) == pytest.approx(1.5)
    assert machine_scale({}) == 1.0


def test_figures_come_from_paths_and_scores() -> None:
    results = [
        PathResult(paths.MESSAGE_IN, {"relay avx2": (200.0,), paths.PIPECAT: (6000.0,)}),
        PathResult(paths.RETIME, {"relay": (1000.0,)}),
    ]
    scores = [QualityResult(quality.PHONE_OURS, (4.0, 4.1)), QualityResult(quality.PHONE_SOXR, (4.1, 4.2))]
    figures = collect_figures(results, scores)
    verdicts = {target.figure: target.verdict(figures, 1.0) for target in TARGETS}
    assert verdicts[f"{paths.MESSAGE_IN} | relay avx2 | ns"] is Verdict.MET
    assert verdicts[f"{paths.MESSAGE_IN} | {paths.PIPECAT} | ratio"] is Verdict.MET
    assert figures["retime per frame ns"] == pytest.approx(32.0)  # 1.6 samples a second, 50 frames a second
    assert verdicts["PESQ-NB lost"] is Verdict.MISSED


def test_every_target_has_a_figure_of_its_own() -> None:
    figures = [target.figure for target in TARGETS]
    assert len(set(figures)) == len(figures)
