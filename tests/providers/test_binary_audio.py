"""What binary carriers share: messages that are payloads, frames of the stream's format, and what each says oddly."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.conformance import Case
from relay.conformance.case import Message, events_of
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import AudioReceived, Event, FrameRule, MediaAdapter, StreamStarted
from relay.providers.fields import MESSAGE_MAX_BYTES
from tests.providers import asterisk_cases, jambonz_cases, vonage_cases
from tests.providers.asterisk_cases import JSON
from tests.providers.jambonz_cases import JAMBONZ
from tests.providers.vonage_cases import VONAGE

CARRIERS: list[tuple[Case, Any]] = [(VONAGE, vonage_cases), (JAMBONZ, jambonz_cases), (JSON, asterisk_cases)]
each_carrier = pytest.mark.parametrize("case", [case for case, _ in CARRIERS], ids=str)


def rows(table: str) -> Callable[[Callable[..., None]], pytest.MarkDecorator]:
    """Every row of each carrier's table."""
    found = [(case, module, what, row) for case, module in CARRIERS for what, row in getattr(module, table).items()]
    values = [(case, module.STARTED, *(row if isinstance(row, tuple) else (row,))) for case, module, _, row in found]
    names = ["case", "started", "message", "expected"][: len(values[0])]
    return pytest.mark.parametrize(
        names, values, ids=[f"{case.new_adapter().name}: {what}" for case, _, what, _ in found]
    )


def goes_on(case: Case, adapter: MediaAdapter) -> bool:
    """Whether the next message of audio is heard."""
    audio = case.of(AudioReceived)[0]
    return events_of(adapter, audio) == [AudioReceived(audio.data)]


@rows("STARTS_TAKEN")
def test_a_start_is_taken_however_it_is_written(case: Case, started: StreamStarted, message: bytes) -> None:
    adapter: MediaAdapter = case.new_adapter()
    assert adapter.parse(message) == [started]
    assert adapter.frame_rule == case.opened().frame_rule
    assert goes_on(case, adapter)


@rows("MESSAGES_TAKEN")
def test_a_message_is_taken_however_it_is_written(
    case: Case, started: StreamStarted, message: bytes, expected: list[Event]
) -> None:
    assert case.opened().parse(message) == expected


@rows("STARTS_REFUSED")
def test_a_start_that_is_refused_says_why_and_the_next_may_be_better(
    case: Case, started: StreamStarted, message: bytes, expected: str
) -> None:
    adapter = case.new_adapter()
    with pytest.raises(RemoteProtocolError) as caught:
        adapter.parse(message)
    assert str(caught.value).startswith(expected)
    assert adapter.parse(case.of(StreamStarted)[0].data) == [started]


@rows("REFUSED")
def test_what_is_refused_says_why_and_changes_nothing(
    case: Case, started: StreamStarted, message: bytes, expected: str
) -> None:
    adapter = case.opened()
    with pytest.raises(RemoteProtocolError) as caught:
        adapter.parse(message)
    assert str(caught.value).startswith(expected)
    assert goes_on(case, adapter)


@pytest.mark.parametrize(
    ("case", "first"),
    [(VONAGE, "'websocket:connected'"), (JAMBONZ, "metadata"), (JSON, "'MEDIA_START'")],
    ids=str,
)
def test_nothing_of_a_stream_comes_before_its_start(case: Case, first: str) -> None:
    adapter = case.new_adapter()
    with pytest.raises(
        RemoteProtocolError, match=f"^{adapter.name} event: expected {first} first, got '9 bytes of bin"
    ):
        adapter.payload_of(bytes(9))
    for message, events in zip(case.received[1:], case.said[1:], strict=True):
        if events:
            with pytest.raises(RemoteProtocolError, match=f"^{adapter.name} event: expected {first} first, got "):
                events_of(adapter, message)


@each_carrier
def test_the_whole_of_a_binary_message_is_audio(case: Case) -> None:
    adapter, sample_bytes = case.opened(), case.format.sample_bytes
    for size in (sample_bytes, 10 * sample_bytes, MESSAGE_MAX_BYTES):
        assert adapter.payload_of(b"\xff" * size) == b"\xff" * size
    assert adapter.payload_of(b"") == b""


@each_carrier
def test_a_binary_message_that_is_too_long_is_refused(case: Case) -> None:
    adapter, size = case.opened(), MESSAGE_MAX_BYTES + 2
    expected = f"^{adapter.name} message: expected a multiple of . bytes, at most 65536, got {size} bytes of binary$"
    with pytest.raises(RemoteProtocolError, match=expected):
        adapter.payload_of(bytes(size))
    assert goes_on(case, adapter)


@pytest.mark.parametrize("case", [VONAGE, JAMBONZ], ids=str)
def test_half_a_sample_is_refused(case: Case) -> None:
    with pytest.raises(RemoteProtocolError, match="expected a multiple of 2 bytes, at most 65536, got 3 bytes of bin"):
        case.opened().payload_of(bytes(3))


@each_carrier
def test_audio_is_sent_as_it_is_in_the_streams_frames(case: Case) -> None:
    adapter = case.opened()
    rule: FrameRule = adapter.frame_rule
    payload = b"\x01" * rule.min_bytes
    assert adapter.encode_audio(payload) == payload
    with pytest.raises(LocalProtocolError, match=f"^{adapter.name} payload: expected {rule}, got "):
        adapter.encode_audio(payload[:-1])


@each_carrier
def test_no_error_shows_audio(case: Case) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        events_of(case.opened(), Message(b"A" * (MESSAGE_MAX_BYTES + 1), is_binary=True))
    assert "AA" not in str(caught.value)
