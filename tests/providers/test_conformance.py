"""Every adapter passes the whole suite, with every case: see relay/conformance."""

from collections.abc import Callable

import pytest

from relay.conformance import CHECKS, Case
from tests.providers.all_cases import CASES


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_conforms(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
