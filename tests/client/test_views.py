"""Transfers, events and destinations as values: read strictly, but a newer relay may say more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.client.errors import UnexpectedAnswer
from relay.client.views import destinations, transfer_event, transfer_view, transfer_views
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.client.stand_in import AT, event_json, transfer_json

MOMENT = datetime(2026, 11, 26, 12, 0, 0, 123000, tzinfo=UTC)


def test_a_transfer_is_read_whole() -> None:
    view = transfer_view(
        transfer_json(
            "failed",
            reason="busy",
            retryable=True,
            sentence="I'm sorry.",
            provider_call_id="CA1",
            provider_code="486",
            metadata={"ticket": "7"},
            ring_timeout_s=12.5,
            times={"requested": AT, "failed": AT},
        )
    )
    assert (view.state, view.reason, view.reason_text) == (State.FAILED, Reason.BUSY, "busy")
    assert (view.retryable, view.sentence, view.is_terminal) == (True, "I'm sorry.", True)
    assert (view.provider, view.provider_call_id, view.provider_code) == ("twilio", "CA1", "486")
    assert (view.destination, view.to, view.accept) == ("billing", "+*********23", "none")
    assert (view.ring_timeout_s, view.max_duration_s, view.metadata) == (12.5, 14400, {"ticket": "7"})
    assert view.created_at == view.updated_at == MOMENT
    assert view.times == {State.REQUESTED: MOMENT, State.FAILED: MOMENT}


def test_a_live_transfer_has_no_reason_yet() -> None:
    view = transfer_view(transfer_json("ringing"))
    assert (view.reason, view.reason_text, view.retryable, view.sentence) == (None, None, None, None)
    assert not view.is_terminal


def test_a_newer_relay_may_say_more() -> None:
    view = transfer_view(
        transfer_json("failed", reason="meteor", sentence="Oh.", cost={"eur": 1}, times={"requested": AT, "parked": 7})
    )
    assert (view.reason, view.reason_text, view.sentence) == (None, "meteor", "Oh.")
    assert view.times == {State.REQUESTED: MOMENT}


def test_an_older_relay_may_leave_out_what_may_be_null() -> None:
    answer = transfer_json()
    for name in ("reason", "retryable", "sentence", "provider_code", "bot_id"):
        del answer[name]
    assert transfer_view(answer).sentence is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": None}, "transfer.id: expected a string, got None"),
        ({"state": "parked"}, "transfer.state: expected one of requested, dialing, .*, canceled, got 'parked'"),
        ({"reason": 7}, "transfer.reason: expected a string, got 7"),
        ({"retryable": "yes"}, "transfer.retryable: expected true or false, got 'yes'"),
        ({"reconnecting": 1}, "transfer.reconnecting: expected true or false, got 1"),
        ({"ring_timeout_s": True}, "transfer.ring_timeout_s: expected a number, got True"),
        ({"max_duration_s": "1"}, "transfer.max_duration_s: expected a number, got '1'"),
        ({"metadata": []}, r"transfer.metadata: expected an object, got \[\]"),
        ({"metadata": {"a": 1}}, "transfer.metadata.a: expected a string, got 1"),
        ({"created_at": "soon"}, "transfer.created_at: expected an ISO 8601 time with its zone, got 'soon'"),
        (
            {"updated_at": "2026-11-26T12:00:00"},
            "transfer.updated_at: expected an ISO 8601 time with its zone, got '2026",
        ),
        ({"times": {"joined": 0}}, "transfer.times.joined: expected a string, got 0"),
        ({"to": ["x" * 500]}, r"transfer.to: expected a string, got \['x{70,80}\.\.\.$"),
    ],
)
def test_what_is_not_as_it_should_be_is_told_with_its_place(changes: dict[str, Any], message: str) -> None:
    answer = transfer_json(**{"state": "ringing", **changes})
    with pytest.raises(UnexpectedAnswer, match=message):
        transfer_view(answer)


@pytest.mark.parametrize("name", ["id", "state", "provider", "to", "room_url", "created_at", "metadata", "times"])
def test_what_every_transfer_has_must_be_there(name: str) -> None:
    answer = transfer_json()
    del answer[name]
    with pytest.raises(UnexpectedAnswer, match=f"transfer.{name}: expected .*, got (nothing|None)"):
        transfer_view(answer)


@pytest.mark.parametrize("answer", [None, [], "tr_1", 7])
def test_what_is_no_object_is_no_transfer(answer: object) -> None:
    with pytest.raises(UnexpectedAnswer, match="transfer: expected an object, got"):
        transfer_view(answer)


def test_a_list_of_transfers_names_the_one_that_is_wrong() -> None:
    assert len(transfer_views({"transfers": [transfer_json(), transfer_json()]})) == 2
    with pytest.raises(UnexpectedAnswer, match=r"answer.transfers\[1\].state: expected one of"):
        transfer_views({"transfers": [transfer_json(), transfer_json("parked")]})
    with pytest.raises(UnexpectedAnswer, match=r"answer\.transfers: expected a list, got nothing"):
        transfer_views({})


@pytest.mark.parametrize(
    ("state", "until", "reached"),
    [
        ("requested", State.RINGING, False),
        ("ringing", State.RINGING, True),
        ("answered", State.RINGING, True),
        ("answered", State.JOINED, False),
        ("joined", State.JOINED, True),
        ("joined", State.DISCONNECTED, False),
        ("failed", State.JOINED, True),
        ("canceled", State.DISCONNECTED, True),
    ],
)
def test_a_state_is_reached_when_it_is_come_to_passed_or_out_of_reach(
    state: str, until: State, *, reached: bool
) -> None:
    assert transfer_view(transfer_json(state)).has_reached(until) is reached


def test_metadata_is_not_shown() -> None:
    """A bot's log would have it otherwise."""
    assert "canary" not in repr(transfer_view(transfer_json(metadata={"note": "canary"})))


def test_an_event_is_read_whole() -> None:
    said = {"reason": "meteor", "retryable": True, "sentence": "Oh.", "changes": {"provider_code": "486"}}
    data = {**event_json(4, "failed"), **said, "event": "ended", "more": 1}
    event = transfer_event("9-0", data)
    assert (event.retryable, event.sentence, event.changes) == (True, "Oh.", {"provider_code": "486"})
    assert (event.entry_id, event.version, event.event, event.state) == ("9-0", 4, "ended", State.FAILED)
    assert (event.reason, event.reason_text, event.at) == (None, "meteor", MOMENT)
    with pytest.raises(UnexpectedAnswer, match=r"event\.version: expected a whole number, got 4\.5"):
        transfer_event("9-0", {**data, "version": 4.5})


def test_a_destination_is_read() -> None:
    (billing,) = destinations(
        {"destinations": [{"name": "billing", "provider": "twilio", "to": "+*23", "accept": "none"}]}
    )
    assert (billing.name, billing.provider, billing.to, billing.accept) == ("billing", "twilio", "+*23", "none")
