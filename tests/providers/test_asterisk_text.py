"""Asterisk's older form, read as fields."""

import pytest

from relay.errors import RemoteProtocolError
from relay.providers.asterisk_text import is_text, read_text
from relay.providers.fields import MESSAGE_MAX_BYTES


@pytest.mark.parametrize("message", ["MEDIA_XOFF", b"MEDIA_XOFF", "", b"", "[]", "\ud800"])
def test_what_is_no_object_is_text(message: bytes | str) -> None:
    assert is_text(message)


@pytest.mark.parametrize("message", ["{}", b"{}", "\n {", b"\n {"])
def test_an_object_is_not(message: bytes | str) -> None:
    assert not is_text(message)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("MEDIA_XOFF", {}),
        (b"MEDIA_XON\n", {}),
        ("DTMF_END digit:# channel_id:1.7", {"digit": "#", "channel_id": "1.7"}),
        ("MEDIA_START channel:WebSocket/a:b/0x7 ptime:20", {"channel": "WebSocket/a:b/0x7", "ptime": "20"}),
        ("MEDIA_START  ptime:20  odd", {"ptime": "20", "odd": ""}),
        ("MEDIA_START event:STATUS", {}),
        ("ERROR channel_id:1 error_text:no a:b ", {"channel_id": "1", "error_text": "no a:b"}),
    ],
)
def test_words_are_fields(message: bytes | str, fields: dict[str, str]) -> None:
    event = (message if isinstance(message, str) else message.decode()).split()[0]
    assert read_text("acme", message).values == {"error_text": "", **fields, "event": event}


@pytest.mark.parametrize(
    ("message", "name"), [("X 1.2", ""), ("MEDIA_MARK_PROCESSED", ""), ("MEDIA_MARK_PROCESSED a b:c", "a b:c")]
)
def test_an_id_is_the_rest(message: str, name: str) -> None:
    values = read_text("acme", message).values
    assert values.get("correlation_id", "") == name


@pytest.mark.parametrize(
    "message", ["", " ", b"\xff", "\ud800", "media_xoff", "MEDIA-XOFF", "{}", "X" * (MESSAGE_MAX_BYTES + 1)]
)
def test_what_does_not_begin_with_an_event_is_refused(message: bytes | str) -> None:
    expected = f"^acme message: expected an event's name first, in capitals, got {len(message)} others$"
    with pytest.raises(RemoteProtocolError, match=expected):
        read_text("acme", message)
