"""SignalWire's messages are those of its own pages: Twilio's, but for some fields."""

import json
import re

import pytest

from relay.dev.carriers.signalwire_wire import SignalWireWire
from relay.dev.phone_wire import Call, Clear, Keys, Mark, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, event_of, heard, session

START = session("signalwire")[1]["data"]["start"]
CALL = Call(
    START["customParameters"],
    stream_sid=START["streamSid"],
    call_sid=START["callSid"],
    account_sid=START["accountSid"],
)


def test_a_whole_stream_is_as_signalwire_documents_it() -> None:
    one = SignalWireWire(CALL)
    made = {
        "connected": one.connected,
        "start": one.start,
        "media": lambda: one.media(FRAME),
        "dtmf": lambda: one.dtmf("1"),
        "mark": lambda: one.mark("m1"),
        "stop": one.stop,
    }
    check_said("signalwire", made, event_of, {"sequenceNumber"})


def test_all_that_signalwires_page_has_a_relay_say_is_read() -> None:
    assert heard("signalwire", SignalWireWire(CALL)) == [Mark("m1"), Clear(), Keys("5")]


def test_without_parameters_there_are_none_in_start() -> None:
    assert "customParameters" not in json.loads(SignalWireWire(Call()).start())["start"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x00", "expected text"),
        ('{"event": "clear"}', f"expected streamSid {CALL.stream_sid}, got None"),
        (json.dumps({"event": "stop", "streamSid": CALL.stream_sid}), "expected media with a payload"),
    ],
)
def test_what_signalwire_would_not_take_is_a_violation(sent: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        SignalWireWire(CALL).read(sent)
