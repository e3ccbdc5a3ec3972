"""jambonz' messages are those of its sources: marks ride on audio, and are told of when they are cleared."""

import json
import re
from typing import Any

import pytest

from relay.dev.carriers.jambonz_wire import MARKS_MAX, JambonzWire
from relay.dev.phone_wire import Call, Clear, Mark, Play, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, heard, session

START = session("jambonz")[0]["data"]
TOLD = ("callId", "traceId", "applicationSid")
CALL = Call(
    {"leg": START["leg"], "token": START["token"]},
    call_sid=START["callSid"],
    account_sid=START["accountSid"],
    from_number=START["from"],
    to=START["to"],
)


def wire(**options: Any) -> JambonzWire:
    return JambonzWire(CALL, told={name: START[name] for name in TOLD}, **options)


def kind_of(content: dict[str, Any]) -> str:
    if content.get("type") == "mark":
        return str(content["data"]["event"])
    return str(content.get("event", "start"))


def mark(name: str) -> str:
    return json.dumps({"type": "mark", "data": {"name": name}})


def test_a_whole_stream_is_as_jambonz_sends_it() -> None:
    one = wire()
    assert (one.connected(), one.stop(), one.is_binary, one.marks_ride) == (b"", b"", True, True)
    made = {
        "start": one.start,
        "media": lambda: one.media(FRAME),
        "dtmf": lambda: one.dtmf("1"),
        "playout": lambda: one.mark("m1"),
        "cleared": lambda: one.cleared(["m2"])[0],
    }
    check_said("jambonz", made, kind_of, set())


def test_what_jambonz_has_a_relay_say_is_read_but_for_disconnect() -> None:
    one = wire()
    with pytest.raises(ProtocolViolation, match="expected mark with a name or killAudio"):
        heard("jambonz", one)
    assert one.read(mark("m1")) == Mark("m1")
    assert one.read('{"type": "killAudio"}') == Clear()


def test_keys_are_told_of_if_the_verb_says_so() -> None:
    assert wire(passes_dtmf=False).dtmf("1") == b""


def test_an_odd_byte_is_kept_for_the_next_message() -> None:
    one = wire()
    assert one.read(b"\x01") is None
    assert one.read(b"\x02\x03\x04") == Play(b"\x01\x02\x03\x04")


def test_marks_above_the_most_are_a_violation() -> None:
    one = wire()
    for number in range(MARKS_MAX):
        one.read(mark(f"m{number}"))
    with pytest.raises(ProtocolViolation, match="at most 30"):
        one.read(mark("one more"))
    one.mark("m0")
    assert one.read(mark("one more")) == Mark("one more")


def test_a_sample_that_is_taken_for_a_mark_is_a_violation_while_marks_are_out() -> None:
    one = wire()
    minus_one = b"\x00\x00\xff\xff"
    assert one.read(minus_one) == Play(minus_one)
    one.read(mark("m1"))
    assert isinstance(one.read(b"\x00\xff\xff\x00"), Play)
    with pytest.raises(ProtocolViolation, match=re.escape("no sample of -1 while marks are out")):
        one.read(minus_one)


def test_marks_may_be_swallowed_after_a_clear() -> None:
    one = wire(swallows_marks=True)
    for name in ("m1", "m2", "m3"):
        one.read(mark(name))
    assert len(one.cleared(["m1"])) == 1
    assert one.mark("m2") == b""
    assert one.mark("m3") != b""
