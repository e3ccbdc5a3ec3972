"""Every adapter passes the whole suite, with every case: see relay/conformance."""

from collections.abc import Callable

import pytest

from relay.conformance import CHECKS, Case, harm
from relay.providers.registry import OWN, adapter_class
from tests.providers.all_cases import CASES


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


def test_every_carrier_of_relays_own_has_its_cases_and_its_own_name() -> None:
    found = {name: adapter_class(name) for name in OWN}
    assert {name: adapter().name for name, adapter in found.items()} == {name: name for name in OWN}
    assert {case.new_adapter for case in CASES} == set(found.values())
