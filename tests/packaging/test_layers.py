"""The import rules of pyproject.toml: they pass, and each fails when it is broken (in a copy)."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]

pytest.importorskip("importlinter", reason="import-linter comes with the dev extra")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    built = shutil.ignore_patterns("*.so", "_codec.c", "_phones.c", "__pycache__")
    shutil.copytree(ROOT / "relay", tmp_path / "relay", ignore=built)
    return tmp_path


def broken_contracts(checkout: Path) -> list[str]:
    result = subprocess.run(LINT, cwd=checkout, capture_output=True, text=True, check=False)
    broken = re.findall(r"^(.+) BROKEN", result.stdout, re.MULTILINE)
    assert "Contracts: " in result.stdout, result
    assert (result.returncode == 0) == (not broken)
    return broken


def plant(checkout: Path, name: str, text: str) -> None:
    module = checkout / "relay" / name
    for package in module.parents[: len(Path(name).parents)]:
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
    module.write_text(text)


def test_package_keeps_its_contracts() -> None:
    assert broken_contracts(ROOT) == []


def test_stray_module_breaks_the_layers(copy: Path) -> None:
    plant(copy, "helpers.py", "")
    assert broken_contracts(copy) == ["Layers"]


@pytest.mark.parametrize(
    ("name", "text", "contract"),
    [
        ("media/tone.py", "import relay.bridge", "Layers"),
        ("providers/twilio.py", "import relay.transfers", "Layers"),
        ("errors.py", "import relay.media", "Layers"),
        ("media/tone.py", "import time", "Only these open sockets, read clocks or know asyncio"),
        ("transfers/states.py", "from asyncio import sleep", "Only these open sockets, read clocks or know asyncio"),
        ("bridge/bridge.py", "import daily", "Only rooms.daily imports daily"),
        ("transfers/coordinator.py", "import redis", "Only transfers.door and the lines behind it import redis"),
        ("app/api.py", "import relay.conformance", "Layers"),
        ("app/api.py", "import hypothesis", "Only conformance imports hypothesis, and nothing pytest"),
        ("app/api.py", "import numpy", "What tests, benchmarks and carriers' SDKs bring is never imported"),
    ],
)
@pytest.mark.long
def test_each_rule_fails_when_broken(copy: Path, name: str, text: str, contract: str) -> None:
    for package in ("bridge", "media", "transfers"):
        plant(copy, f"{package}/__init__.py", "")
    plant(copy, name, text)
    assert broken_contracts(copy) == [contract]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bridge/worker.py", "import asyncio, time, relay.rooms, relay.media"),
        ("rooms/daily.py", "import daily, relay.media"),
        ("transfers/door.py", "import redis"),
        ("transfers/lines.py", "import asyncio, redis"),
    ],
)
@pytest.mark.long
def test_what_the_design_allows_passes(copy: Path, name: str, text: str) -> None:
    for package in ("media", "rooms"):
        plant(copy, f"{package}/__init__.py", "")
    plant(copy, name, text)
    assert broken_contracts(copy) == []


def test_native_core_imports_nothing_of_relay() -> None:
    """import-linter does not read Cython."""
    sources = [*ROOT.glob("relay/_codec.p*"), *ROOT.glob("relay/native/*.pxi"), ROOT / "relay/dev/bench/_phones.pyx"]
    assert len(sources) >= 4
    for source in sources:
        assert not re.search(r"^\s*(from|c?import)\s+(relay|\.)", source.read_text(), re.MULTILINE), source
