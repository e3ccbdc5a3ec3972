"""Audio by the adapter and by the native path: one result."""

from __future__ import annotations

import random
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from relay import _codec
from relay._codec import Decoder, Encoder, MediaTemplate
from relay.conformance.case import Case, Message, expect, expect_audio, outcome
from relay.conformance.mutations import broken, disturbed
from relay.errors import RemoteProtocolError
from relay.media.format import PTIME_MS, AudioFormat, pcm
from relay.providers.base import MESSAGE_MAX_FRAMES, AudioReceived, MediaAdapter

_ROOM_RATE_HZ = 16000


def _decoder(case: Case) -> Decoder:
    return Decoder(case.format.encoding, case.format.rate_hz, _ROOM_RATE_HZ)


def _is_text(case: Case) -> bool:
    return case.new_adapter().capabilities.audio == "text"


def _template(case: Case) -> MediaTemplate:
    template = case.opened().media_in
    if template is None:
        raise AssertionError(f"{case}: media_in of an open stream: expected a template, got None")
    return template


def _is_heard_as(payload: bytes, message: bytes, audio: AudioFormat) -> bool:
    """The same audio; a sample of L16 may be off by one, as a carrier may have another use for one of its values."""
    if audio.sample_bytes == 1:
        return payload in message
    samples = (
        memoryview(Decoder(audio.encoding, audio.rate_hz, audio.rate_hz).push(data)).cast("h")
        for data in (payload, message)
    )
    return len(payload) == len(message) and all(abs(sent - meant) <= 1 for sent, meant in zip(*samples, strict=True))


def _numbers(decoder: Decoder) -> tuple[int | None, ...]:
    """As an event has them."""
    return tuple(None if number < 0 else number for number in (decoder.sequence, decoder.timestamp))


def recorded_audio_takes_the_native_path(case: Case) -> None:
    """Without a parser: the template is what the carrier sends, byte for byte."""
    if not _is_text(case):
        return
    adapter, template = case.opened(), _template(case)
    native, plain = _decoder(case), _decoder(case)
    for message in case.of(AudioReceived):
        event = expect_audio(case, outcome(adapter, message))
        with patch.object(_codec, "orjson", _NoParser):  # what comes second
            taken = native.push_message(message.data, template)
        expect(case, f"{message} by the native path", taken, plain.push(event.payload))
        expect(case, f"numbers of {message} by it", _numbers(native), (event.sequence, event.timestamp_ms))


class _NoParser:
    @staticmethod
    def loads(message: bytes) -> None:
        raise AssertionError(f"media_in: expected the template of {message!r}, got one that needs a parser")


@settings(deadline=None)
@given(data=st.data())
def any_audio_comes_in_as_it_was_sent(case: Case, data: st.DataObject) -> None:
    """Whatever bytes: by ``parse`` or ``payload_of``, and by the native path."""
    sizes = st.integers(1, 200).map(lambda samples: samples * case.format.sample_bytes)
    payload = data.draw(sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size)))
    message = case.audio(payload)
    event = expect_audio(case, outcome(case.opened(), message))
    expect(case, f"payload of {message}", event.payload, payload)
    if _is_text(case):
        taken = _decoder(case).push_message(message.data, _template(case))
        expect(case, f"{message} by the native path", taken, _decoder(case).push(payload))


def _check_native(case: Case, message: bytes) -> None:
    """What the native path takes as audio, the adapter takes as the same audio."""
    decoder = _decoder(case)
    try:
        taken = decoder.push_message(message, _template(case))
    except ValueError:
        return
    if taken is not None:
        event = expect_audio(case, outcome(case.opened(), message))
        expect(case, f"{message!r} by the native path", taken, _decoder(case).push(event.payload))
        expect(case, f"numbers of {message!r} by it", _numbers(decoder), (event.sequence, event.timestamp_ms))


@settings(deadline=None)
@given(data=st.data())
def native_path_takes_nothing_that_the_adapter_refuses(case: Case, data: st.DataObject) -> None:
    """Of messages changed at random."""
    if _is_text(case):
        _check_native(case, data.draw(disturbed([message.value for message in case.of(AudioReceived)])))


def native_path_reads_a_changed_place_as_the_adapter_does(case: Case) -> None:
    """Every place, every type."""
    for message in case.of(AudioReceived) if _is_text(case) else ():
        for text in broken(message.value):
            _check_native(case, text)


def _step_frames(case: Case, adapter: MediaAdapter) -> tuple[int, int]:
    """The fewest frames of 20 ms that make a message, and how many times as many one may hold."""
    frame_bytes = case.format.size_bytes(PTIME_MS)
    try:
        step = adapter.frame_rule.frames(frame_bytes)
    except ValueError as error:
        raise AssertionError(f"{case}: {error}") from error
    most = adapter.frame_rule.max_bytes or MESSAGE_MAX_FRAMES * frame_bytes
    return step, max(1, min(most // frame_bytes, MESSAGE_MAX_FRAMES) // step)


@settings(deadline=None)
@given(times=st.integers(1, 12), seed=st.integers(0, 99))
def any_audio_goes_out_the_same_by_both_ways(case: Case, times: int, seed: int) -> None:
    """In messages of whole 20 ms, of every size up to the largest that the frame rule lets through."""
    adapter, audio = case.opened(), case.format
    step, most = _step_frames(case, adapter)
    frames = step * (1 + (times - 1) % most)
    data = random.Random(seed).randbytes(frames * pcm(_ROOM_RATE_HZ).size_bytes(PTIME_MS))  # noqa: S311  # noise
    payload = Encoder(audio.encoding, audio.rate_hz, _ROOM_RATE_HZ).push(data)
    message = adapter.encode_audio(payload)
    if adapter.capabilities.audio == "binary":
        expect(case, f"{message!r} sounds as {payload!r}", _is_heard_as(payload, message, audio), expected=True)
        return
    expect(case, "media_out of an open stream is a template", adapter.media_out is not None, not case.numbers_audio)
    if adapter.media_out is not None:
        native = Encoder(audio.encoding, audio.rate_hz, _ROOM_RATE_HZ).push_message(data, adapter.media_out)
        expect(case, "the native path's message", native, message)


def binary_audio_needs_an_open_stream(case: Case) -> None:
    """Before the start it is refused, after the end it is no news."""
    if _is_text(case):
        return
    [audio, *_] = case.of(AudioReceived)
    early = outcome(case.new_adapter(), audio)
    expect(case, "audio before the start, refused", isinstance(early, RemoteProtocolError), expected=True)
    if case.is_stopped:
        expect(case, "audio after the end", outcome(case.closed(), audio), [])


@settings(deadline=None)
@given(data=st.binary(max_size=2000))
def any_binary_message_is_audio_or_refused(case: Case, data: bytes) -> None:
    """And changes nothing if it is refused."""
    adapter = case.opened()
    if isinstance(outcome(adapter, Message(data, is_binary=True)), RemoteProtocolError):
        [audio, *_] = case.of(AudioReceived)
        expect(case, f"audio after {len(data)} bytes that were refused", outcome(adapter, audio), case.said_of(audio))


CHECKS = (
    recorded_audio_takes_the_native_path,
    any_audio_comes_in_as_it_was_sent,
    native_path_takes_nothing_that_the_adapter_refuses,
    native_path_reads_a_changed_place_as_the_adapter_does,
    any_audio_goes_out_the_same_by_both_ways,
    binary_audio_needs_an_open_stream,
    any_binary_message_is_audio_or_refused,
)
