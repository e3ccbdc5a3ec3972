"""What every adapter promises, over every recorded session: see relay/providers/base.py."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import _codec
from relay._codec import Decoder, Encoder
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import AudioReceived, Event, StreamStarted, StreamStopped
from relay.providers.fields import MESSAGE_MAX_BYTES
from tests.providers.mutations import broken, disturbed, nested, places, replaced
from tests.providers.recordings import Recording, compact, outcome, recordings
from tests.signals import noise, pcm

payloads = st.binary(min_size=1, max_size=400)


def started(recording: Recording) -> StreamStarted:
    [event] = recording.new_adapter().parse(compact(recording.of(StreamStarted)[0]))
    assert isinstance(event, StreamStarted)
    return event


# --- Audio, by the adapter and by the native path ---


@recordings
def test_recorded_audio_takes_the_native_path(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a parser: the template is what the carrier sends, byte for byte."""
    adapter, stream = recording.opened(), started(recording).format
    assert adapter.media_in is not None
    native, plain = (Decoder(stream.encoding, stream.rate_hz, 16000) for _ in range(2))
    messages = [compact(message) for message in recording.of(AudioReceived)]
    events = [event for message in messages for event in adapter.parse(message)]
    assert len(messages) == len(events) > 2
    monkeypatch.setattr(_codec, "orjson", None)
    for message, event in zip(messages, events, strict=True):
        assert isinstance(event, AudioReceived)
        assert native.push_message(message, adapter.media_in) == plain.push(event.payload)
        assert (native.sequence, native.timestamp) == (event.sequence, event.timestamp_ms)


@recordings
@given(payload=payloads)
def test_any_audio_is_the_same_by_both_ways_in(recording: Recording, payload: bytes) -> None:
    adapter, stream = recording.opened(), started(recording).format
    [event] = adapter.parse(compact(recording.audio(payload)))
    assert isinstance(event, AudioReceived)
    assert event.payload == payload
    assert adapter.media_in is not None
    decoder = Decoder(stream.encoding, stream.rate_hz, stream.rate_hz)
    decoded = decoder.push_message(compact(recording.audio(payload)), adapter.media_in)
    assert decoded == Decoder(stream.encoding, stream.rate_hz, stream.rate_hz).push(payload)


def check_native(recording: Recording, message: bytes) -> None:
    """What the native path takes as audio, the adapter takes as the same audio."""
    adapter, stream = recording.opened(), started(recording).format
    assert adapter.media_in is not None
    decoder = Decoder(stream.encoding, stream.rate_hz, stream.rate_hz)
    try:
        decoded = decoder.push_message(message, adapter.media_in)
    except ValueError:
        return
    if decoded is not None:
        [event] = adapter.parse(message)
        assert isinstance(event, AudioReceived)
        assert decoded == Decoder(stream.encoding, stream.rate_hz, stream.rate_hz).push(event.payload)
        assert (decoder.sequence, decoder.timestamp) == (event.sequence, event.timestamp_ms)


@recordings
@given(data=st.data())
def test_the_native_path_takes_nothing_that_the_adapter_refuses(recording: Recording, data: st.DataObject) -> None:
    check_native(recording, data.draw(disturbed(recording.of(AudioReceived))))


@recordings
def test_the_native_path_reads_a_changed_place_as_the_adapter_does(recording: Recording) -> None:
    for message in recording.of(AudioReceived):
        for text in broken(message):
            check_native(recording, text)


@recordings
@given(frames=st.integers(1, 12), seed=st.integers(0, 99))
def test_any_audio_is_the_same_by_both_ways_out(recording: Recording, frames: int, seed: int) -> None:
    adapter, stream = recording.opened(), started(recording).format
    assert adapter.media_out is not None
    data = pcm(noise(frames * 320, seed=seed))
    payload = Encoder(stream.encoding, stream.rate_hz, 16000).push(data)
    message = Encoder(stream.encoding, stream.rate_hz, 16000).push_message(data, adapter.media_out)
    assert adapter.encode_audio(payload) == message


# --- The order of messages ---


def in_any_order(recording: Recording, order: list[int]) -> tuple[list[Event], list[Event]]:
    """The events of the recorded messages in this order, and those that the order machine should let through."""
    adapter, said, found, expected = recording.new_adapter(), recording.events(), [], []
    is_open = over = False
    for number in order:
        result = outcome(adapter, compact(recording.received[number]))
        is_start = any(isinstance(event, StreamStarted) for event in said[number])
        too_early = bool(said[number]) and not is_open and not is_start
        assert isinstance(result, RemoteProtocolError) == (too_early and not over)
        found += result if isinstance(result, list) else []
        if not over and not too_early and not (is_start and is_open):
            expected += said[number]
        is_open |= is_start
        over |= isinstance(expected[-1], StreamStopped) if expected else False
    return found, expected


@recordings
@given(data=st.data())
def test_f16_in_any_order_one_start_one_stop_and_nothing_after_it(recording: Recording, data: st.DataObject) -> None:
    numbers = st.integers(0, len(recording.received) - 1)
    found, expected = in_any_order(recording, data.draw(st.lists(numbers, max_size=30)))
    assert found == expected
    kinds = [type(event) for event in found]
    assert kinds.count(StreamStarted) <= 1
    assert kinds.count(StreamStopped) <= 1
    assert StreamStopped not in kinds[:-1]


@recordings
def test_f16_a_session_that_comes_twice_is_heard_once(recording: Recording) -> None:
    adapter, said = recording.new_adapter(), recording.events()
    assert [adapter.parse(compact(message)) for message in recording.received] == said
    assert [adapter.parse(compact(message)) for message in recording.received] == [[]] * len(said)


@recordings
def test_f16_a_start_again_leaves_the_templates_alone(recording: Recording) -> None:
    adapter = recording.opened()
    templates = adapter.media_in, adapter.media_out
    assert adapter.parse(compact(recording.of(StreamStarted)[0])) == []
    assert (adapter.media_in, adapter.media_out) == templates


@recordings
def test_f16_a_closed_stream_offers_no_native_path(recording: Recording) -> None:
    """Audio after the end would otherwise pass by the order machine."""
    assert recording.new_adapter().media_in is recording.new_adapter().media_out is None
    adapter = recording.closed()
    assert adapter.media_in is adapter.media_out is None


@recordings
def test_commands_need_an_open_stream(recording: Recording) -> None:
    payload = bytes(recording.new_adapter().capabilities.frames_to_carrier.min_bytes)
    for adapter, state in ((recording.new_adapter(), "has not started"), (recording.closed(), "is over")):
        for command in (
            lambda adapter=adapter: adapter.encode_audio(payload),
            lambda adapter=adapter: adapter.encode_mark("m1"),
            adapter.encode_clear,
        ):
            with pytest.raises(LocalProtocolError, match=f"{adapter.name} stream: expected .* got one that {state}"):
                command()


# --- Whatever comes: events or RemoteProtocolError, and after an error all is as before ---


def check_harmless(recording: Recording, before: int, message: bytes | str) -> None:
    """Put ``message`` before one of the session: if it is refused, the session goes on as if it had not come."""
    adapter, said = recording.new_adapter(), recording.events()
    for each in recording.received[:before]:
        adapter.parse(compact(each))
    templates = adapter.media_in, adapter.media_out
    result = outcome(adapter, message)
    if not isinstance(result, RemoteProtocolError):
        return
    assert (result.carrier, len(str(result)) < 400) == (adapter.name, True)
    assert (adapter.media_in, adapter.media_out) == templates
    assert [adapter.parse(compact(each)) for each in recording.received[before:]] == said[before:]


@recordings
def test_any_one_place_changed_is_read_or_refused_and_then_changes_nothing(recording: Recording) -> None:
    for number, message in enumerate(recording.received):
        for text in broken(message):
            check_harmless(recording, number, text)


@recordings
@given(data=st.data())
def test_a_refused_message_changes_nothing(recording: Recording, data: st.DataObject) -> None:
    before = data.draw(st.integers(0, len(recording.received)))
    check_harmless(recording, before, data.draw(disturbed(recording.received)))


@recordings
@given(message=st.one_of(st.binary(max_size=60), st.text(max_size=30)), before=st.integers(0, 5))
def test_any_bytes_are_refused_and_change_nothing(recording: Recording, message: bytes | str, before: int) -> None:
    check_harmless(recording, before, message)


def deep_and_huge(message: dict[str, Any]) -> list[bytes]:
    text = compact({**message, "extra": "x"})
    return [
        text.replace(b'"x"', b"[" * 10_000),
        text.replace(b'"x"', b"[" * 10_000 + b"]" * 10_000),
        text.replace(b'"x"', nested(1100)),
        text.replace(b'"x"', b'"' + b"x" * MESSAGE_MAX_BYTES + b'"'),
        text.replace(b'"x"', b"[" + b"[]," * MESSAGE_MAX_BYTES + b"[]]"),
        text.replace(b'"x"', b'"' + b"x" * (1 << 20) + b'"'),
    ]


@recordings
def test_t14_a_huge_or_deep_message_is_refused_and_changes_nothing(recording: Recording) -> None:
    for number, message in enumerate(recording.received):
        for text in deep_and_huge(message):
            assert isinstance(outcome(recording.opened(), text), RemoteProtocolError)
            check_harmless(recording, number, text)


@recordings
def test_t14_what_is_deep_but_is_read_cannot_break_an_error(recording: Recording) -> None:
    """Up to 1024 levels are read: deeper than Python prints."""
    deep = nested(1000)
    with pytest.raises(RecursionError):
        repr(orjson.loads(deep))
    for number, message in enumerate(recording.received):
        for place in places(message):
            if len(place) in (1, 2):
                check_harmless(recording, number, compact(replaced(message, place, "DEEP")).replace(b'"DEEP"', deep))
