"""Plivo's messages are those of its own pages, and what it would not take is a violation."""

import json
import re

import pytest

from relay.dev.carriers.plivo_wire import PlivoWire
from relay.dev.phone_wire import Call, Clear, Keys, Mark, Play, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, event_of, heard, session
from tests.providers.samples import base64

START = session("plivo")[0]["data"]["start"]
STREAM = START["streamId"]
CALL = Call({"leg": "agent7", "token": "t0k3n"}, call_sid=START["callId"], account_sid=START["accountId"])


def wire() -> PlivoWire:
    return PlivoWire(CALL, stream_id=STREAM)


def play(payload: bytes = b"\xff" * 160, **changes: object) -> str:
    media = {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": base64(payload)} | changes
    return json.dumps({"event": "playAudio", "media": media})


def test_a_whole_stream_is_as_plivo_documents_it() -> None:
    one = wire()
    assert one.connected() == b""
    made = {
        "start": one.start,
        "media": lambda: one.media(FRAME),
        "dtmf": lambda: one.dtmf("1"),
        "playedStream": lambda: one.mark("m1"),
        "clearedAudio": lambda: one.cleared(["m2"])[0],
        "stop": one.stop,
    }
    check_said("plivo", made, event_of, {"sequenceNumber", "timestamp"})


def test_numbers_are_numbers_and_go_on() -> None:
    one = wire()
    sent = [json.loads(message) for message in (one.start(), one.media(FRAME), one.media(FRAME), one.stop())]
    assert [message["sequenceNumber"] for message in sent] == [1, 2, 3, 4]
    assert [message["media"]["chunk"] for message in sent[1:3]] == [1, 2]
    assert int(sent[2]["media"]["timestamp"]) - int(sent[1]["media"]["timestamp"]) == 20


def test_all_that_plivos_page_has_a_relay_say_is_read() -> None:
    assert heard("plivo", wire()) == [Mark("m1"), Clear(), Keys("1234#")]


def test_marks_are_lost_with_a_clear() -> None:
    assert not wire().marks_survive_clear
    assert [json.loads(message)["event"] for message in wire().cleared(["m1", "m2"])] == ["clearedAudio"]


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "named", "size"),
    [("l16le", 8000, "audio/x-l16", 320), ("l16le", 16000, "audio/x-l16", 640)],
)
def test_linear_audio_has_whole_frames_from_the_first_on(encoding: str, rate_hz: int, named: str, size: int) -> None:
    one = PlivoWire(CALL, encoding, rate_hz)  # type: ignore[arg-type]  # one of those it has
    assert json.loads(one.start())["start"]["mediaFormat"] == {"encoding": named, "sampleRate": rate_hz}
    payloads = [json.loads(one.media(FRAME))["media"]["payload"] for _ in range(3)]
    assert payloads == 3 * [base64(bytes(size))]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x00\x01", "expected text, got 2 bytes of binary"),
        ("{", "expected JSON"),
        ("[]", "expected an object"),
        (play(contentType="audio/x-mulaw;rate=8000"), "playAudio: expected audio/x-mulaw at 8000"),
        (play(sampleRate=16000), "got audio/x-mulaw at 16000"),
        (play(b""), "media.payload: "),
        (json.dumps({"event": "playAudio", "streamId": "another", "media": {}}), f"expected streamId {STREAM}"),
        (json.dumps({"event": "checkpoint", "name": "m1"}), f"expected streamId {STREAM}, got None"),
        (json.dumps({"event": "clearAudio"}), f"expected streamId {STREAM}, got None"),
        (json.dumps({"event": "clear", "streamId": STREAM}), "expected playAudio with a format and a payload"),
        (json.dumps({"event": "sendDTMF", "dtmf": "x"}), "expected playAudio"),
    ],
)
def test_what_plivo_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        wire().read(sent)


def test_a_sample_rate_may_be_a_string() -> None:
    assert wire().read(play(sampleRate="8000")) == Play(bytes(320))
