"""``relay bench``: what it takes, what it writes, and how it says that it cannot."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
import typer

from relay._codec import instruction_sets
from relay.dev.bench import bridge, bridge_command, cores, frame_path_command
from relay.dev.bench.bridge import BridgeResult
from tests.dev.bench.test_report import RESULT


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


def test_window_that_breaks_does_not_take_the_others_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(setup: bridge.Setup, plan: object = None) -> BridgeResult:
        if setup.calls in {7, 60}:
            raise bridge.LoadError("refused")
        return replace(RESULT, calls=setup.calls)

    monkeypatch.setattr(bridge, "measure", measure)
    file = tmp_path / "out.json"
    with pytest.raises(typer.Exit):
        bridge_command.run([7, 8], calls=5, capacity_step=30, json_file=file)
    values = json.loads(file.read_text())
    assert [each["calls"] for each in values["results"]] == [5, 8]
    assert [each["calls"] for each in values["capacity"]] == [30]
    assert values["broke"] == ["7 calls broke: LoadError: refused", "60 calls broke: LoadError: refused"]
    assert "relay bench: 7 calls broke" in capsys.readouterr().err


def test_one_core_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {cores.SERVER_CORE})
    assert not cores.can_pin()
    assert "no second core" in bridge_command.NO_SECOND_CORE
    assert not cores.pin(10_000)


def test_drift_is_a_table_and_json(tmp_path: Path) -> None:
    done = bench("drift", "--seconds", "180", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [(each["drift_ppm"], each["jitter_ms"]) for each in results] == [(300, 0), (-300, 0), (300, 20), (-300, 20)]
    assert done.stdout.count("yes") == sum(each["delay"]["held"] for each in results)
    assert "…" not in done.stdout


class Path20Ms:
    """Stands for the gate's driver."""

    @classmethod
    async def open(cls) -> "Path20Ms":
        return cls()

    def run(self, frames: int, _: object) -> SimpleNamespace:
        return SimpleNamespace(in_us=frames / 100, out_us=frames / 50)

    async def close(self) -> None: ...


def test_frame_path_is_the_gates_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.gate", ModuleType("benchmarks.gate"))
    monkeypatch.setitem(sys.modules, frame_path_command.DRIVER, cast("ModuleType", SimpleNamespace(FramePath=Path20Ms)))
    monkeypatch.setattr("structlog.configure", lambda **_: None)
    frame_path_command.run(frames=300, batches=2, json_file=tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["us_per_frame"] == {"in": [3.0, 3.0], "out": [6.0, 6.0]}
    assert "3.00 us a frame" in capsys.readouterr().out


def test_frame_path_without_a_checkout_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("structlog.configure", lambda **_: None)
    monkeypatch.setattr(frame_path_command, "DRIVER", "benchmarks.gate_that_is_not_there.frame_path")
    with pytest.raises(typer.Exit) as ended:
        frame_path_command.run(frames=1, batches=1)
    assert ended.value.exit_code == 2
    assert "expected benchmarks.gate_that_is_not_there.frame_path, which a checkout has" in capsys.readouterr().err


def test_codec_is_beside_the_standard_library(tmp_path: Path) -> None:
    done = bench("codec", "--rounds", "1", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["results"]
    assert {row["by"] for row in rows} >= {f"relay {name}" for name in instruction_sets()}
    assert all(row["ns"] > 0 for row in rows)
    assert "json, base64, audioop" in done.stdout
    assert "…" not in done.stdout
