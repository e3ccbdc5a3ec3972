"""The measures of the house: how long a file may be, and what every file starts with."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 350
GENERATED = {"relay/_codec.c", "relay/dev/bench/_phones.c", "relay/native/fir_tables.h", "relay/native/retime_table.h"}
SUFFIXES = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ""}


def sources() -> Iterator[str]:
    for folder in ("relay", "tests", "scripts", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix in SUFFIXES and name not in GENERATED:
                yield name


def test_no_file_is_too_long() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in sources()}
    assert len(lengths) > 40
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_every_module_says_what_it_owns() -> None:
    modules = [name for name in sources() if name.endswith(".py") and (ROOT / name).read_text()]
    assert [name for name in modules if not ast.get_docstring(ast.parse((ROOT / name).read_text()))] == []


def test_every_ignored_ruff_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    rules = tomllib.loads(text)["tool"]["ruff"]["lint"]
    ignored = [*rules["ignore"], *(rule for each in rules["per-file-ignores"].values() for rule in each)]
    assert len(ignored) > 10
    assert [rule for rule in ignored if f'"{rule}", # ' not in text] == []


@pytest.mark.parametrize("name", ["demo", "setup", "test", "check", "bench", "sanitize"])
def test_commands_are_executable(name: str) -> None:
    assert (ROOT / "scripts" / name).stat().st_mode & 0o111
