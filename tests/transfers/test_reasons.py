"""The closed list of reasons."""

from relay.transfers.reasons import Reason


def test_every_reason_says_whether_to_retry_and_what_to_say() -> None:
    for reason in Reason:
        assert reason.retryable in (True, False)
        assert reason.sentence.endswith(".")


def test_a_call_that_may_have_rung_is_not_retried() -> None:
    assert not Reason.DIAL_UNKNOWN.retryable


def test_reasons_are_their_wire_names() -> None:
    assert Reason("media_lost") is Reason.MEDIA_LOST
    assert f"{Reason.CUSTOMER_LEFT}" == "customer_left"
