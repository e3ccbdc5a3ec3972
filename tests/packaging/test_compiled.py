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
    for name, digest in json.loads(note.read_text()).items():
        assert sha256((ROOT / name).read_bytes()).hexdigest() == digest, f"{name} has changed: run scripts/setup"


def test_modules_with_types_can_be_had_without() -> None:
    subprocess.run([sys.executable, "-c", PROOF], check=True, cwd=ROOT)


@pytest.mark.long
@pytest.mark.parametrize("package", sorted({name.split(".")[1] for name in SOURCES}))
def test_the_same_tests_pass_without_being_compiled(package: str) -> None:
    names = [source.stem for source in SOURCES.values() if source.parent.name == package]
    tests = [
        str(path) for name in (*names, "arrivals", "cut") for path in ROOT.glob(f"tests/{package}/test_{name}*.py")
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.packaging.uncompiled", "-m", "", *tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
