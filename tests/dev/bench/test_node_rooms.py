"""The rooms of a run: a customer who says markers, and what a place has said and heard, with times."""

import asyncio
import socket
import sys
from array import array
from pathlib import Path

import pytest

from relay.dev.bench.marker import MARKERS, frames
from relay.dev.bench.node_rooms import Place, lateness_ms, server_frame, unmasked
from relay.dev.bench.processes import Child
from relay.rooms.local import LocalRoom
from relay.rooms.wire import FRAME_BYTES, RATE_HZ
from tests.rooms.listener import Listener

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="stands on epoll and timerfd")
MS = 1_000_000


def test_late_is_what_comes_more_than_a_frame_after_the_one_before_it() -> None:
    assert lateness_ms([[0, 20 * MS, 45 * MS], [5 * MS, 20 * MS], [7 * MS]]) == [-5.0, 0.0, 5.0]


@pytest.mark.parametrize("size_bytes", [0, 1, 7, 640])
def test_mask_is_taken_off(size_bytes: int) -> None:
    content, mask = bytes(n % 251 for n in range(size_bytes)), b"\x01\x80\xff\x7e"
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(content))
    assert unmasked(mask + masked) == content


def test_frame_of_a_server_says_its_length_in_one_byte_or_three() -> None:
    assert server_frame(2, bytes(125))[:2] == bytes((0x82, 125))
    assert server_frame(2, bytes(640))[:4] == bytes((0x82, 126, 2, 128))


def test_frame_that_cannot_go_out_is_said_all_the_same() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    with ours, theirs:
        place, said = Place(ours, keep=False), 0
        while not place.dropped_frames:  # until the kernel takes no more
            place.say([bytes(100_000)] * MARKERS)
            said += 1
        assert len(place.said_ns) == said
        place.begin()
        assert place.first == said


def test_place_hears_markers_one_after_the_other_and_what_it_says_is_kept(tmp_path: Path) -> None:
    listener = Listener()

    async def scenario() -> dict[str, int]:
        arguments = ("-m", "relay.dev.bench.node_rooms", "--calls", "1", "--folder", str(tmp_path))
        async with Child(*arguments, environment={}) as rooms:
            room = LocalRoom(f"http://127.0.0.1:{(await rooms.answer())['port']}/rooms/call-7")
            assert [each.name for each in await room.join(listener)] == ["customer"]
            await listener.has_heard(3)
            rooms.tell("begin")
            await listener.has_heard(10)
            seen = await rooms.ask("end")
            await room.leave()
        assert seen["received"] >= 1
        first: dict[str, int] = seen["first"]
        return first

    first = asyncio.run(scenario())["call-7"]
    said = [frames(RATE_HZ).index(pcm) for _, pcm in listener.heard]
    assert said[:10] == list(range(10))
    assert 0 < first < MARKERS
    times = [array("q", (tmp_path / f"call-7.{name}").read_bytes()) for name in ("said", "given")]
    assert all(list(each) == sorted(each) and len(each) > 0 for each in times)
    assert len((tmp_path / "call-7.pcm").read_bytes()) == FRAME_BYTES * len(times[1])
