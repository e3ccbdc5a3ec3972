"""What is written is read back, whatever it is; what anybody else wrote is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import StoreUnavailable
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, Transfer
from relay.transfers.states import TRANSITIONS, Event, State
from relay.transfers.stored import (
    flatten_new,
    read_event,
    read_transfer,
    reconnecting_text,
    sources_text,
    transfer_key,
)
from tests.transfers.stores import new_transfer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COUNTS = st.integers(0, 10**14)
TRANSFERS = st.builds(
    Transfer,
    transfer_id=st.just(new_transfer().transfer_id),
    state=st.sampled_from(State),
    version=COUNTS,
    epoch=COUNTS,
    streams=COUNTS,
    updated_ms=COUNTS,
    owner=TEXTS,
    provider=TEXTS,
    room_url=TEXTS,
    to_masked=TEXTS,
    destination=st.none() | TEXTS,
    accept=st.sampled_from(Accept),
    customer_id=st.none() | TEXTS,
    bot_id=st.none() | TEXTS,
    provider_call_id=st.none() | TEXTS,
    provider_code=st.none() | TEXTS,
    reason=st.none() | st.sampled_from(Reason),
    reconnecting=st.booleans(),
    ring_timeout_s=st.floats(0, 1e6),
    max_duration_s=st.floats(0, 1e6),
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
    times_ms=st.dictionaries(st.sampled_from(State), COUNTS),
)


def as_redis_says(transfer: Transfer) -> list[bytes]:
    """Return what HGETALL would answer when the scripts have added theirs."""
    added = ["state", transfer.state, "version", transfer.version, "updated_ms", transfer.updated_ms]
    return [str(word).encode() for word in (*flatten_new(transfer), *added)]


@given(TRANSFERS)
def test_every_transfer_is_read_as_it_was_written(transfer: Transfer) -> None:
    assert read_transfer(transfer.transfer_id, as_redis_says(transfer)) == transfer


@given(TRANSFERS, st.data())
def test_what_is_written_over_by_anybody_is_read_as_a_transfer_or_refused(
    transfer: Transfer, data: st.DataObject
) -> None:
    flat = as_redis_says(transfer)
    flat[data.draw(st.integers(0, len(flat) - 1))] = data.draw(st.binary(max_size=20))
    try:
        read_transfer(transfer.transfer_id, flat)
    except StoreUnavailable:
        return


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=20))
def test_what_nobody_wrote_is_refused(flat: list[bytes]) -> None:
    with pytest.raises(StoreUnavailable):
        read_transfer("tr_", flat)


@pytest.mark.parametrize(
    "entry",
    [[], [b"1-0"], [b"1-0", []], [b"1-0", [b"version"]], [b"1-0", [b"version", b"1", b"state", b"x", b"at_ms", b"1"]]],
)
def test_an_entry_that_nobody_wrote_is_refused(entry: list[object]) -> None:
    with pytest.raises(StoreUnavailable, match="an event of transfer tr_ cannot be read as it is stored"):
        read_event("tr_", entry)


def test_nothing_is_stored_under_a_name_that_the_record_does_not_have() -> None:
    """So nothing can be: no token, no number."""
    names = {str(name).partition(":")[0] for name in flatten_new(new_transfer(reason=Reason.BUSY))[::2]}
    assert names <= {"schema", *Transfer.__slots__}


def test_braces_keep_what_belongs_to_a_transfer_together() -> None:
    assert transfer_key("relay", "tr_1") == "relay:{tr_1}"


def test_the_script_is_told_the_table_and_how_long_each_state_is_kept() -> None:
    told = {
        (State(before), event, State(after), int(ttl_s))
        for event in Event
        for before, after, ttl_s in (
            item.split(">") for item in sources_text(event, keep_s=1, live_s=2).split("|") if item
        )
    }
    assert told == {
        (before, event, after, 1 if after.is_terminal else 2) for (before, event), after in TRANSITIONS.items()
    }


def test_events_that_say_nothing_of_media_leave_it() -> None:
    said = {event: reconnecting_text(event) for event in Event}
    assert {event for event in said if said[event] == "1"} == {Event.MEDIA_LOST}
    assert {event for event in said if said[event] == "0"} == {Event.MEDIA_BACK, Event.ENDED, Event.STOPPED}
