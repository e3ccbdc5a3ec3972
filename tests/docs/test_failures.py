"""The page on failures names tests that there are, and all of them that are of a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/failures.md").read_text()
NAME = re.compile(r"`(test_\w+)`")
ROW = re.compile(r"^\| (F\d+) \|", re.MULTILINE)


def names_of_tests() -> set[str]:
    files = sorted((ROOT / "tests/faults").glob("test_*.py"))
    bodies = [ast.parse(file.read_text()).body for file in files]
    functions = [node.name for body in bodies for node in body if isinstance(node, ast.AsyncFunctionDef)]
    return {name for name in functions if name.startswith("test_")}


def test_every_test_that_the_page_names_exists() -> None:
    named = NAME.findall(PAGE)
    assert len(named) > 40
    assert set(named) - names_of_tests() == set()


def test_every_test_of_a_row_is_on_the_page_in_that_row() -> None:
    rows: dict[str, str] = {}
    for line in PAGE.splitlines():
        if ROW.match(line):
            row = line.split()[1].lower()
            rows[row] = rows.get(row, "") + line
    of_rows = {name for name in names_of_tests() if re.match(r"test_f\d", name)}
    assert [name for name in sorted(of_rows) if f"`{name}`" not in rows[name.split("_")[1]]] == []
    assert set(rows) == {name.split("_")[1] for name in of_rows}
