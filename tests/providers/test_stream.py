"""The order of a stream's messages, and what may be sent when."""

import pytest

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import StreamStarted, StreamStopped
from relay.providers.stream import MARK_NAME_MAX_CHARS, StreamOrder, check_mark_name


def started(stream_id: str = "S1") -> StreamStarted:
    return StreamStarted(stream_id, "C1", AudioFormat("pcmu", 8000))


def test_a_stream_starts_once() -> None:
    order = StreamOrder("acme")
    assert order.start(started()) == [started()]
    assert order.start(started()) == []
    assert (order.started_id("media"), order.open_id(), order.over) == ("S1", "S1", False)


def test_another_stream_cannot_start() -> None:
    order = StreamOrder("acme")
    order.start(started())
    with pytest.raises(RemoteProtocolError, match=r"^acme start: expected stream 'S1' again, got stream 'S2'$"):
        order.start(started("S2"))
    assert order.open_id() == "S1"


def test_nothing_of_a_stream_comes_before_it() -> None:
    with pytest.raises(RemoteProtocolError, match=r"^acme event: expected 'start' first, got 'media'$"):
        StreamOrder("acme").started_id("media")
    with pytest.raises(RemoteProtocolError, match=r"^acme event: expected metadata first, got 'media'$"):
        StreamOrder("acme", first="metadata").started_id("media")


def test_f16_a_stream_that_stopped_is_over() -> None:
    order = StreamOrder("acme")
    order.start(started())
    assert order.stop("callended") == [StreamStopped("callended")]
    assert order.over


def test_only_an_open_stream_can_be_sent_to() -> None:
    order = StreamOrder("acme")
    with pytest.raises(LocalProtocolError, match=r"^acme stream: expected an open one, got one that has not started$"):
        order.open_id()
    order.start(started())
    order.stop()
    with pytest.raises(LocalProtocolError, match=r"^acme stream: expected an open one, got one that is over$"):
        order.open_id()


@pytest.mark.parametrize("name", ["m", "7/end", "x" * MARK_NAME_MAX_CHARS])
def test_a_mark_name_is_short_and_printable(name: str) -> None:
    check_mark_name("acme", name)


@pytest.mark.parametrize("name", ["", "x" * (MARK_NAME_MAX_CHARS + 1), "é", "a\n", "\ud800", "x" * 10_000])
def test_another_mark_name_is_refused(name: str) -> None:
    expected = "^acme mark name: expected 1 to 64 printable ASCII characters, got "
    with pytest.raises(LocalProtocolError, match=expected) as caught:
        check_mark_name("acme", name)
    assert len(str(caught.value)) < 200
