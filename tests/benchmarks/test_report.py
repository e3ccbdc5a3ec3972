"""The report, as JSON and as Markdown."""

import json
import pathlib

from benchmarks import paths
from benchmarks.carriers.paths import StreamResult, all_streams
from benchmarks.quality import QualityResult
from benchmarks.report import Report
from relay.dev.bench.measure import PathResult

REPORT = Report(
    "python -m benchmarks",
    {"processor": "a machine"},
    [
        PathResult(
            paths.MESSAGE_IN, {"relay avx2": (240.0, 260.0, 250.0), "other": (500.0, 780.0, 750.0)}, ("soxr: absent",)
        )
    ],
    [QualityResult("heard", (4.0, 4.5))],
    {"ripple dB": 0.2},
    ["C against C: no compiler"],
)


def test_json_holds_every_round_and_every_verdict(tmp_path: pathlib.Path) -> None:
    REPORT.write(tmp_path / "new")
    written = json.loads((tmp_path / "new" / "report.json").read_text())
    other = written["paths"][paths.MESSAGE_IN]["contenders"]["other"]
    assert other["rounds_ns"] == [500.0, 780.0, 750.0]
    assert other["ratio"]["median"] == 3.0
    verdicts = {target["figure"]: target["verdict"] for target in written["targets"]}
    assert verdicts[f"{paths.MESSAGE_IN} | relay avx2 | ns"] == "met"
    assert verdicts["ripple dB"] == "missed"
    assert verdicts["THD+N 8k -> 16k dB"] == "not measured"


def test_markdown_shows_spread_verdict_and_what_is_left_out() -> None:
    page = REPORT.as_markdown()
    assert "| other | 750 (500 to 780) | 3.00 (2.08 to 3.00) |" in page
    assert "| media message -> PCM16k, AVX2 | <= 250 ns | 250 ns | 250 ns | met |" in page
    assert "| ripple to 3.4 kHz | <= 0.1 dB | 0.2 dB |  | missed |" in page
    assert "| heard | 4.250 | 4.000, 4.500 |" in page
    assert "- C against C: no compiler\n- soxr: absent" in page


def test_carriers_have_a_part_of_it(tmp_path: pathlib.Path) -> None:
    stream = next(all_streams())
    times: dict[str, tuple[float, ...]] = {who.name: (2.0, 1.0, 3.0) for who in stream.path.contenders}
    result = StreamResult(stream, PathResult(stream.path.name, times))
    report = Report("a command", {}, [], [], {}, carriers=[result])
    report.write(tmp_path)
    written = json.loads((tmp_path / "report.json").read_text())["carriers"]
    assert written[stream.path.name]["contenders"]["relay"]["time_ns"]["median"] == 2.0
    assert "## Carriers" in report.as_markdown()
    assert f"| {stream.carrier} | {stream.audio} | {stream.way} | 1 | 2 (1 to 3) |" in report.as_markdown()
    assert "## Carriers" not in REPORT.as_markdown()
