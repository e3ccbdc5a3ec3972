"""The one table: what follows what, and what never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.transfers.reasons import Reason
from relay.transfers.states import (
    LIVE,
    TERMINAL,
    TRANSITIONS,
    UNJOINED,
    Event,
    State,
    closing_event,
    next_state,
    sources,
)

PAGE = Path(__file__).parents[2] / "docs" / "transfers.md"


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_nothing_follows_a_terminal_state(state: State, event: Event) -> None:
    assert next_state(state, event) is None


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_transfer_can_be_ended_and_stopped(state: State) -> None:
    for event in (Event.ENDED, Event.STOPPED):
        after = next_state(state, event)
        assert after is not None
        assert after.is_terminal


def test_only_what_was_joined_is_disconnected() -> None:
    before = {state for (state, _), after in TRANSITIONS.items() if after is State.DISCONNECTED}
    assert before == {State.JOINED}
    never_joined = {after for (state, _), after in TRANSITIONS.items() if state in UNJOINED and after.is_terminal}
    assert never_joined == {State.FAILED, State.CANCELED}


def test_every_state_is_reached_and_no_live_one_is_a_dead_end() -> None:
    reached = {State.REQUESTED}
    for _ in State:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(State)
    assert {before for before, _ in TRANSITIONS} == LIVE


def test_a_transfer_is_dialled_once() -> None:
    assert sources(Event.DIALED) == {State.REQUESTED: State.DIALING}
    assert State.REQUESTED not in TRANSITIONS.values()


def test_ringing_may_be_skipped_and_never_comes_back() -> None:
    assert next_state(State.DIALING, Event.ANSWERED) is State.ANSWERED
    for state in (State.RINGING, State.ANSWERED, State.JOINED):
        assert next_state(state, Event.RANG) is None


@pytest.mark.parametrize("event", Event)
def test_sources_are_the_rows_of_the_table(event: Event) -> None:
    assert sources(event) == {state: next_state(state, event) for state in State if next_state(state, event)}


@pytest.mark.parametrize("reason", Reason)
def test_only_what_somebody_wanted_is_a_stop(reason: Reason) -> None:
    wanted = {Reason.CANCELED_BY_API, Reason.CUSTOMER_LEFT}
    assert closing_event(reason) is (Event.STOPPED if reason in wanted else Event.ENDED)


def test_the_diagram_in_the_docs_is_drawn_from_the_table() -> None:
    from draw_transfer_diagram import with_diagram  # noqa: PLC0415 - conftest.py puts scripts/ on the path

    assert PAGE.read_text() == with_diagram(PAGE.read_text())


def test_the_diagram_has_an_arrow_for_every_row_of_the_table() -> None:
    from draw_transfer_diagram import diagram  # noqa: PLC0415 - conftest.py puts scripts/ on the path

    drawn = diagram()
    for (before, event), after in TRANSITIONS.items():
        assert any(
            line.strip().startswith(f"{before} --> {after}: ") and event in line.partition(": ")[2].split(", ")
            for line in drawn.splitlines()
        )


def test_a_page_without_a_place_for_the_diagram_is_refused() -> None:
    from draw_transfer_diagram import with_diagram  # noqa: PLC0415 - conftest.py puts scripts/ on the path

    with pytest.raises(ValueError, match="expected a page with"):
        with_diagram("# Transfers\n")


@pytest.mark.parametrize("word", [*State, *Event])
def test_the_docs_explain_every_state_and_event(word: str) -> None:
    assert f"`{word}`" in PAGE.read_text()
