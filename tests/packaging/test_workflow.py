"""The workflow for GitHub names what there is: scripts, packages and Python versions. Its form is for scripts/check."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSIONS = [
    each.rpartition(" ")[2]
    for each in PYPROJECT["project"]["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", each)
]
TOOLS = {"sudo", "pipx"}
"""Of GitHub's runners."""


def commands() -> list[list[str]]:
    """What the workflow runs, in words."""
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_is_a_script_of_the_project_or_a_tool_of_the_runner() -> None:
    names = {words[0] for words in commands()}
    assert {"scripts/check", ".ci/run", "scripts/gate"} <= names
    missing = [name for name in names - TOOLS if not (ROOT / name).is_file()]
    assert missing == []


def test_every_script_may_be_run() -> None:
    scripts = [ROOT / words[0] for words in commands() if words[0] not in TOOLS]
    assert [script for script in scripts if script.is_file() and not script.stat().st_mode & 0o111] == []


def test_what_is_tested_and_built_are_the_versions_that_the_project_names() -> None:
    assert len(VERSIONS) > 3
    assert WORKFLOW["jobs"]["tests"]["strategy"]["matrix"]["python"] == VERSIONS
    built = PYPROJECT["tool"]["cibuildwheel"]["build"]
    assert built == [f"cp{version.replace('.', '')}-manylinux_*" for version in VERSIONS]


def test_packages_of_the_system_are_those_that_the_build_server_installs() -> None:
    known = " ".join(re.findall(r"packages\+=\((.*?)\)", (ROOT / ".ci" / "run").read_text())).split()
    asked = [words for words in commands() if words[:2] == ["sudo", "apt-get"] and "install" in words]
    named = {word for words in asked for word in words[words.index("install") + 1 :] if not word.startswith("-")}
    assert named
    assert named <= set(known)


@pytest.mark.parametrize("name", WORKFLOW["jobs"])
def test_a_job_ends_some_time_and_may_not_write(name: str) -> None:
    job = WORKFLOW["jobs"][name]
    assert 0 < job["timeout-minutes"] <= 90
    assert WORKFLOW["permissions"] == job.get("permissions", {"contents": "read"}) == {"contents": "read"}


def test_actions_are_of_one_major_version() -> None:
    used = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", each)] == []


def test_the_gate_runs_on_a_python_whose_frames_have_a_budget() -> None:
    given = [step.get("with", {}).get("python-version") for step in WORKFLOW["jobs"]["gate"]["steps"]]
    [version] = filter(None, given)
    assert version in json.loads((ROOT / "benchmarks" / "frame_budget.json").read_text())
