"""The recorded session, message by message, both ways."""

from __future__ import annotations

from relay.conformance.case import Case, Clear, Closed, Dtmf, Mark, NotOurs, Play, Recorded, events_of, expect, outcome
from relay.errors import RemoteProtocolError
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted


def session_is_replayed_byte_for_byte(case: Case) -> None:
    """Each message brings its events, and each command makes its messages, in the session's order."""
    adapter, session = case.new_adapter(), iter(case.session)
    for number, step in enumerate(case.steps):
        here = f"step {number}, {step}"
        if isinstance(step, Play | Mark | Clear | Dtmf):
            for message in step.messages(adapter):
                expect(case, here, Recorded(message, from_carrier=False), next(session, None))
        elif isinstance(step, NotOurs):
            expect(case, here, next(session).from_carrier, expected=False)
        elif not isinstance(step, Closed):
            recorded = next(session)
            expect(case, f"{here}: is from the carrier", recorded.from_carrier, expected=True)
            expect(case, here, outcome(adapter, recorded.message), list(step))
    expect(case, "messages without a step", list(session), [])


def session_shows_all_that_the_carrier_can_do(case: Case) -> None:
    """Else the rest of the suite would be held over nothing."""
    can = case.new_adapter().capabilities
    needed: dict[type[Event], int] = {StreamStarted: 1, AudioReceived: 3}
    needed |= {DtmfReceived: 1} if can.dtmf_received else {}
    needed |= {MarkReached: 1} if can.marks else {}
    for kind, count in needed.items():
        expect(case, f"{kind.__name__} in the session", min(len(case.of(kind)), count), count)
    kinds = {type(step) for step in case.steps}
    commands = [Play, *([Mark] if can.marks else []), *([Clear] if can.clear else [])]
    commands += [Dtmf] if can.dtmf_sent == "stream" else []
    expect(case, "commands not in the session", [each.__name__ for each in commands if each not in kinds], [])


def adapter_says_who_it_is(case: Case) -> None:
    """A name for settings and logs, and frames of whole samples."""
    fresh, opened = case.new_adapter(), case.opened()
    expect(case, "has a name", bool(fresh.name), expected=True)
    expect(case, "name", opened.name, fresh.name)
    expect(case, "capabilities", opened.capabilities, fresh.capabilities)
    rule = opened.frame_rule
    odd = [size for size in (rule.multiple_bytes, rule.min_bytes) if size % case.format.sample_bytes]
    expect(case, f"sizes of the frame rule that are no whole samples of {case.format}", odd, [])


def streams_share_nothing(case: Case) -> None:
    """Two streams at once, each message to both: they say the same, and so does a third that comes after them."""
    first, second = case.new_adapter(), case.new_adapter()
    for message, said in zip(case.received, case.said, strict=True):
        expect(case, f"one of two streams, {message}", outcome(first, message), said)
        expect(case, f"the other, {message}", outcome(second, message), said)
    third = case.new_adapter()
    expect(case, "a third stream", [outcome(third, message) for message in case.received], case.said)


def messages_of_the_other_kind_are_refused(case: Case) -> None:
    """Audio comes in the kind of message that ``Capabilities.audio`` says; control comes as text."""
    is_binary = case.new_adapter().capabilities.audio == "binary"
    expect(case, "audio is binary", {message.is_binary for message in case.of(AudioReceived)}, {is_binary})
    for adapter in (case.new_adapter(), case.opened()):
        if is_binary:
            expect(case, "templates of binary messages", (adapter.media_in, adapter.media_out), (None, None))
            continue
        try:
            got = adapter.payload_of(bytes(640))
        except RemoteProtocolError:
            continue
        raise AssertionError(f"{case}: a binary message: expected RemoteProtocolError, got {len(got)} bytes of audio")


def text_may_come_as_str_or_bytes(case: Case) -> None:
    """Both are a text message."""
    adapter = case.new_adapter()
    for message, said in zip(case.received, case.said, strict=True):
        if message.is_binary:
            events_of(adapter, message)
        else:
            expect(case, f"{message} as str", outcome(adapter, message.data.decode()), said)


CHECKS = (
    session_is_replayed_byte_for_byte,
    session_shows_all_that_the_carrier_can_do,
    adapter_says_who_it_is,
    streams_share_nothing,
    messages_of_the_other_kind_are_refused,
    text_may_come_as_str_or_bytes,
)
