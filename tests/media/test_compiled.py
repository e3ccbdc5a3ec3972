"""What is compiled with C types does what it does without: the same tests pass on both."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.media.uncompiled import TYPED

HERE = Path(__file__).parent
PROOF = """
import sys
sys.path.insert(0, ".")
from tests.media.uncompiled import pytest_load_initial_conftests
pytest_load_initial_conftests()
import relay.media.{0}
print(relay.media.{0}.__file__)
"""


@pytest.mark.parametrize("name", TYPED)
def test_a_module_with_types_is_compiled_here(name: str) -> None:
    built = importlib.import_module(f"relay.media.{name}").__file__
    assert built is not None
    assert built.endswith(tuple(EXTENSION_SUFFIXES))


@pytest.mark.parametrize("name", TYPED)
def test_a_module_with_types_can_be_had_without(name: str) -> None:
    command = [sys.executable, "-c", PROOF.format(name)]
    file = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parents[1]).stdout
    assert file.strip().endswith(f"{name}.py")


@pytest.mark.long
def test_the_same_tests_pass_without_being_compiled() -> None:
    tests = [str(path) for name in (*TYPED, "arrivals", "cut") for path in HERE.glob(f"test_{name}.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.media.uncompiled", "-m", "", *tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parents[1])
    assert done.returncode == 0, done.stdout
