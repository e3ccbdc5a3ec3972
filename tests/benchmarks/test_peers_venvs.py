"""The peers' environments: made once, said when they cannot be made, and left out of the way of everything else."""

import importlib.util
import pathlib
import subprocess
import sys
from collections.abc import Sequence

import pytest

from benchmarks.peers.venvs import Environment, run_command, stdlib_python
from benchmarks.rivals import Missing

ENVIRONMENT = Environment("some", "some-package", ("some-package>=1",))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "relay-peers"


class Commands:
    """Stands in for venv and pip: makes the folder, and fails with what the installation is to fail with."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.run: list[list[str]] = []

    def __call__(self, command: Sequence[str], timeout_s: float) -> str:
        assert timeout_s > 0
        self.run.append(list(command))
        if "venv" in command:
            pathlib.Path(command[-1]).mkdir()
        elif self.failure is not None:
            raise self.failure
        return ""


def test_makes_an_environment_once_and_with_what_is_asked_for() -> None:
    commands = Commands()
    python = ENVIRONMENT.python(run=commands)
    assert ENVIRONMENT.python(run=commands) == python
    (_, installing) = commands.run
    assert installing[:4] == [str(python), "-m", "pip", "install"]
    assert installing[-1] == "some-package>=1"
    other = Environment("some", "some-package", ("some-package>=2",))
    assert other.python(run=commands) != python


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            subprocess.CalledProcessError(1, "pip", "a line\nERROR: No matching distribution\n\n"),
            "No matching distribution",
        ),
        (subprocess.CalledProcessError(7, "pip", ""), "status 7"),
        (subprocess.TimeoutExpired("pip", 900), "pip was not done after 900 s"),
    ],
)
def test_a_failure_is_said_with_the_last_line_and_tried_again_another_time(
    failure: Exception, reason: str, cache: pathlib.Path
) -> None:
    with pytest.raises(Missing, match=f"not here: some-package cannot be installed: .*{reason}"):
        ENVIRONMENT.python(run=Commands(failure))
    assert [each.suffix for each in cache.iterdir()] == [".lock"]
    assert ENVIRONMENT.python(run=Commands()).name == "python"


def test_half_an_environment_is_made_anew(cache: pathlib.Path) -> None:
    python = ENVIRONMENT.python(run=Commands())
    folder = python.parents[1]
    (folder / "complete").unlink()
    (folder / "of-a-run-that-was-stopped").touch()
    ENVIRONMENT.python(run=Commands())
    assert not (folder / "of-a-run-that-was-stopped").exists()


def test_a_real_command_that_fails_says_why() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_command([sys.executable, "-c", "raise SystemExit('no such thing')"], 60)
    assert failed.value.output == "no such thing\n"


def test_audioop_is_this_pythons_where_it_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "python", lambda self: pathlib.Path(self.name))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    assert stdlib_python() == pathlib.Path(sys.executable)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert stdlib_python() == pathlib.Path("stdlib")
