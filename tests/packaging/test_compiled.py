"""What is compiled with C types does what it does without: the same tests pass on both."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from tests.packaging.uncompiled import ROOT, SOURCES

PROOF = """
import importlib, sys
sys.path.insert(0, ".")
from tests.packaging.uncompiled import SOURCES, pytest_load_initial_conftests
pytest_load_initial_conftests()
for name, source in SOURCES.items():
    assert importlib.import_module(name).__file__ == str(source), name
"""


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_with_types_is_compiled_here(name: str) -> None:
    built = importlib.import_module(name).__file__
    assert built is not None
    assert built.endswith(tuple(EXTENSION_SUFFIXES))


def test_what_was_compiled_is_what_is_here() -> None:
    note = ROOT / "build" / "compiled.json"
    if not note.exists():
        pytest.skip("built elsewhere")
    compiled = json.loads(note.read_text())
    for name, digest in compiled.items():
        assert sha256((ROOT / name).read_bytes()).hexdigest() == digest, f"{name} has changed: run scripts/setup"
    built = ROOT.glob(f"relay/*/**/*{EXTENSION_SUFFIXES[0]}")
    here = {each.with_name(f"{each.name.partition('.')[0]}.py") for each in built}
    here -= {each.with_suffix(".py") for each in ROOT.glob("relay/*/**/*.pyx")}
    assert here == {ROOT / name for name in compiled if name.startswith("relay/") and name.endswith(".py")}


def test_modules_with_types_can_be_had_without() -> None:
    subprocess.run([sys.executable, "-c", PROOF], check=True, cwd=ROOT)


WORKERS = tuple(f"test_{name}" for name in ("daily", "driver", "handoff", "in_process", "pool", "spares", "worker"))
"""Of processes of their own, in which everything is compiled."""
BRIDGE = tuple(str(path) for path in sorted(ROOT.glob("tests/bridge/test_*.py")) if not path.name.startswith(WORKERS))
TESTS = (
    ("tests/media",),
    BRIDGE,
    ("tests/rooms/test_device_clock.py", "tests/rooms/test_gate.py", "tests/rooms/test_loopback.py"),
    ("tests/dev/bench/test_bridge_seat.py",),
)


def test_what_is_tested_without_is_all_that_is_compiled() -> None:
    others = {source.stem for source in SOURCES.values() if source.parent.name not in {"bridge", "media"}}
    assert others == {"device_clock", "gate", "loopback", "bridge_seat"}


@pytest.mark.long
@pytest.mark.parametrize("tests", TESTS, ids=["media", "bridge", "rooms", "seat"])
def test_the_same_tests_pass_without_being_compiled(tests: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.packaging.uncompiled", *tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
