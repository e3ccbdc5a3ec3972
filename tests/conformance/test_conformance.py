"""The suite itself: what does not exist passes it, and no check of it passes everybody."""

from collections.abc import Callable

import pytest

from relay.conformance import CHECKS, Case
from tests.conformance.broken import BROKEN
from tests.conformance.made_up import ACME, BINARY_ACME

BY_NAME = {check.__name__: check for check in CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", [ACME, BINARY_ACME], ids=str)
def test_a_made_up_carrier_passes(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_one_fails(check: Callable[[Case], None]) -> None:
    error = RecursionError if "deep_but" in check.__name__ else AssertionError
    with pytest.raises(error, match=r"expected .*, got|recursion"):
        check(BROKEN[check.__name__])


def test_each_check_has_one_that_it_finds_and_says_what_it_promises() -> None:
    assert set(BROKEN) == set(BY_NAME)
    assert [name for name, check in BY_NAME.items() if not check.__doc__] == []
