"""What a carrier is said to be able to do, held against what it did: the bridge and the docs believe it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, get_args, get_type_hints

from relay.conformance.case import Case, Clear, Closed, Mark, expect
from relay.providers.base import AudioReceived, Capabilities, CarrierFault, FlowChanged, MarkReached, StreamStopped

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 6455, 4.1


def capabilities_are_of_their_kinds(case: Case) -> None:
    """Each one of the words, or yes or no, that it may be."""
    can = case.new_adapter().capabilities
    for name, kind in get_type_hints(Capabilities).items():
        words = (True, False) if kind is bool else get_args(kind)
        if all(type(word) in (str, bool) for word in words) and words:
            value = getattr(can, name)
            is_one = any(value == word and type(value) is type(word) for word in words)
            expect(case, f"{name} {value!r} is one of {words}", is_one, expected=True)
    expect(case, "marks after a clear, without marks or without a clear", can.marks_after_clear, _possible(can))


def _possible(can: Capabilities) -> str:
    """Nobody knows what never happens."""
    return can.marks_after_clear if can.marks and can.clear else "unknown"


def audio_is_out_of_order_where_it_may_be(case: Case) -> None:
    """A session of a carrier that is not ``ordered`` shows it, with numbers to order it by; any other's is in order."""
    sequences = [event.sequence for event in case.events() if isinstance(event, AudioReceived)]
    numbers = [number for number in sequences if number is not None]
    is_late = any(later <= number for number, later in pairwise(numbers))
    expect(
        case, f"audio out of order in the session, {sequences}", is_late, not case.new_adapter().capabilities.ordered
    )


def marks_out_at_a_clear_come_back_or_not(case: Case) -> None:
    """A session shows one, and what became of it, unless nobody knows."""
    said = case.new_adapter().capabilities.marks_after_clear
    cleared, returned = _cleared(case)
    if said != "unknown":
        expect(case, f"a mark out at a clear in the session, {said}", bool(cleared), expected=True)
        expect(
            case, f"marks that came back after the clear, {said}", returned, cleared if said == "returned" else set()
        )


def _cleared(case: Case) -> tuple[set[str], set[str]]:
    """The names of the marks that were out at a clear, and of those of them that came back after it."""
    out: set[str] = set()
    cleared: set[str] = set()
    returned: set[str] = set()
    for step in case.steps:
        if isinstance(step, Mark):
            out.add(step.name)
        elif isinstance(step, Clear):
            cleared |= out
        elif isinstance(step, Sequence):
            reached = {event.name for event in step if isinstance(event, MarkReached)}
            returned |= reached & cleared
            out -= reached
    return cleared, returned


def session_shows_what_only_some_carriers_say(case: Case) -> None:
    """That its buffer is full, and then is not; that something went wrong. Of others it shows neither."""
    can = case.new_adapter().capabilities
    flow = [event.paused for event in case.events() if isinstance(event, FlowChanged)]
    expect(
        case,
        "says_when_full: pauses and their ends in the session",
        {*flow},
        {True, False} if can.says_when_full else set(),
    )
    faults = [event for event in case.events() if isinstance(event, CarrierFault)]
    expect(case, "tells_faults: faults in the session", bool(faults), can.tells_faults)


def subprotocol_is_one_that_the_carrier_offers(case: Case) -> None:
    """Any other would be selected for nobody, and a carrier that has offered some may hang up if none is selected."""
    subprotocol = case.new_adapter().capabilities.subprotocol
    expect(
        case,
        "subprotocol",
        subprotocol in case.subprotocols if case.subprotocols else subprotocol is None,
        expected=True,
    )
    odd = [each for each in case.subprotocols if not _TOKEN.fullmatch(each)]
    expect(case, "subprotocols that are no tokens", odd, [])


def stream_ends_once(case: Case) -> None:
    """By a word of the carrier, or by its WebSocket being closed without one: then there is no event, and no other."""
    ends = [event for event in case.events() if isinstance(event, StreamStopped)]
    closings = [step for step in case.steps if isinstance(step, Closed)]
    expect(case, "stops, and closings without one, in the session", len(ends) + len(closings), 1)
    if closings:
        expect(case, "the last step", case.steps[-1], Closed())


CHECKS = (
    capabilities_are_of_their_kinds,
    audio_is_out_of_order_where_it_may_be,
    marks_out_at_a_clear_come_back_or_not,
    session_shows_what_only_some_carriers_say,
    subprotocol_is_one_that_the_carrier_offers,
    stream_ends_once,
)
