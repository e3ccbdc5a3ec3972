"""Each test that the page on security names is there, and each threat has one that has its number."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/security.md").read_text()
ROWS = dict(re.findall(r"^\| (T[0-9]+) \|.*\| (.*) \|$", PAGE, re.MULTILINE))
NAMED = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
THERE = {
    name
    for path in TESTS.rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
}


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 40
    assert sorted(NAMED - THERE) == []


@pytest.mark.parametrize(
    "threat", ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T9", "T11", "T12", "T13", "T14", "T20", "T21", "T22"]
)
def test_every_threat_has_a_row_with_tests_of_its_name(threat: str) -> None:
    names = re.findall(r"`(test_[a-z0-9_]+)`", ROWS[threat])
    assert [name for name in names if f"_{threat.lower()}_" in name] != []
