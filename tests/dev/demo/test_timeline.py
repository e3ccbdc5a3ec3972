"""The timeline has acts when they are done, and relay's events when relay says that they happened."""

from datetime import timedelta

import pytest

from relay.client import Event, Reason, State
from relay.dev.demo.timeline import Entry, Timeline, Who, told
from tests.dev.demo import made_up


def test_whoever_listens_is_told_of_each_entry() -> None:
    heard: list[Entry] = []
    timeline = Timeline(heard.append)
    timeline.note(Who.BOT, "asks")
    assert heard == timeline.entries
    assert [(entry.who, entry.what, entry.state) for entry in heard] == [(Who.BOT, "asks", None)]
    assert 0 <= heard[0].at_s < 5


def test_an_event_is_placed_by_its_own_time() -> None:
    timeline = Timeline()
    timeline.start = made_up.START
    timeline.note_event(made_up.told(Event.RANG, State.RINGING, 1.5))
    assert timeline.entries == [Entry(1.5, Who.RELAY, "the phone rings, and the customer hears it", State.RINGING)]


def test_the_start_counts_by_both_clocks() -> None:
    start = made_up.START
    assert start.since_ns(start.monotonic_ns + 1_500_000_000) == 1.5
    assert start.since(start.utc + timedelta(seconds=2)) == 2.0


@pytest.mark.parametrize("event", [event for event in Event if event not in {Event.ENDED, Event.STOPPED}])
def test_every_event_has_words(event: Event) -> None:
    assert " " in told(made_up.told(event, State.JOINED, 0))


def test_the_end_is_told_with_its_reason_and_an_unknown_event_by_its_name() -> None:
    assert told(made_up.told(Event.ENDED, State.FAILED, 0, Reason.BUSY)) == "it is over: busy"
    assert told(made_up.told("new", State.JOINED, 0)) == "new"  # type: ignore[arg-type] # a newer relay's
