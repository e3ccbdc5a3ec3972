"""``relay demo`` as a command: what it prints, and its exit status."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relay.__main__ import _commands
from relay.client import Reason, State
from relay.dev.carriers.by_name import CARRIERS
from relay.dev.demo.expectations import ends
from relay.dev.demo.scenarios import BY_NAME, SCENARIOS

app = _commands(["demo"])


def test_list_names_each_scenario_with_a_line() -> None:
    result = CliRunner().invoke(app, ["demo", "--list"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == [scenario.name for scenario in SCENARIOS]
    assert BY_NAME["busy"].line in result.stdout


def test_list_for_machines() -> None:
    listed = json.loads(CliRunner().invoke(app, ["demo", "--list", "--json"]).stdout)
    assert listed == [{"name": scenario.name, "line": scenario.line} for scenario in SCENARIOS]


@pytest.mark.long
def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    """As a process of its own: nothing that it starts prints either."""
    options = ["--scenario", "busy", "--json", "--output", str(tmp_path / "new" / "folder")]
    command = [sys.executable, "-m", "relay", "demo", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["ok"], report["state"], report["reason"]) == (True, "failed", "busy")
    assert Path(report["files"]["log"]).is_file()


def test_an_unknown_scenario_is_one_line_and_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--scenario", "none", "--output", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Unknown scenario 'none': expected one of {', '.join(BY_NAME)}\n"


def test_an_unknown_carrier_is_one_line_and_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--carrier", "none", "--output", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Unknown carrier 'none': expected one of {', '.join(CARRIERS)}\n"


def test_a_folder_that_cannot_be_made_is_one_line_and_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["demo", "--scenario", "busy", "--output", str(tmp_path / "file")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "File exists" in result.stderr


@pytest.mark.long
def test_what_is_not_as_it_should_be_is_printed_and_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mistaken = replace(BY_NAME["busy"], expects=(ends(State.CANCELED, Reason.CANCELED_BY_API),))
    monkeypatch.setitem(BY_NAME, "busy", mistaken)
    result = CliRunner().invoke(app, ["demo", "--scenario", "busy", "--output", str(tmp_path)])
    assert result.exit_code == 1
    assert "NOT as it should be" in result.stdout
    assert "✗ it ends canceled (canceled_by_api): failed (busy)" in result.stdout
