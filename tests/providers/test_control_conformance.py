"""Every control side passes the whole suite: see relay/conformance."""

from collections.abc import Callable

import pytest

from relay.conformance import CONTROL_CHECKS, ControlCase
from relay.providers.registry import OWN
from tests.providers.all_requests import CONTROL_CASES


@pytest.mark.parametrize("check", CONTROL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CONTROL_CASES, ids=str)
def test_t1_t3_t4_t5_t6_conforms(case: ControlCase, check: Callable[[ControlCase], None]) -> None:
    check(case)


def test_every_carrier_of_relays_own_has_its_case() -> None:
    assert {str(case) for case in CONTROL_CASES} == set(OWN)
