"""Telnyx's messages are those of its own pages, and what it would not take is a violation that it tells of."""

import json
import re

import pytest

from relay.dev.carriers.telnyx_wire import TelnyxWire
from relay.dev.phone_wire import Call, Clear, Mark, Play, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, event_of, heard, session
from tests.providers.samples import base64

START = session("telnyx")[1]["data"]["start"]
STREAM = session("telnyx")[1]["data"]["stream_id"]
CALL = Call(START["custom_parameters"], call_sid=START["call_control_id"], from_number=START["from"], to=START["to"])


def wire() -> TelnyxWire:
    return TelnyxWire(
        CALL,
        client_state=START["client_state"],
        stream_id=STREAM,
        session_id=START["call_session_id"],
        user_id=START["user_id"],
    )


def message(event: str, **content: object) -> str:
    return json.dumps({"event": event, **content})


def test_a_whole_stream_is_as_telnyx_documents_it() -> None:
    one = wire()
    made = {
        "connected": one.connected,
        "start": one.start,
        "media": lambda: one.media(FRAME),
        "dtmf": lambda: one.dtmf("1"),
        "mark": lambda: one.mark("m1"),
        "error": lambda: one.fault("example detail text"),
        "stop": one.stop,
    }
    check_said("telnyx", made, event_of, {"sequence_number", "occurred_at", "name"})


def test_numbers_are_strings_and_go_on() -> None:
    one = wire()
    sent = [json.loads(each) for each in (one.start(), one.media(FRAME), one.media(FRAME))]
    assert [each["sequence_number"] for each in sent] == ["1", "2", "3"]
    assert [(each["media"]["chunk"], each["media"]["timestamp"]) for each in sent[1:]] == [("1", "20"), ("2", "40")]


def test_the_token_of_the_dial_is_said_again() -> None:
    connected = json.loads(TelnyxWire(CALL, token="t0k3n").connected())  # noqa: S106 -- of nothing
    assert connected["connected"] == {"x-telnyx-streaming-auth-token": "t0k3n"}


def test_all_that_telnyxs_page_has_a_relay_say_is_read() -> None:
    assert heard("telnyx", wire()) == [Mark("m1"), Mark("m2"), Clear()]


def test_marks_come_back_with_a_clear() -> None:
    assert wire().marks_survive_clear
    assert wire().cleared(["m1"]) == ()


def test_linear_audio_is_big_endian_and_in_whole_frames() -> None:
    one = TelnyxWire(CALL, "l16be", 16000)
    assert json.loads(one.start())["start"]["media_format"]["encoding"] == "L16"
    assert json.loads(one.media(FRAME))["media"]["payload"] == base64(bytes(640))
    loud = (0x0100).to_bytes(2, "big") * 320
    pcm = b""
    for _ in range(5):
        command = one.read(message("media", media={"payload": base64(loud)}))
        assert isinstance(command, Play)
        pcm += command.pcm
    assert 200 < int.from_bytes(pcm[-2:], "little", signed=True) < 300


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x00", "expected text"),
        ("nonsense", "expected JSON"),
        (message("hangup"), "expected media with a payload, mark with a name or clear"),
        (message("media", media={"payload": base64(bytes(80))}), "expected 20 ms to 30 s, got 10 ms"),
        (message("media", media={"payload": base64(bytes(8000 * 31))}), "expected 20 ms to 30 s, got 31000 ms"),
        (message("media", media={"payload": "%"}), "media.payload: "),
        (message("mark", mark={}), "expected media"),
    ],
)
def test_what_telnyx_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        wire().read(sent)
