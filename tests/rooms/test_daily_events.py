"""Who is there, each told once, whatever the order of events; and which connections are interrupted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rooms.base import Participant
from relay.rooms.daily_events import Connections, Roster, participant_of, reason_of
from tests.rooms.daily_stand_in import fields_of

LOCAL = fields_of("me", "relay", is_local=True)


def test_join_returns_the_others_and_not_ourselves() -> None:
    roster = Roster()
    participants = {"local": LOCAL, "a": fields_of("a", "bot"), "me": LOCAL}
    assert roster.joined(participants) == (Participant("a", "bot"),)


def test_those_who_were_there_are_not_told_again() -> None:
    """The SDK tells of them by events, before the join has completed or after."""
    roster = Roster()
    assert roster.came(fields_of("a", "bot")) is None
    assert roster.joined({"local": LOCAL, "a": fields_of("a", "bot")}) == (Participant("a", "bot"),)
    assert roster.came(fields_of("a", "bot")) is None
    assert roster.came(LOCAL) is None


def test_who_came_or_went_while_joining_is_in_what_join_returns_or_not() -> None:
    roster = Roster()
    roster.came(fields_of("late", "customer"))
    roster.went(fields_of("a", "bot"))
    assert roster.joined({"local": LOCAL, "a": fields_of("a", "bot")}) == (Participant("late", "customer"),)


def test_who_goes_is_told_once_as_they_came_and_may_come_again() -> None:
    roster = Roster()
    roster.joined({"local": LOCAL})
    assert roster.came(fields_of("a", "bot")) == Participant("a", "bot")
    assert roster.went({"id": "a"}) == Participant("a", "bot")
    assert roster.went({"id": "a"}) is None
    assert roster.came(fields_of("a", "bot")) == Participant("a", "bot")


@given(st.lists(st.tuples(st.sampled_from(["came", "went", "joined"]), st.sampled_from("abc"))))
def test_nobody_is_told_twice_and_nobody_goes_who_has_not_come(events: list[tuple[str, str]]) -> None:
    roster, present, is_joined = Roster(), set[str](), False
    for event, who in events:
        if event == "joined":
            if not is_joined:
                present = {each.participant_id for each in roster.joined({"local": LOCAL, who: fields_of(who, "")})}
            is_joined = True
            continue
        told = getattr(roster, event)(fields_of(who, ""))
        if told is None:
            continue
        assert is_joined
        assert (who in present) == (event == "went")
        present.symmetric_difference_update({who})


@pytest.mark.parametrize("fields", [{}, {"id": None}, {"id": ""}, {"info": {"userName": "x"}}])
def test_a_participant_without_an_id_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected a participant with an id"):
        participant_of(fields)


@pytest.mark.parametrize("info", [None, {}, {"userName": None}, "x"])
def test_a_participant_may_have_no_name(info: object) -> None:
    assert participant_of({"id": "a", "info": info}) == Participant("a", "")


def test_reasons_are_in_the_words_of_rooms() -> None:
    assert [reason_of(each) for each in ("leftCall", "hidden")] == ["left", "hidden"]


def test_f21_interruption_is_counted_while_it_lasts() -> None:
    connections = Connections()
    connections.update({"connection": "signaling", "event": "interrupted"})
    connections.tick(500)
    connections.update({"connection": "sfu-send", "event": "interrupted"})
    connections.update({"connection": "signaling", "event": "connected"})
    connections.tick(500)
    assert (connections.are_interrupted, connections.interrupted_ms) == (True, 1000)
    connections.update({"connection": "p2p", "event": "connected"})
    connections.tick(500)
    assert (connections.are_interrupted, connections.interrupted_ms) == (False, 0)


def test_a_status_that_is_neither_is_refused() -> None:
    with pytest.raises(ValueError, match="connected or interrupted"):
        Connections().update({"connection": "signaling", "event": "moved"})
