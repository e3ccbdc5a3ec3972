"""Sessions as they are written down, and what a check says of what is not as expected."""

import pytest

from relay.conformance import Message, NotOurs, Recorded, read_session
from relay.conformance.case import expect, expect_audio, outcome
from relay.errors import RemoteProtocolError
from relay.providers.base import AudioReceived, StreamStopped
from tests.conformance.made_up import ACME, BINARY_ACME, AcmeAdapter


def test_a_session_is_objects_strings_and_bytes() -> None:
    text = """[
        {"dir": "in", "type": "text", "data": {"event": "start", "name": "\\u00e9"}, "note": "as compact JSON"},
        {"dir": "in", "type": "text", "data": "MEDIA_START id:1"},
        {"dir": "out", "type": "binary", "data": "AAEC"}
    ]"""
    assert read_session(text) == [
        Recorded(Message('{"event":"start","name":"é"}'.encode()), from_carrier=True),
        Recorded(Message(b"MEDIA_START id:1"), from_carrier=True),
        Recorded(Message(b"\x00\x01\x02", is_binary=True), from_carrier=False),
    ]


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        (Message(b'{"name":"m1","not":"m12","in":["m1"]}'), Message(b'{"name":"x","not":"m12","in":["x"]}')),
        (Message(b"MARK m1"), Message(b"MARK x")),
    ],
)
def test_a_text_is_changed_where_it_stands_for_itself(message: Message, changed: Message) -> None:
    assert message.with_text("m1", "x") == changed


def test_audio_is_changed_as_it_is_written() -> None:
    assert Message(b'{"payload":"AAEC","n":1}').with_payload(b"\0\1\2", b"\3") == Message(b'{"payload":"Aw==","n":1}')
    assert Message(b"h\0\1", is_binary=True).with_payload(b"\0\1", b"\3") == Message(b"h\3", is_binary=True)


@pytest.mark.parametrize("message", [Message(b"1"), Message(b"no"), Message(b"{}", is_binary=True), Message(b"\xff")])
def test_what_is_no_object_has_no_value(message: Message) -> None:
    assert message.value is None


def test_what_is_not_as_expected_is_said_with_both() -> None:
    expect(ACME, "answer", 42, 42)
    with pytest.raises(AssertionError, match=r"^acme: answer: expected 42, got 41$"):
        expect(ACME, "answer", 41, 42)
    with pytest.raises(AssertionError, match=r"^acme: text: expected '', got 'x+\.\.\. \(5002 characters\)$"):
        expect(ACME, "text", "x" * 5000, "")


def test_one_audio_is_expected() -> None:
    audio = AudioReceived(b"\0")
    assert expect_audio(ACME, [audio]) is audio
    for got in ([], [audio, audio], [StreamStopped()], outcome(AcmeAdapter(), b"{")):
        with pytest.raises(AssertionError, match="a message of audio: expected one AudioReceived, got "):
            expect_audio(ACME, got)


def test_a_case_is_opened_and_closed() -> None:
    for case in (ACME, BINARY_ACME):
        [audio, *_] = case.of(AudioReceived)
        assert len(case.said_of(audio)) == 1
        assert outcome(case.opened(), audio) == case.said_of(audio)
        assert outcome(case.closed(), audio) == []
        assert isinstance(outcome(case.new_adapter(), audio), RemoteProtocolError)
        assert NotOurs() not in case.steps
