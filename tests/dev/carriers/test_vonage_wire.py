"""Vonage's messages are those of its own pages, and what it would not take is a violation."""

import json
import re

import pytest

from relay.dev.carriers.vonage_wire import VonageWire
from relay.dev.phone_wire import Call, Clear, Mark, ProtocolViolation
from tests.dev.carriers.sessions import FRAME, check_said, event_of, heard, session

CONNECTED = session("vonage")[0]["data"]
CALL = Call({name: value for name, value in CONNECTED.items() if name not in {"event", "content-type"}})


def test_a_whole_stream_is_as_vonage_documents_it() -> None:
    one = VonageWire(CALL)
    assert (one.connected(), one.stop(), one.is_binary) == (b"", b"", True)
    one.read('{"action": "notify", "payload": {"name": "m1"}}')
    made = {
        "websocket:connected": one.start,
        "media": lambda: one.media(FRAME),
        "websocket:dtmf": lambda: one.dtmf("1"),
        "websocket:notify": lambda: one.mark("m1"),
        "websocket:cleared": lambda: one.cleared([])[0],
    }
    check_said("vonage", made, event_of, set())


def test_all_that_vonages_page_has_a_relay_say_is_read() -> None:
    assert heard("vonage", VonageWire(CALL)) == [Mark("m1"), Clear()]


def test_what_is_notified_is_the_relays_own_payload() -> None:
    one = VonageWire(CALL)
    payload = {"place": [1, {"two": None}]}
    command = one.read(json.dumps({"action": "notify", "payload": payload}))
    assert isinstance(command, Mark)
    assert json.loads(one.mark(command.name)) == {"event": "websocket:notify", "payload": payload}


@pytest.mark.parametrize(("rate_hz", "size"), [(8000, 320), (16000, 640), (24000, 960)])
def test_every_message_of_audio_is_one_frame(rate_hz: int, size: int) -> None:
    one = VonageWire(CALL, rate_hz)
    assert [len(one.media(FRAME)) for _ in range(5)] == 5 * [size]
    assert json.loads(one.start())["content-type"] == f"audio/l16;rate={rate_hz}"
    for wrong in (size - 2, size + 2, 2 * size, 0):
        with pytest.raises(ProtocolViolation, match=f"unexpected frame size {wrong}, when required {size}"):
            one.read(bytes(wrong))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("nonsense", "expected JSON"),
        ('{"action": "notify"}', "expected notify with a payload or clear"),
        ('{"action": "notify", "payload": "m1"}', "expected notify with a payload or clear"),
        ('{"event": "clear"}', "expected notify with a payload or clear"),
    ],
)
def test_what_vonage_would_not_take_is_a_violation(sent: str, says: str) -> None:
    with pytest.raises(ProtocolViolation, match=re.escape(says)):
        VonageWire(CALL).read(sent)
