"""What must be true at the end of a scenario: small checks of the evidence, put together by scenarios. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.client import Event, Reason, State
from relay.dev.demo.evidence import Direction, Evidence

VOICE_MOMENTS_MIN: Final = 3
"""So many stretches of a voice that were found again: it was heard."""
DELAY_MAX_MS: Final = 300.0
"""The median: above it people talk over each other (ITU-T G.114 has 150 ms for good and 400 ms for the limit)."""
BACK_TO_MS: Final = 150.0
"""Above what it was before: the delay is back."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true, whether it is, and what is there instead if it is not."""

    what: str
    ok: bool
    got: str


Expectation: TypeAlias = Callable[[Evidence], Check]


def _same(what: str, expected: object, got: object) -> Check:
    return Check(what, expected == got, str(got))


# Always


def played(evidence: Evidence) -> Check:
    """Everybody could do what the scenario has them do."""
    return Check("the scenario was played to its end", evidence.broke is None, evidence.broke or "")


def terminal(evidence: Evidence) -> Check:
    """The transfer is over."""
    state = evidence.transfer.state if evidence.transfer is not None else None
    is_over = state is not None and state.is_terminal
    return Check("the transfer is over", is_over, str(state or "no transfer"))


def no_live_call(evidence: Evidence) -> Check:
    """No phone is left alive."""
    return Check("no call is left at the carrier", evidence.live_calls == 0, f"{evidence.live_calls} live calls")


def nothing_left_over(evidence: Evidence) -> Check:
    """What was made for the call has been removed: it would be there until the carrier is started again."""
    left = evidence.left_over
    return Check("nothing else is left at the carrier", not left, ", ".join(left))


def nobody_left(evidence: Evidence) -> Check:
    """No participant of ours is left in the room."""
    left = evidence.ours_in_room
    return Check("relay has left the room", not left, ", ".join(left))


def no_violations(evidence: Evidence) -> Check:
    """The carrier has nothing to complain of."""
    found = evidence.violations
    return Check("the carrier has nothing to complain of", not found, "; ".join(found))


INVARIANTS: Final[tuple[Expectation, ...]] = (
    *(played, terminal, no_live_call, nothing_left_over),
    *(nobody_left, no_violations),
)
"""Of every scenario."""


# Of some


def ends(state: State, reason: Reason) -> Expectation:
    """How it ends."""

    def check(evidence: Evidence) -> Check:
        transfer = evidence.transfer
        got = f"{transfer.state} ({transfer.reason_text})" if transfer is not None else "no transfer"
        return _same(f"it ends {state} ({reason})", f"{state} ({reason})", got)

    return check


def passes(*states: State) -> Expectation:
    """The states it goes through, all of them, in this order; ringing only with a carrier that tells of it."""

    def check(evidence: Evidence) -> Check:
        told = evidence.traits.tells_ringing
        path = " > ".join(state for state in states if told or state is not State.RINGING)
        return _same(f"it goes {path}", path, " > ".join(state for state, _ in evidence.states_s))

    return check


def dials(requests: int = 1, *, calls: int = 1) -> Expectation:
    """How often the carrier is asked, and how many calls there are in all."""

    def check(evidence: Evidence) -> Check:
        got = (evidence.dial_requests, len(evidence.calls))
        what = f"requests to dial: {requests}, calls placed: {calls}"
        return Check(what, got == (requests, calls), f"{got[0]} and {got[1]}")

    return check


def heard(direction: Direction) -> Expectation:
    """A voice is heard, and soon enough."""

    def check(evidence: Evidence) -> Check:
        moments = evidence.moments.get(direction, ())
        what = f"{WHO_HEARS[direction]} within {DELAY_MAX_MS:g} ms"
        if len(moments) < VOICE_MOMENTS_MIN:
            return Check(what, ok=False, got=f"heard in {len(moments)} stretches of a tenth of a second")
        median_ms = statistics.median(moment.delay_ms for moment in moments)
        return Check(what, median_ms <= DELAY_MAX_MS, f"{median_ms:.0f} ms (median)")

    return check


WHO_HEARS: Final = {
    Direction.AGENT_TO_ROOM: "the customer hears the agent",
    Direction.ROOM_TO_AGENT: "the agent hears the customer",
}


def unheard(direction: Direction) -> Expectation:
    """A voice is not heard at all."""

    def check(evidence: Evidence) -> Check:
        count = len(evidence.moments.get(direction, ()))
        what = WHO_HEARS[direction].replace("hears", "never hears")
        return Check(what, count < VOICE_MOMENTS_MIN, f"heard in {count} stretches of a tenth of a second")

    return check


def happens(*events: Event) -> Expectation:
    """These events are told, in this order."""

    def check(evidence: Evidence) -> Check:
        told = [event.event for event in evidence.events if event.event in events]
        return _same(f"relay tells of {', then '.join(events)}", [each.value for each in events], told)

    return check


def heard_again(direction: Direction, after: str, *, within_s: float) -> Expectation:
    """After an act a voice is heard with the delay it had before, soon."""

    def check(evidence: Evidence) -> Check:
        what = f"{within_s:g} s after {after}, {WHO_HEARS[direction]} with the delay of before"
        act_s = evidence.acts.get(after)
        if act_s is None:
            return Check(what, ok=False, got=f"{after}: it did not happen")
        began_s = min([act_s, *(span.from_s for span in evidence.spans)])
        before = evidence.moments_between(direction, 0.0, began_s)
        since = evidence.moments_between(direction, act_s + within_s, float("inf"))
        if not before or len(since) < VOICE_MOMENTS_MIN:
            return Check(what, ok=False, got=f"heard in {len(before)} stretches before and {len(since)} after it")
        was_ms, is_ms = (statistics.median(each.delay_ms for each in part) for part in (before, since))
        return Check(what, is_ms <= was_ms + BACK_TO_MS, f"{was_ms:.0f} ms before, {is_ms:.0f} ms after")

    return check


def phone_hung_up(after: str, *, within_s: float) -> Expectation:
    """After an act the phone is hung up, soon: it rings, or costs money."""

    def check(evidence: Evidence) -> Check:
        what = f"the phone is hung up within {within_s:g} s of {after}"
        act_s, ends_s = evidence.acts.get(after), [call.ended_at_s for call in evidence.calls]
        if act_s is None or not ends_s or ends_s[-1] is None:
            return Check(what, ok=False, got="it was not")
        took_s = ends_s[-1] - act_s
        return Check(what, took_s <= within_s, f"{took_s:.2f} s")

    return check


def streams(count: int) -> Expectation:
    """How many media streams the carrier opens, each with a token of its own."""

    def check(evidence: Evidence) -> Check:
        return _same(f"the carrier opens {count} media streams", count, sum(call.streams for call in evidence.calls))

    return check


def one_transfer(evidence: Evidence) -> Check:
    """Asked again with the same key it is the same transfer; with another, 409 and the id of the live one."""
    what = "asked again it is the same transfer; with another key, 409 with its id"
    again, transfer = evidence.asked_again, evidence.transfer
    if again is None or transfer is None:
        return Check(what, ok=False, got="no answer")
    expected = (transfer.transfer_id, 409, transfer.transfer_id)
    got = (again.same_key_id, again.other_key_status, again.other_key_id)
    return Check(what, expected == got, f"{got}")
