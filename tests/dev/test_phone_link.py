"""The bad network, byte by byte: seen from the other end of a TCP connection that the test reads itself."""

import asyncio
import socket
import struct
import time
from typing import Self

import pytest

from relay.dev.phone_link import Link
from relay.dev.until import Changes
from tests.dev.conftest import Run

TCP_INFO_DATA_SEGS_OUT = 156
"""Offset of tcpi_data_segs_out in struct tcp_info (linux/tcp.h); in Linux since 4.6."""


class Ends:
    """A link and the plain socket at its other end."""

    def __init__(self, *, segment_bytes: int | None = None, peer_buffer_bytes: int | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            if peer_buffer_bytes is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_buffer_bytes)
            self.near = socket.create_connection(listener.getsockname())
            self.peer, _ = listener.accept()
        self.near.settimeout(0)
        self.peer.settimeout(0)
        self.got: list[bytes] = []
        self._changes = Changes()
        self.lost: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
        self.link = Link(self.near, received=self._receive, lost=self.lost.set_result, segment_bytes=segment_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.link.close()
        self.peer.close()

    def peer_fills_the_buffers(self) -> int:
        """Write until nothing more is taken, and say how much was."""
        sent_bytes = 0
        try:
            while True:
                sent_bytes += self.peer.send(bytes(65536))
        except BlockingIOError:
            return sent_bytes

    def _receive(self, data: bytes) -> None:
        self.got.append(data)
        self._changes.changed()

    async def until_got(self, size_bytes: int) -> None:
        await self._changes.until(lambda: sum(map(len, self.got)) >= size_bytes, "bytes", timeout_s=10)

    async def peer_reads(self, size_bytes: int) -> list[bytes]:
        """Read so many bytes, in the pieces in which they came; fewer at the end of the stream."""
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < size_bytes:
            async with asyncio.timeout(10):
                pieces.append(await asyncio.get_running_loop().sock_recv(self.peer, 65536))
            if not pieces[-1]:
                break
        return pieces


def test_what_is_sent_arrives_in_order_and_its_time_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            written: list[int] = []
            before_ns = time.monotonic_ns()
            ends.link.send(b"one", written=written.append)
            ends.link.send(b"two", written=written.append)
            assert b"".join(await ends.peer_reads(6)) == b"onetwo"
            assert before_ns <= written[0] <= written[1] <= time.monotonic_ns()

    run(scenario)


def test_a_delay_holds_back_all_that_comes_after_it(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            written: list[int] = []
            sent_ns = time.monotonic_ns()
            ends.link.send(b"late", delay_ns=30_000_000, written=written.append)
            ends.link.send(b"prompt", written=written.append)
            assert written == []
            assert b"".join(await ends.peer_reads(10)) == b"lateprompt"
            assert written[0] >= sent_ns + 30_000_000

    run(scenario)


def test_a_stall_holds_both_directions_and_then_lets_all_through(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            written: list[int] = []
            end_ns = time.monotonic_ns() + 60_000_000
            ends.link.stall(60_000_000)
            for _ in range(10):
                ends.link.send(b"out", written=written.append)
            ends.peer.send(b"in")
            await asyncio.sleep(0.02)  # long enough for both to pass, if they could
            assert written == []
            assert ends.got == []
            await ends.peer_reads(30)
            await asyncio.sleep(0)
            assert len(written) == 10
            assert written[0] >= end_ns
            ends.peer.send(b"more")
            await ends.until_got(6)
            assert b"".join(ends.got) == b"inmore"

    run(scenario)


@pytest.mark.parametrize("segment_bytes", [1, 7])
def test_crumbs_are_segments_of_their_own(segment_bytes: int, run: Run) -> None:
    async def scenario() -> None:
        async with Ends(segment_bytes=segment_bytes) as ends:
            ends.link.send(bytes(70))
            pieces = await ends.peer_reads(70)
            assert sum(map(len, pieces)) == 70
            info = ends.near.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            assert struct.unpack_from("I", info, TCP_INFO_DATA_SEGS_OUT)[0] == 70 // segment_bytes
            assert max(map(len, pieces)) < 70  # the reader had its turn in between

    run(scenario)


def test_a_link_that_does_not_read_stops_its_peer(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            ends.link.pause_reading()
            sent_bytes = ends.peer_fills_the_buffers()
            await asyncio.sleep(0.01)  # it would be read by now
            assert ends.peer_fills_the_buffers() < sent_bytes / 2
            assert ends.got == []
            ends.link.resume_reading()
            await ends.until_got(sent_bytes)

    run(scenario)


def test_a_peer_that_does_not_read_loses_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with Ends(peer_buffer_bytes=4096) as ends:
            sent = b"".join(bytes([n]) * 100_000 for n in range(60))
            ends.link.send(sent)
            ends.link.send(b"end")
            assert b"".join(await ends.peer_reads(len(sent) + 3)) == sent + b"end"

    run(scenario)


def test_a_reset_is_seen_as_such(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            ends.link.reset()
            with pytest.raises(ConnectionResetError):
                await ends.peer_reads(1)
            assert await ends.lost is None

    run(scenario)


def test_a_fin_ends_our_side_only_and_drops_what_was_queued(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            ends.link.stall(10_000_000_000)
            ends.link.send(b"never")
            ends.link.end_now()
            assert await ends.peer_reads(1) == [b""]
            assert not ends.link.closed

    run(scenario)


def test_the_end_of_the_peer_ends_the_link(run: Run) -> None:
    async def scenario() -> None:
        async with Ends() as ends:
            ends.peer.shutdown(socket.SHUT_WR)
            assert await ends.lost is None
            assert ends.got == [b""]
            assert ends.near.fileno() == -1

    run(scenario)
