"""The suite itself: what does not exist passes it, and no check of it passes everybody."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.conformance import CHECKS, CONTROL_CHECKS, Case, Closed, ControlCase
from tests.conformance.broken import BROKEN, LIES, OUT_BROKEN, HasNoTemplate
from tests.conformance.broken_controls import BROKEN_CONTROLS, ONLY_ASKS, ONLY_ASKS_IN_VAIN
from tests.conformance.made_up import ACME, ACME_CONTROL, BINARY_ACME, AcmeAdapter

BY_NAME = {check.__name__: check for check in CHECKS}
CONTROL_BY_NAME = {check.__name__: check for check in CONTROL_CHECKS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", [ACME, BINARY_ACME], ids=str)
def test_a_made_up_carrier_passes(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_broken_one_fails(check: Callable[[Case], None]) -> None:
    error = RecursionError if "deep_but" in check.__name__ else AssertionError
    with pytest.raises(error, match=r"expected .*, got|recursion"):
        check(BROKEN[check.__name__])


@pytest.mark.parametrize(("check", "case"), LIES, ids=str)
def test_a_lie_about_what_the_carrier_can_do_is_found(check: str, case: Case) -> None:
    with pytest.raises(AssertionError, match=r"expected .*, got"):
        BY_NAME[check](case)


def test_a_stream_that_is_closed_without_a_word_passes() -> None:
    case = replace(ACME, session=ACME.session[:-1], steps=[*ACME.steps[:-1], Closed()])
    for name in ("stream_ends_once", "session_is_replayed_byte_for_byte", "closed_stream_offers_no_native_path"):
        BY_NAME[name](case)


@pytest.mark.parametrize("adapter", OUT_BROKEN)
def test_a_check_of_what_goes_out_looks_at_it(adapter: type[AcmeAdapter]) -> None:
    with pytest.raises(AssertionError, match=r"expected .*, got"):
        BY_NAME["any_audio_goes_out_the_same_by_both_ways"](replace(ACME, new_adapter=adapter))


def test_a_check_of_what_goes_out_needs_no_template_of_what_is_numbered() -> None:
    check = BY_NAME["any_audio_goes_out_the_same_by_both_ways"]
    check(replace(ACME, new_adapter=HasNoTemplate, numbers_audio=True))
    with pytest.raises(AssertionError, match="media_out of an open stream is a template: expected False, got True"):
        check(replace(ACME, numbers_audio=True))


@pytest.mark.parametrize("check", CONTROL_CHECKS, ids=lambda check: check.__name__)
def test_a_made_up_control_passes(check: Callable[[ControlCase], None]) -> None:
    check(ACME_CONTROL)


@pytest.mark.parametrize("check", CONTROL_CHECKS, ids=lambda check: check.__name__)
def test_a_broken_control_fails(check: Callable[[ControlCase], None]) -> None:
    with pytest.raises(AssertionError, match=r"expected .*, got"):
        check(BROKEN_CONTROLS[check.__name__])


def test_a_control_that_only_asks_needs_a_stream_whose_end_is_the_calls() -> None:
    check = CONTROL_BY_NAME["hang_up_can_be_sent_of_the_carriers_own_calls_only"]
    check(ONLY_ASKS)
    with pytest.raises(AssertionError, match="the hang-up ends the call, or its stream does: expected True, got False"):
        check(ONLY_ASKS_IN_VAIN)


def test_each_check_has_one_that_it_finds_and_says_what_it_promises() -> None:
    assert set(BROKEN) == set(BY_NAME)
    assert set(BROKEN_CONTROLS) == set(CONTROL_BY_NAME)
    assert [name for name, check in (BY_NAME | CONTROL_BY_NAME).items() if not check.__doc__] == []
