"""The recorded session, message by message, both ways."""

from __future__ import annotations

from relay.conformance.case import Case, Clear, Mark, NotOurs, Play, events_of, outcome
from relay.errors import RemoteProtocolError
from relay.providers.base import AudioReceived, DtmfReceived, Event, FrameRule, MarkReached, StreamStarted


def session_is_replayed_byte_for_byte(case: Case) -> None:
    """Each message brings its events, and each command makes its messages, in the session's order."""
    adapter, session = case.new_adapter(), iter(case.session)
    for number, step in enumerate(case.steps):
        if isinstance(step, Play | Mark | Clear):
            for message in step.messages(adapter):
                recorded = next(session)
                expected = recorded.message
                assert not recorded.from_carrier, f"{case}, step {number}: expected one to the carrier, got one from it"
                assert message == expected, f"{case}, step {number}: expected {expected}, got {message}"
        elif isinstance(step, NotOurs):
            assert not next(session).from_carrier
        else:
            recorded = next(session)
            assert recorded.from_carrier, f"{case}, step {number}: expected a message from the carrier, got one to it"
            said = events_of(adapter, recorded.message)
            assert said == list(step), f"{case}, step {number}: expected {step}, got {said}"
    left = len(list(session))
    assert left == 0, f"{case}: expected steps for every message of the session, got {left} without"


def session_shows_all_that_the_carrier_can_do(case: Case) -> None:
    """Else the rest of the suite would be held over nothing."""
    can = case.new_adapter().capabilities
    needed: dict[type[Event], int] = {StreamStarted: 1, AudioReceived: 3}
    needed |= {DtmfReceived: 1} if can.dtmf_received else {}
    needed |= {MarkReached: 1} if can.marks else {}
    for kind, count in needed.items():
        found = len(case.of(kind))
        assert found >= count, f"{case}: expected {count} {kind.__name__} or more in the session, got {found}"
    kinds = [type(step) for step in case.steps]
    commands = [Play] + [Mark] * can.marks + [Clear] * can.clear
    missing = [command.__name__ for command in commands if command not in kinds]
    assert not missing, f"{case}: expected every command in the session, got none of {missing}"


def adapter_says_who_it_is(case: Case) -> None:
    """A name for settings and logs, and frames of whole samples."""
    fresh, opened = case.new_adapter(), case.opened()
    assert fresh.name, f"{case}: expected a name, got none"
    assert fresh.name == opened.name
    assert fresh.capabilities == opened.capabilities
    assert isinstance(fresh.frame_rule, FrameRule)
    rule = opened.frame_rule
    for size in (rule.multiple_bytes, rule.min_bytes):
        whole = size % case.format.sample_bytes == 0
        assert whole, f"{case}: expected a frame rule of whole samples of {case.format}, got {rule}"


def streams_share_nothing(case: Case) -> None:
    """Two streams at once, each message to both: they say the same, and so does a third that comes after them."""
    first, second = case.new_adapter(), case.new_adapter()
    for message, said in zip(case.received, case.said, strict=True):
        assert events_of(first, message) == events_of(second, message) == said
    third = case.new_adapter()
    assert [events_of(third, message) for message in case.received] == case.said


def messages_of_the_other_kind_are_refused(case: Case) -> None:
    """Audio comes in the kind of message that ``Capabilities.audio`` says; control comes as text."""
    for adapter in (case.new_adapter(), case.opened()):
        if adapter.capabilities.audio == "text":
            try:
                adapter.payload_of(b"\x00" * 640)
            except RemoteProtocolError:
                continue
            raise AssertionError(f"{case}: expected a binary message to be refused, got audio")
        assert (adapter.media_in, adapter.media_out) == (None, None)
    kinds = {message.is_binary for message in case.of(AudioReceived)}
    assert kinds == {case.new_adapter().capabilities.audio == "binary"}


def text_may_come_as_str_or_bytes(case: Case) -> None:
    """Both are a text message."""
    adapter = case.new_adapter()
    for message, said in zip(case.received, case.said, strict=True):
        if message.is_binary:
            assert events_of(adapter, message) == said
        else:
            assert outcome(adapter, message.data.decode()) == said


CHECKS = (
    session_is_replayed_byte_for_byte,
    session_shows_all_that_the_carrier_can_do,
    adapter_says_who_it_is,
    streams_share_nothing,
    messages_of_the_other_kind_are_refused,
    text_may_come_as_str_or_bytes,
)
