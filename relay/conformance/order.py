"""The order of a stream's messages: one start, one stop, nothing before the one or after the other."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.conformance.case import Case, expect, outcome
from relay.errors import RemoteProtocolError
from relay.providers.base import Event, FlowChanged, StreamStarted, StreamStopped


def _in_any_order(case: Case, order: Sequence[int]) -> tuple[list[Event], list[Event]]:
    """The events of the session's messages in this order, and those that should be let through."""
    adapter = case.new_adapter()
    found: list[Event] = []
    expected: list[Event] = []
    is_open = is_over = False
    for number in order:
        said = case.said[number]
        result = outcome(adapter, case.received[number])
        is_start = any(isinstance(event, StreamStarted) for event in said)
        too_early = bool(said) and not is_open and not is_start and not is_over
        if said or is_open:
            refused = isinstance(result, RemoteProtocolError)
            expect(case, f"message {number} in the order {order}, {result}, refused", refused, too_early)
        found += result if isinstance(result, list) else []
        if not is_over and not too_early and not (is_start and is_open):
            expected += said
        is_open |= is_start
        is_over |= any(isinstance(event, StreamStopped) for event in expected[-1:])
    return found, expected


@settings(deadline=None)
@given(data=st.data())
def in_any_order_there_is_one_start_one_stop_and_nothing_after_it(case: Case, data: st.DataObject) -> None:
    """Whatever comes how often; only a pause that is said again may or may not be news."""
    numbers = st.integers(0, len(case.received) - 1)
    found, expected = _in_any_order(case, data.draw(st.lists(numbers, max_size=30)))
    got, wanted = ([event for event in events if not isinstance(event, FlowChanged)] for events in (found, expected))
    expect(case, "events in any order", got, wanted)


def session_that_comes_twice_is_heard_once(case: Case) -> None:
    """After its stop, nothing is news."""
    adapter = case.new_adapter()
    expect(case, "the session", [outcome(adapter, message) for message in case.received], case.said)
    if case.is_stopped:
        again = [outcome(adapter, message) for message in case.received]
        expect(case, "the session again", again, [[]] * len(case.received))


def start_again_is_no_news_and_leaves_the_templates_alone(case: Case) -> None:
    """Carriers repeat themselves."""
    adapter = case.opened()
    before = adapter.media_in, adapter.media_out, adapter.frame_rule
    expect(case, "the start again", outcome(adapter, case.of(StreamStarted)[0]), [])
    expect(case, "templates and rule", (adapter.media_in, adapter.media_out, adapter.frame_rule), before)


def closed_stream_offers_no_native_path(case: Case) -> None:
    """Audio after the end would otherwise pass by the order."""
    fresh = case.new_adapter()
    expect(case, "templates before the start", (fresh.media_in, fresh.media_out), (None, None))
    if case.is_stopped:
        adapter = case.closed()
        expect(case, "templates after the end", (adapter.media_in, adapter.media_out), (None, None))


CHECKS = (
    in_any_order_there_is_one_start_one_stop_and_nothing_after_it,
    session_that_comes_twice_is_heard_once,
    start_again_is_no_news_and_leaves_the_templates_alone,
    closed_stream_offers_no_native_path,
)
