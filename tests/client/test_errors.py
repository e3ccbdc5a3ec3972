"""The client's errors: the tree is the one shown, each problem is the error it should be, and bots can speak of it."""

import re

import pytest

from relay.client import errors
from relay.client.errors import (
    ClientError,
    Conflict,
    NotFound,
    Overloaded,
    Problem,
    RefusedRequest,
    RelayApiError,
    RelayUnreachable,
    RequestInProgress,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimedOut,
    error_of,
)
from relay.errors import RelayError
from relay.transfers.states import State

TIMED_OUT = WaitTimedOut("tr_1", until=State.JOINED, timeout_s=60, last_state=State.RINGING)
ONE_OF_EACH = [
    RelayUnreachable("no connection"),
    UnexpectedAnswer("transfer.state", expected="a string", got="7"),
    TIMED_OUT,
    *(error_of(Problem(status=status)) for status in (401, 403, 404, 409, 422, 429, 500, 502, 503)),
    error_of(Problem(status=409, type="urn:relay:problem:transfer-conflict")),
    error_of(Problem(status=409, type="urn:relay:problem:request-in-progress")),
]


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    assert errors.__doc__ is not None
    path, found = [RelayError.__name__], dict[str, str]()
    for indent, name in re.findall(r"^([│ ]*[├└]── )(\w+)", errors.__doc__, re.MULTILINE):
        depth = len(indent) // 4
        path[depth:] = [name]
        found[name] = path[depth - 1]
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ClientError)]
    assert len(classes) > 8
    assert found == {each.__name__: each.__bases__[0].__name__ for each in classes}


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "", RefusedRequest),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Unauthorized),
        (404, "not-found", NotFound),
        (405, "", RefusedRequest),
        (409, "transfer-conflict", Conflict),
        (409, "request-in-progress", RequestInProgress),
        (409, "something-new", RefusedRequest),
        (422, "invalid-request", RefusedRequest),
        (429, "allowance-used-up", Overloaded),
        (500, "", RelayApiError),
        (502, "", RelayApiError),
        (503, "store-unavailable", Overloaded),
    ],
)
def test_a_problem_is_the_error_of_its_name_or_status(status: int, name: str, kind: type[RelayApiError]) -> None:
    error = error_of(Problem(status=status, type=f"urn:relay:problem:{name}"))
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: f"{type(error).__name__}-{error}"[:40])
def test_every_error_has_a_sentence_for_the_customer(error: ClientError) -> None:
    assert re.fullmatch(r"I('m| am) [a-z ',]+\.", error.sentence)


def test_what_may_succeed_later_says_so() -> None:
    kinds = {type(error) for error in ONE_OF_EACH if error.retryable}
    assert kinds == {RelayUnreachable, RequestInProgress, Overloaded, RelayApiError}


def test_a_wait_that_timed_out_says_what_was_expected_and_what_came() -> None:
    assert isinstance(TIMED_OUT, TimeoutError)
    assert str(TIMED_OUT) == "tr_1: expected to be joined within 60 s, got ringing"
    assert (TIMED_OUT.transfer_id, TIMED_OUT.until, TIMED_OUT.timeout_s) == ("tr_1", State.JOINED, 60)
    nothing = WaitTimedOut("tr_1", until=State.JOINED, timeout_s=0.5, last_state=None)
    assert str(nothing) == "tr_1: expected to be joined within 0.5 s, got no answer"


def test_a_conflict_without_a_readable_id_has_none() -> None:
    conflict = Conflict(Problem(status=409, members={"transfer_id": 7}))
    assert conflict.transfer_id is None


@pytest.mark.parametrize(
    ("title", "detail", "message"),
    [("Busy", "all taken", "503 Busy: all taken"), ("Busy", "", "503 Busy"), ("", "", "503")],
)
def test_a_message_has_what_was_said(title: str, detail: str, message: str) -> None:
    assert str(error_of(Problem(status=503, title=title, detail=detail))) == message
