"""``relay bench``: what it takes, what it writes, and how it says that it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from relay._codec import instruction_sets
from relay.dev.bench import bridge_command, cores


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "relay", "bench", *arguments], capture_output=True, text=True, check=False
    )


def test_small_run_prints_tables_and_writes_json_and_page(tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "out.json"), "--page", str(tmp_path / "page.md"))
    done = bench("bridge", "--calls", "1", "2", "--seconds", "2", "--settle", "0.2", *files)
    assert done.returncode == 0, done.stderr
    assert "Cost" in done.stdout
    values = json.loads((tmp_path / "out.json").read_text())
    assert [each["calls"] for each in values["results"]] == [1, 2]
    assert "processor" in values["machine"]
    assert (tmp_path / "page.md").read_text().startswith("# The bridge")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense",), "No such command"),
        (("bridge", "--rate-hz", "11025"), "expected a rate of"),
        (("bridge", "--microphone-ptime-ms", "15"), "10 or 20 ms"),
        (("bridge", "--seconds", "0.1"), "--seconds"),
    ],
)
def test_what_cannot_be_is_said(arguments: tuple[str, ...], says: str) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_one_core_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {cores.SERVER_CORE})
    assert not cores.can_pin()
    assert "no second core" in bridge_command.NO_SECOND_CORE
    assert not cores.pin(10_000)


def test_codec_is_beside_the_standard_library(tmp_path: Path) -> None:
    done = bench("codec", "--rounds", "1", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["results"]
    assert {row["by"] for row in rows} >= {f"relay {name}" for name in instruction_sets()}
    assert all(row["ns"] > 0 for row in rows)
    assert "json, base64, audioop" in done.stdout
    assert "…" not in done.stdout
