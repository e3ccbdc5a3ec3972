"""Every adapter passes the whole suite, with every case: see relay/conformance."""

import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.conformance import CHECKS, Case, harm
from relay.providers.registry import GROUP
from tests.providers.all_cases import CASES

ROOT = Path(__file__).parents[2]


def tries_much(check: Callable[[Case], None]) -> bool:
    return check in harm.CHECKS or hasattr(check, "hypothesis")


def pairs() -> list[object]:
    """What tries much is long, but for a carrier's first case: its others differ from it in little."""
    first = {case.new_adapter().name: str(case) for case in reversed(CASES)}.values()
    return [
        pytest.param(
            case,
            check,
            id=f"{case}-{check.__name__}",
            marks=[pytest.mark.long] if tries_much(check) and str(case) not in first else [],
        )
        for case in CASES
        for check in CHECKS
    ]


@pytest.mark.parametrize(("case", "check"), pairs())
def test_conforms(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_every_carrier_of_the_entry_points_has_its_cases_and_its_own_name() -> None:
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    found = {}
    for name, place in entries.items():
        module, _, made = place.partition(":")
        found[name] = getattr(importlib.import_module(module), made)
    assert {name: adapter().name for name, adapter in found.items()} == {name: name for name in entries}
    assert {case.new_adapter for case in CASES} == set(found.values())
    assert list(entries) == sorted(entries)
