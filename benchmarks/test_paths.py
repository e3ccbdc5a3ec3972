"""
Every contender of every path under pytest-benchmark, to compare two versions of the codec:

    python -m pytest benchmarks --benchmark-enable --benchmark-autosave        # then change something, and
    python -m pytest benchmarks --benchmark-enable --benchmark-compare
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.paths import all_paths
from relay.dev.bench.measure import Contender

CASES = [
    pytest.param(path.name, contender, id=f"{path.name} by {contender.name}")
    for path in all_paths()
    for contender in path.contenders
]


@pytest.mark.parametrize(("path_name", "contender"), CASES)
def test_time_per_call(benchmark: BenchmarkFixture, path_name: str, contender: Contender) -> None:
    benchmark.group = path_name
    benchmark(contender.call, *contender.args)
