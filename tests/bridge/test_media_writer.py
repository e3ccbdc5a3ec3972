"""What is written past the library, and how long the way is."""

import math
from typing import Any

import pytest
from websockets.protocol import State
from websockets.server import ServerProtocol

from relay.bridge.media_writer import MediaWriter


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def opened(state: State = State.OPEN) -> tuple[MediaWriter, Transport]:
    protocol, transport = ServerProtocol(), Transport()
    protocol.state = state
    stand_in: Any = transport
    return MediaWriter(protocol, stand_in), transport


def test_a_message_is_one_whole_frame_and_its_bytes_are_counted() -> None:
    writer, transport = opened()
    assert writer.send(b"{}")
    assert writer.send(b"\0" * 300, text=False)
    assert transport.written == [b"\x81\x02{}", b"\x82\x7e\x01\x2c" + b"\0" * 300]
    assert writer.written_bytes == sum(map(len, transport.written))


@pytest.mark.parametrize("state", [State.CONNECTING, State.CLOSING, State.CLOSED])
def test_nothing_is_written_to_what_is_not_open(state: State) -> None:
    writer, transport = opened(state)
    assert not writer.send(b"{}")
    assert (transport.written, writer.written_bytes) == ([], 0)


def test_the_round_trip_is_the_shortest_of_the_last_three() -> None:
    writer, _ = opened()
    assert (writer.round_trip_ms, writer.round_trip_min_ms) == (0.0, math.inf)
    found = []
    for took_ms in (30.0, 20.0, 50.0, 40.0, 60.0):
        writer.note_round_trip(took_ms)
        found.append(writer.round_trip_ms)
    assert found == [30.0, 20.0, 20.0, 20.0, 40.0]
    assert writer.round_trip_min_ms == 20.0
