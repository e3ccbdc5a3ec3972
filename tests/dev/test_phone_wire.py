"""The simulated carrier's messages are Twilio's, and what Twilio would not take is a violation."""

import base64
import json
import re
from typing import Any

import pytest

from relay.dev.phone_wire import Call, Clear, Mark, Play, ProtocolViolation, Wire

SID = "MZ00000000000000000000000000000001"
CALL = Call(
    {"leg": "agent-7", "token": "t0k3n"},
    stream_sid=SID,
    call_sid="CA00000000000000000000000000000001",
    account_sid="AC00000000000000000000000000000001",
)
MEDIA_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
IDS = {"accountSid": CALL.account_sid, "callSid": CALL.call_sid}
SILENCE = base64.b64encode(b"\xff" * 160).decode()


def media(sequence: str, chunk: str, timestamp: str) -> dict[str, Any]:
    content = {"track": "inbound", "chunk": chunk, "timestamp": timestamp, "payload": SILENCE}
    return {"event": "media", "sequenceNumber": sequence, "media": content, "streamSid": SID}


def message(event: str, **content: object) -> str:
    return json.dumps({"event": event, "streamSid": SID, **content})


def test_a_whole_stream_is_as_twilio_documents_it() -> None:
    """Source: twilio.com/docs/voice/media-streams/websocket-messages; numbers are strings but in mediaFormat."""
    wire = Wire(CALL)
    sent = [wire.connected(), wire.start(), wire.media(bytes(320)), wire.media(bytes(320))]
    sent += [wire.dtmf("1"), wire.mark("m1"), wire.media(bytes(320)), wire.stop()]
    start = {
        **IDS,
        "streamSid": SID,
        "tracks": ["inbound"],
        "mediaFormat": MEDIA_FORMAT,
        "customParameters": {"leg": "agent-7", "token": "t0k3n"},
    }
    assert [json.loads(one) for one in sent] == [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": SID},
        media("2", "1", "5"),
        media("3", "2", "25"),
        {
            "event": "dtmf",
            "streamSid": SID,
            "sequenceNumber": "4",
            "dtmf": {"track": "inbound_track", "digit": "1"},
        },
        {"event": "mark", "sequenceNumber": "5", "streamSid": SID, "mark": {"name": "m1"}},
        media("6", "3", "45"),
        {"event": "stop", "sequenceNumber": "7", "streamSid": SID, "stop": IDS},
    ]


def test_audio_has_twilios_order_of_keys() -> None:
    """A relay may read such messages by their shape."""
    wire = Wire(CALL)
    wire.start()
    assert wire.media(bytes(320)).decode() == json.dumps(media("2", "1", "5"), separators=(",", ":"))


def test_ids_are_invented_in_twilios_form_and_differ() -> None:
    one, other = Call(), Call()
    assert re.fullmatch("MZ[0-9a-f]{32}", one.stream_sid)
    assert re.fullmatch("CA[0-9a-f]{32}", one.call_sid)
    assert one.stream_sid != other.stream_sid


def test_commands_are_read() -> None:
    wire = Wire(CALL)
    loud = base64.b64encode(b"\x80" * 160).decode()
    assert wire.read(message("media", media={"payload": loud})) == Play((32124).to_bytes(2, "little") * 160)
    assert wire.read(message("mark", mark={"name": "m1"})) == Mark("m1")
    assert wire.read(message("clear")) == Clear()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x00\x01", "expected text, got 2 bytes of binary"),
        ("{", "expected JSON, got '{'"),
        ("[]", "expected an object"),
        (json.dumps({"event": "clear"}), f"expected streamSid {SID}, got None"),
        (json.dumps({"event": "clear", "streamSid": "MZ2"}), "got 'MZ2'"),
        (message("hangup"), "expected media with a payload, mark with a name or clear"),
        (message("media"), "expected media with a payload"),
        (message("media", media={"payload": 7}), "expected media with a payload"),
        (message("media", media={"payload": "%%%%"}), "media.payload: "),
        (message("media", media={"payload": ""}), "got 0 bytes"),
        (message("mark"), "mark with a name"),
        (message("mark", mark={"name": None}), "mark with a name"),
    ],
)
def test_what_twilio_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        Wire(CALL).read(sent)


def test_audio_is_twilios_mu_law() -> None:
    sent = json.loads(Wire(CALL).media((32124).to_bytes(2, "little") * 160))
    assert base64.b64decode(sent["media"]["payload"]) == b"\x80" * 160
