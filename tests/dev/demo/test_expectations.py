"""Each check passes for what is as it should be, and fails for what is not: none of them passes always."""

from dataclasses import replace
from typing import Any

import pytest

from relay.client import Event, Reason, State
from relay.dev.demo.evidence import AskedAgain, Direction, PhoneCall, Span
from relay.dev.demo.expectations import (
    INVARIANTS,
    Expectation,
    dials,
    ends,
    happens,
    heard,
    heard_again,
    one_transfer,
    passes,
    phone_hung_up,
    streams,
    unheard,
)
from tests.dev.demo.made_up import PATH, TRANSFER_ID, evidence, moments, told, transfer

LEAVING = "the customer leaving"
AGENT, ROOM = Direction.AGENT_TO_ROOM, Direction.ROOM_TO_AGENT
CALL = evidence().calls[0]


@pytest.mark.parametrize("expectation", INVARIANTS)
def test_what_always_must_be_true_is_true_of_what_went_well(expectation: Expectation) -> None:
    assert expectation(evidence()).ok


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"broke": "x: not within 5 s"}, "x: not within 5 s"),
        ({"transfer": None}, "no transfer"),
        ({"transfer": transfer(*PATH[:-1])}, "joined"),
        ({"live_calls": 1}, "1 live calls"),
        ({"left_over": ("bridge 1", "channel 2")}, "bridge 1, channel 2"),
        ({"ours_in_room": ("relay",)}, "relay"),
        ({"violations": ("a", "b")}, "a; b"),
    ],
)
def test_what_always_must_be_true_is_found_wrong(changes: dict[str, Any], got: str) -> None:
    checks = [expectation(evidence(**changes)) for expectation in INVARIANTS]
    assert [check.got for check in checks if not check.ok] == [got]


GOOD_AND_BAD = [
    (ends(State.DISCONNECTED, Reason.CUSTOMER_LEFT), {}, {"transfer": transfer(*PATH, reason=Reason.AGENT_HUNG_UP)}),
    (ends(State.FAILED, Reason.BUSY), {"transfer": transfer(State.FAILED, reason=Reason.BUSY)}, {"transfer": None}),
    (passes(*PATH), {}, {"transfer": transfer(PATH[0], *PATH[2:])}),
    (dials(), {}, {"dial_requests": 2}),
    (dials(3, calls=1), {"dial_requests": 3}, {"dial_requests": 3, "calls": (CALL, CALL)}),
    (heard(AGENT), {}, {"moments": {AGENT: moments(60, 4, 4.2)}}),
    (heard(ROOM), {}, {"moments": {ROOM: moments(301, 4, 9)}}),
    (unheard(AGENT), {"moments": {}}, {}),
    (happens(Event.JOINED), {}, {"events": ()}),
    (
        happens(Event.MEDIA_LOST, Event.MEDIA_BACK),
        {"events": (told(Event.MEDIA_LOST, State.JOINED, 5), told(Event.MEDIA_BACK, State.JOINED, 6))},
        {"events": (told(Event.MEDIA_BACK, State.JOINED, 5), told(Event.MEDIA_LOST, State.JOINED, 6))},
    ),
    (phone_hung_up(LEAVING, within_s=1.0), {}, {"calls": (replace(CALL, ended_at_s=10.5),)}),
    (phone_hung_up(LEAVING, within_s=1.0), {}, {"calls": (replace(CALL, ended_at_s=None),)}),
    (phone_hung_up(LEAVING, within_s=1.0), {}, {"calls": ()}),
    (phone_hung_up(LEAVING, within_s=1.0), {}, {"acts": {}}),
    (streams(1), {}, {"calls": (PhoneCall("completed", 9.0, 2, 0, 0.0),)}),
    (
        one_transfer,
        {"asked_again": AskedAgain(TRANSFER_ID, 409, TRANSFER_ID)},
        {"asked_again": AskedAgain("tr_other", 409, TRANSFER_ID)},
    ),
    (one_transfer, {"asked_again": AskedAgain(TRANSFER_ID, 409, TRANSFER_ID)}, {}),
    (
        one_transfer,
        {"asked_again": AskedAgain(TRANSFER_ID, 409, TRANSFER_ID)},
        {"asked_again": AskedAgain(TRANSFER_ID, 201, "tr_other")},
    ),
]


@pytest.mark.parametrize(("expectation", "good", "bad"), GOOD_AND_BAD)
def test_a_check_tells_good_from_bad(expectation: Expectation, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert expectation(evidence(**good)).ok
    check = expectation(evidence(**bad))
    assert not check.ok
    assert check.what
    assert check.got


def stalled(after_ms: float, from_s: float = 6.0) -> dict[str, Any]:
    """A stall from 5 s to 6 s, and what is heard after it."""
    heard_then = [*moments(60, 4, 5), *moments(after_ms, from_s, 12)]
    return {"moments": {AGENT: heard_then}, "acts": {"the stall": 6.0}, "spans": (Span("stall", 5.0, 6.0),)}


def test_after_a_stall_the_delay_must_be_what_it_was() -> None:
    expectation = heard_again(AGENT, "the stall", within_s=3.0)
    assert expectation(evidence(**stalled(70))).ok
    late = expectation(evidence(**stalled(900)))
    assert (late.ok, late.got) == (False, "60 ms before, 900 ms after")


def test_after_a_stall_something_must_be_heard() -> None:
    expectation = heard_again(AGENT, "the stall", within_s=3.0)
    assert not expectation(evidence(**stalled(60, from_s=11.9))).ok
    assert not expectation(evidence()).ok
