"""chan_websocket's messages are those of its own pages, and what it would drop or end the call for is a violation."""

import json
import re

import pytest

from relay.dev.carriers.asterisk_wire import AsteriskWire
from relay.dev.phone_wire import Call, Clear, Mark, Play, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, session

START = session("asterisk_json")[0]["data"]


def wire() -> AsteriskWire:
    return AsteriskWire(
        Call(START["channel_variables"]), channel_id=START["channel_id"], connection_id=START["connection_id"]
    )


def said(name: str) -> dict[str, object]:
    found: dict[str, object] = next(
        message["data"] for message in session("asterisk_json") if name in str(message["data"])
    )
    return found


def test_what_it_says_is_as_it_is_documented() -> None:
    one = wire()
    assert (one.connected(), one.stop(), one.is_binary) == (b"", b"", True)
    assert json.loads(one.start()) == START
    assert one.media(FRAME) == b"\xff" * 160
    assert json.loads(one.dtmf("1")) == said("DTMF_END")
    mark = said("MEDIA_MARK_PROCESSED")
    assert json.loads(one.mark(str(mark["correlation_id"]))) == mark
    assert json.loads(one.fault("what"))["event"] == "ERROR"


def test_a_queue_of_900_frames_is_full_until_there_are_less_than_800() -> None:
    one = wire()
    told = [(frames, one.queued(frames * 160)) for frames in (0, 899, 900, 1000, 800, 799, 0, 899, 900)]
    xoff, xon = ({"event": event, "channel_id": START["channel_id"]} for event in ("MEDIA_XOFF", "MEDIA_XON"))
    assert [(frames, json.loads(message)) for frames, message in told if message] == [
        (900, xoff),
        (799, xon),
        (900, xoff),
    ]


def test_marks_are_lost_with_a_flush() -> None:
    assert not wire().marks_survive_clear
    assert wire().cleared(["m1"]) == ()


def test_commands_are_read() -> None:
    one = wire()
    assert one.read('{"command": "MARK_MEDIA", "correlation_id": "m1"}') == Mark("m1")
    assert one.read('{"command": "FLUSH_MEDIA"}') == Clear()
    assert one.read('{"command": "CONTINUE_MEDIA"}') is None
    assert one.read(b"\xff" * 800) == Play(bytes(1600))


@pytest.mark.parametrize(("name", "size"), [("ulaw", 160), ("alaw", 160), ("slin", 320), ("slin16", 640)])
def test_frames_are_those_of_the_format(name: str, size: int) -> None:
    one = AsteriskWire(Call(), name)
    assert json.loads(one.start())["optimal_frame_size"] == size
    assert [len(one.media(FRAME)) for _ in range(3)] == 3 * [size]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "expected whole frames of 160 bytes, got 0"),
        (bytes(200), "expected whole frames of 160 bytes, got 200"),
        (bytes(65600), "expected at most 65500 bytes"),
        ("MARK_MEDIA m1", "expected JSON"),
        (json.dumps({"command": "MARK_MEDIA", "correlation_id": 100 * "m"}), "expected at most 128 bytes"),
        ('{"command": "MARK_MEDIA"}', "expected MARK_MEDIA with a correlation_id"),
        ('{"command": "START_MEDIA_BUFFERING"}', "expected MARK_MEDIA with a correlation_id"),
    ],
)
def test_what_it_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        wire().read(sent)
