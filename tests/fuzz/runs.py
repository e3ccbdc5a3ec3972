"""A run of a fuzz target that is the same every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def check_runs(module: str, runs: int, artifacts: Path, *more: str) -> None:
    """
    Run a target in a process of its own; raise AssertionError if it found anything.

    A seed and a number of runs, not a time: the same inputs every time.
    """
    # No limit on memory: under AddressSanitizer, whose quarantine keeps what is freed, libFuzzer's would end the run.
    options = [f"-runs={runs}", "-seed=1", "-rss_limit_mb=0", f"-artifact_prefix={artifacts}/", *more]
    command = [sys.executable, "-m", module, *options]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": "scripts"}  # for the twin's filters
    result = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert f"Done {runs} runs" in result.stderr
