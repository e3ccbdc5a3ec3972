"""Server-sent events: as the standard reads them, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.client.errors import UnexpectedAnswer
from relay.client.event_stream import EventStreamParser, ServerSentEvent

SESSION = (
    ": hello\n\n"
    "id: 1-0\nevent: requested\ndata: {}\n\n"
    "event:ringing\r\ndata:first\r\ndata: second\r\n\r\n"
    "id: 3-0\rdata: Zürich\r\r"
    "retry: 10\nunknown: x\nevent: nothing\n\n"
    "data\n\n"
    "data: unended"
).encode()
EVENTS = [
    ServerSentEvent("1-0", "requested", "{}"),
    ServerSentEvent("1-0", "ringing", "first\nsecond"),
    ServerSentEvent("3-0", "message", "Zürich"),
    ServerSentEvent("3-0", "message", ""),
]


def parsed(*chunks: bytes) -> list[ServerSentEvent]:
    parser = EventStreamParser()
    return [event for chunk in chunks for event in parser.push(chunk)]


def test_a_session_is_read() -> None:
    assert parsed(SESSION) == EVENTS


def test_it_is_read_byte_by_byte() -> None:
    assert parsed(*(bytes([byte]) for byte in SESSION)) == EVENTS


@given(st.lists(st.integers(0, len(SESSION)), max_size=8))
def test_however_it_is_cut_it_is_the_same(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(SESSION)]
    assert parsed(*(SESSION[begin:end] for begin, end in pairwise(ends))) == EVENTS


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    assert parsed(noise, b"\n\n" + SESSION)[-1].data == ""


def test_an_id_with_a_null_is_none() -> None:
    assert parsed(b"id: 1\n\nid: a\0b\ndata: x\n\n") == [ServerSentEvent("1", "message", "x")]


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: " + b"x" * 994 + b"\n"])
def test_an_event_without_an_end_is_not_kept_for_ever(piece: bytes) -> None:
    with pytest.raises(UnexpectedAnswer, match=r"expected at most 262144 bytes, got 26[23]\d\d\d, unended"):
        parsed(*[piece] * 300)


def test_a_long_stream_of_short_events_is_kept_up_with() -> None:
    assert len(parsed(*[b"data: " + b"x" * 994 + b"\n\n"] * 300)) == 300
