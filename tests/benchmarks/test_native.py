"""Reading what the C program prints."""

from benchmarks.native import read_turns
from benchmarks.targets import ratio_figure, time_figure


def test_turns_are_collected_by_path_and_contender() -> None:
    lines = [
        "8000 16000 relay_avx2 97.0",
        "8000 16000 soxr_VHQ 970.0",
        "8000 16000 relay_avx2 99.0",
        "8000 16000 soxr_VHQ 990.0",
    ]
    (result,) = read_turns(lines)
    assert result.rounds_ns == {"relay avx2": (97.0, 99.0), "soxr VHQ": (970.0, 990.0)}
    assert result.ratio("soxr VHQ").median == 10.0
    assert time_figure(result.name, "relay avx2") == "C against C 8k -> 16k | relay avx2 | ns"
    assert ratio_figure(result.name, "soxr VHQ") == "C against C 8k -> 16k | soxr VHQ | ratio"
