"""Exotel: its two ways to write names, and its frames. What it may say oddly is in test_json_stream.py."""

import orjson
import pytest

from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError, RemoteProtocolError
from tests.providers.exotel_cases import EXOTEL, EXOTEL_CAMEL, MEDIA, STREAM_ID


def test_messages_in_camel_case_say_which_they_are_and_how_much_came_before() -> None:
    """As Exotel's own samples do, so that a stream does not end early; what is refused does not count."""
    adapter = EXOTEL_CAMEL.opened()
    assert adapter.media_out is None
    with pytest.raises(LocalProtocolError):
        adapter.encode_audio(bytes(1600))
    sent = [orjson.loads(adapter.encode_audio(bytes(size)))["media"] for size in (3200, 6400, 3520, 3200)]
    numbers = [(media["chunk"], media["sequenceNumber"], media["timestamp"]) for media in sent]
    assert numbers == [("1", "1", "0"), ("2", "2", "200"), ("3", "3", "600"), ("4", "4", "820")]


def test_messages_in_snake_case_have_no_numbers() -> None:
    adapter = EXOTEL.opened()
    assert orjson.loads(adapter.encode_audio(bytes(3200))).keys() == {"event", "stream_sid", "media"}
    assert adapter.media_out is not None


@pytest.mark.parametrize("size", [0, 320, 1600, 3199, 3201, 3360, 100_160])
def test_other_than_exotels_frames_are_not_sent(size: int) -> None:
    expected = "expected a multiple of 320 bytes, at least 3200, at most 100000, got"
    with pytest.raises(LocalProtocolError, match=f"^exotel payload: {expected} {size} bytes$"):
        EXOTEL.opened().encode_audio(bytes(size))


def test_the_longest_message_is_the_longest_multiple() -> None:
    assert EXOTEL.opened().encode_audio(bytes(99_840))


def test_the_id_is_looked_for_as_the_start_has_it() -> None:
    for case, key in ((EXOTEL, "stream_sid"), (EXOTEL_CAMEL, "streamSid")):
        with pytest.raises(RemoteProtocolError, match=f"^exotel {key}: expected '{STREAM_ID}', got 'another'$"):
            case.opened().parse(compact({"event": "media", key: "another", "media": MEDIA["media"]}))
