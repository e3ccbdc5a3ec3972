"""Whatever comes: events or ``RemoteProtocolError``, and after an error all is as it was before."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.conformance.case import Case, Message, events_of, expect, outcome
from relay.conformance.mutations import broken, broken_bytes, compact, disturbed, nested, places, replaced
from relay.errors import RemoteProtocolError
from relay.providers.base import AudioReceived, MediaAdapter, StreamStarted
from relay.providers.fields import MESSAGE_MAX_BYTES

ERROR_MAX_CHARS = 400
_SECRET_MIN_CHARS = 4
_QUOTE_CHARS = 24


def check_harmless(case: Case, before: int, message: Message) -> None:
    """Put ``message`` before one of the session: if it is refused, the session goes on as if it had not come."""
    adapter = case.new_adapter()
    for each in case.received[:before]:
        events_of(adapter, each)
    offered = adapter.media_in, adapter.media_out, adapter.frame_rule
    result = outcome(adapter, message)
    if not isinstance(result, RemoteProtocolError):
        return
    text = str(result)
    expect(case, "the error's carrier", result.carrier, adapter.name)
    expect(case, f"an error of at most {ERROR_MAX_CHARS} characters", text[ERROR_MAX_CHARS:], "")
    expect(case, f"secrets and payloads in {text!r}", [each for each in _secrets(case) if each in text], [])
    expect(case, "templates and rule", (adapter.media_in, adapter.media_out, adapter.frame_rule), offered)
    _check_rest(case, adapter, before, message)


def _check_rest(case: Case, adapter: MediaAdapter, before: int, refused: object) -> None:
    rest = [outcome(adapter, each) for each in case.received[before:]]
    expect(case, f"the session's rest after {refused}, which was refused", rest, case.said[before:])


def _secrets(case: Case) -> set[str]:
    """Custom parameters may be tokens; a payload is what somebody says."""
    secrets = set()
    for event in case.events():
        if isinstance(event, StreamStarted):
            secrets |= {value for value in event.custom.values() if len(value) >= _SECRET_MIN_CHARS}
        elif isinstance(event, AudioReceived):
            secrets.add(base64.b64encode(event.payload).decode()[:_QUOTE_CHARS])
    return secrets


def any_one_place_changed_is_read_or_refused_and_then_changes_nothing(case: Case) -> None:
    """Every place of every message, every type; of what is no JSON, every length."""
    for number, message in enumerate(case.received):
        value = message.value
        for data in broken_bytes(message.data) if value is None else broken(value):
            check_harmless(case, number, Message(data, message.is_binary))


@settings(deadline=None)
@given(data=st.data())
def disturbed_message_is_read_or_refused_and_then_changes_nothing(case: Case, data: st.DataObject) -> None:
    """Of each kind, at every point of the session."""
    before = data.draw(st.integers(0, len(case.received)))
    message = data.draw(st.sampled_from(case.received))
    text = data.draw(disturbed([message.data if message.value is None else message.value]))
    check_harmless(case, before, Message(text, message.is_binary))


@settings(deadline=None)
@given(text=st.one_of(st.binary(max_size=60), st.text(max_size=30)), before=st.integers(0, 5))
def any_text_is_read_or_refused_and_then_changes_nothing(case: Case, text: bytes | str, before: int) -> None:
    """As bytes that need not be UTF-8, and as str that need not be Unicode."""
    adapter = case.new_adapter()
    for each in case.received[:before]:
        events_of(adapter, each)
    result = outcome(adapter, text)
    if isinstance(result, RemoteProtocolError):
        _check_rest(case, adapter, before, text)


def _deep_and_huge(message: Message) -> list[bytes]:
    if message.value is None:
        return [message.data + b" " + b"x" * size for size in (MESSAGE_MAX_BYTES, 1 << 20)]
    text = compact({**message.value, "extra": "x"})
    fillings = (
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        nested(1100),
        b'"' + b"x" * MESSAGE_MAX_BYTES + b'"',
        b"[" + b"[]," * MESSAGE_MAX_BYTES + b"[]]",
        b'"' + b"x" * (1 << 20) + b'"',
    )
    return [text.replace(b'"x"', filling) for filling in fillings]


def huge_or_deep_message_is_refused_and_changes_nothing(case: Case) -> None:
    """Text of more than 64 KiB or 1024 levels; the bridge bounds what a binary message holds."""
    for number, message in enumerate(case.received):
        for text in _deep_and_huge(message) if not message.is_binary else ():
            refused = isinstance(outcome(case.opened(), text), RemoteProtocolError)
            expect(case, f"{len(text)} bytes, refused", refused, expected=True)
            check_harmless(case, number, Message(text))


def what_is_deep_but_is_read_cannot_break_an_error(case: Case) -> None:
    """Up to 1024 levels are read: deeper than Python prints."""
    deep = nested(1000)
    for number, message in enumerate(case.received):
        for place, _ in places(message.value):
            if len(place) in (1, 2):
                text = compact(replaced(message.value, place, "DEEP")).replace(b'"DEEP"', deep)
                check_harmless(case, number, Message(text))


CHECKS = (
    any_one_place_changed_is_read_or_refused_and_then_changes_nothing,
    disturbed_message_is_read_or_refused_and_then_changes_nothing,
    any_text_is_read_or_refused_and_then_changes_nothing,
    huge_or_deep_message_is_refused_and_changes_nothing,
    what_is_deep_but_is_read_cannot_break_an_error,
)
