"""Exotel's messages are those of its own pages, in both its spellings, and its rule of chunks is held to."""

import json
import re

import pytest

from relay.dev.carriers.exotel_wire import ExotelWire, local_form
from relay.dev.phone_wire import Call, Clear, Mark, Play, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, event_of, heard, session
from tests.providers.samples import base64


def wire(name: str = "exotel") -> ExotelWire:
    start = session(name)[1]["data"]["start"]
    camel = name != "exotel"
    call = Call(
        start["customParameters" if camel else "custom_parameters"],
        call_sid=start["callSid" if camel else "call_sid"],
        account_sid=start["accountSid" if camel else "account_sid"],
        from_number=start["to"],
        to="+919876543210",
    )
    return ExotelWire(call, stream_sid=start["streamSid" if camel else "stream_sid"], camel=camel)


def message(event: str, **content: object) -> str:
    return json.dumps({"event": event, "stream_sid": wire().stream_sid, **content})


def media(size: int) -> str:
    return message("media", media={"payload": base64(bytes(size))})


@pytest.mark.parametrize("name", ["exotel", "exotel_camelcase"])
def test_a_whole_stream_is_as_exotel_documents_it(name: str) -> None:
    one = wire(name)
    made = {
        "connected": one.connected,
        "start": one.start,
        "media": lambda: one.media(5 * FRAME),
        "dtmf": lambda: one.dtmf("1"),
        "mark": lambda: one.mark("m1"),
        "stop": one.stop,
    }
    check_said(name, made, event_of, {"sequence_number", "sequenceNumber", "reason"})


@pytest.mark.parametrize("name", ["exotel", "exotel_camelcase"])
def test_all_that_exotels_pages_have_a_relay_say_is_read(name: str) -> None:
    assert heard(name, wire(name)) == [Mark("m1"), Clear()]


def test_a_message_of_audio_is_100_ms() -> None:
    one = wire()
    sent = [json.loads(one.media(5 * FRAME))["media"] for _ in range(2)]
    assert [(each["chunk"], each["timestamp"]) for each in sent] == [("1", "100"), ("2", "200")]
    assert ExotelWire(Call(), 16000).media(5 * FRAME).count(b"A") > 4000


def test_a_chunk_that_keeps_the_rule_is_played() -> None:
    assert wire().read(media(3520)) == Play(bytes(3520))


@pytest.mark.parametrize("size", [0, 320, 2880, 3199, 3201, 3360, 100_160])
def test_a_chunk_that_breaks_the_rule_is_a_violation(size: int) -> None:
    with pytest.raises(ProtocolViolation, match=f"3200 to 100000 bytes, a multiple of 320, got {size}"):
        wire().read(media(size))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x00", "expected text"),
        (json.dumps({"event": "clear"}), "expected stream_sid "),
        (json.dumps({"event": "clear", "streamSid": "a"}), "expected stream_sid "),
        (message("hangup"), "expected media with a payload, mark with a name or clear"),
    ],
)
def test_what_exotel_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        wire().read(sent)


def test_an_indian_number_is_written_with_a_0() -> None:
    assert (local_form("+919876543210"), local_form("+14155550123")) == ("09876543210", "+14155550123")
