"""A carrier's stream as it runs, without its socket: what it tells of its queue, and in which order it speaks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from relay.dev.carriers.asterisk_wire import AsteriskWire
from relay.dev.carriers.telnyx_wire import TelnyxWire
from relay.dev.phone_stream import CarrierStream
from relay.dev.phone_websocket import Network
from relay.dev.phone_wire import Call, PhoneWire, Wire
from tests.dev.conftest import Run

SECOND = bytes([0x10]) * 8000
FLUSH = json.dumps({"command": "FLUSH_MEDIA"})


class Sent:
    """What goes out."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def send(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        self.texts.append(message)
        if written is not None:
            written(delay_ns)

    def drop(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        """Audio that is binary."""

    def events(self) -> list[str]:
        return [json.loads(text)["event"] for text in self.texts]


def stream_of(wire: PhoneWire) -> tuple[CarrierStream, Sent]:
    sent = Sent()
    stream = CarrierStream(None, Call(), Network(), wire)
    stream.begin(sent.send, sent.drop)
    return stream, sent


def test_an_asterisk_whose_queue_is_full_says_so_until_it_is_flushed(run: Run) -> None:
    async def scenario() -> None:
        stream, sent = stream_of(AsteriskWire(Call()))
        for _ in range(17):
            stream.receive(SECOND)
        assert sent.events() == ["MEDIA_START"]
        for _ in range(2):
            stream.receive(SECOND)
        assert sent.events() == ["MEDIA_START", "MEDIA_XOFF"]
        stream.receive(FLUSH)
        await stream.changes.until(lambda: "MEDIA_XON" in sent.events(), "MEDIA_XON", timeout_s=10)
        stream.end_media()
        assert sent.events() == ["MEDIA_START", "MEDIA_XOFF", "MEDIA_XON"]
        assert stream.violations == []

    run(scenario)


@pytest.mark.parametrize(("every", "order"), [(0, "1 2 3 4 5 6 7"), (3, "1 2 4 3 5 7 6")])
def test_a_carrier_that_does_not_keep_the_order_swaps_neighbours_now_and_then(
    run: Run, monkeypatch: pytest.MonkeyPatch, every: int, order: str
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(TelnyxWire, "swaps_every", every)
        stream, sent = stream_of(TelnyxWire(Call()))
        stream.end_media()
        for _ in range(7):
            stream.send_frame()
        said = [message for message in map(json.loads, sent.texts) if message["event"] == "media"]
        assert [message["media"]["chunk"] for message in said] == order.split()
        assert len(stream.sent_ns) == 7

    run(scenario)


def test_telnyx_does_not_keep_the_order() -> None:
    assert TelnyxWire.swaps_every


def test_who_talks_for_long_need_not_keep_what_was_said(run: Run) -> None:
    async def scenario() -> None:
        stream, _ = stream_of(Wire(Call()))
        for _ in range(3):
            stream.send_frame()
        stream.end_media()
        third_ns = stream.said.start_ns + 3 * 20_000_000
        stream.forget()
        assert (stream.said.pcm, stream.heard.pcm) == (b"", b"")
        assert stream.said.start_ns == third_ns
        assert len(stream.sent_ns) == 3

    run(scenario)
