"""A script is one outcome, outcomes by number, or a function; outcomes that make no sense are refused."""

import pytest

from relay.dev.carrier_outcomes import ANSWERED, BUSY, NO_ANSWER, Declines, Delivery, outcome_of

NUMBER = "+15550100001"


def test_a_script_may_be_one_outcome_for_all() -> None:
    assert outcome_of(BUSY, NUMBER) is BUSY


def test_a_script_by_number_answers_the_others() -> None:
    assert outcome_of({NUMBER: BUSY}, NUMBER) is BUSY
    assert outcome_of({NUMBER: BUSY}, "+15550100002") is ANSWERED


def test_a_script_may_be_a_function_of_the_number() -> None:
    assert outcome_of(lambda number: NO_ANSWER if number.endswith("1") else BUSY, NUMBER) is NO_ANSWER


def test_only_busy_and_failed_are_ends_without_an_answer() -> None:
    with pytest.raises(ValueError, match="expected busy or failed, got 'completed'"):
        Declines(status="completed")


@pytest.mark.parametrize("order", [(1,), (0, 0), (0, 2), (-1, 0)])
def test_an_order_of_callbacks_is_a_permutation(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a permutation"):
        Delivery(order=order)
