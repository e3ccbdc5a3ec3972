"""
Owns the rooms of a run: of each the WebSocket of its one place, and a customer who never stops saying markers.

One thread with one epoll, and nothing is mixed: ``relay dev room`` costs as much as the calls that are measured. How
late frames come, after those before them, is part of the result, and how late the rooms were themselves.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import select
import socket
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.utils import accept_key

from relay.dev.bench.marker import MARKERS, frames
from relay.dev.bench.spread import percentile
from relay.media.format import PTIME_MS
from relay.rooms.base import Participant
from relay.rooms.wire import RATE_HZ, Joined, event_text

PTIME_NS: Final = PTIME_MS * 1_000_000
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_FIN, _MASK_BYTES = 0x80, 4
_NONBLOCKING, _ABSOLUTE = 0o4000, 1


class Deadline:
    """A timerfd: its ``descriptor`` can be read from a moment on."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCKING)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = (ctypes.c_long * 4)()

    def set(self, at_ns: int) -> None:
        """Let that be the moment."""
        self._setting[2], self._setting[3] = divmod(at_ns, 1_000_000_000)
        self._libc.timerfd_settime(self.descriptor, _ABSOLUTE, self._setting, None)


class Place:
    """
    One connection, and what has been said and heard on it.

    Args:
        connected: its socket.
        keep: whether to keep what comes.
    """

    def __init__(self, connected: socket.socket, *, keep: bool) -> None:
        self.socket = connected
        self.socket.setblocking(False)  # noqa: FBT003 - the method's only form
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = ""
        self.arrived_ns = array("q")
        self.said_ns = array("q")
        self.pcm = bytearray()
        self.first = 0
        """What number the first of those had that were said since ``begin``."""
        self.dropped_frames = 0
        self.is_open = False
        self._keep = keep
        self._said = 0
        self._received = b""
        self._unsent = b""

    def begin(self) -> None:
        """Forget what was said and heard so far."""
        del self.arrived_ns[:], self.said_ns[:], self.pcm[:]
        self.first = self._said % MARKERS
        self.dropped_frames = 0

    def say(self, customer: Sequence[bytes]) -> None:
        """Say the next frame; it is dropped, and so never heard, when one before it has not gone out."""
        if self._unsent:
            self._write(b"")
        self.said_ns.append(time.monotonic_ns())
        if self._unsent:
            self.dropped_frames += 1
        else:
            self._write(customer[self._said % MARKERS])
        self._said += 1

    def readable(self) -> None:
        """
        Take what has come.

        Raises:
            ConnectionError: it is over.
        """
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the peer has left")
        self._received += data
        if not self.is_open:
            self._open()
        if self.is_open:
            self._received = self._received[self._take_frames() :]

    def _open(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        request, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.name = urlsplit(request.split()[1]).path.rpartition("/")[2]
        self._received = rest
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(headers['sec-websocket-key'])}\r\n\r\n"
        )
        joined = event_text(Joined("relay", (Participant("customer", "customer"),)))
        self._write(answer.encode() + server_frame(1, joined.encode()))
        self.is_open = True

    def _take_frames(self) -> int:
        data, at, now_ns = self._received, 0, time.monotonic_ns()
        while len(data) - at >= 2:
            size_bytes, begin = data[at + 1] & 0x7F, at + 2
            if size_bytes == 126:
                size_bytes, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            end = begin + _MASK_BYTES + size_bytes
            if end > len(data):
                break
            opcode = data[at] & 0x0F
            if opcode == _BINARY:
                self.arrived_ns.append(now_ns)
                if self._keep:
                    self.pcm += unmasked(data[begin:end])
            elif opcode == _PING:
                self._write(server_frame(_PONG, unmasked(data[begin:end])))
            elif opcode == _CLOSE:
                raise ConnectionResetError("the peer has closed")
            at = end
        return at

    def _write(self, data: bytes) -> None:
        data = self._unsent + data
        try:
            self._unsent = data[self.socket.send(data) :]
        except BlockingIOError:
            self._unsent = data


class Rooms:
    """
    All places.

    Args:
        count: of the calls: their frames are spread evenly over the 20 ms.
        folder: where ``end`` writes what each place has said and heard; None: nowhere.
    """

    def __init__(self, count: int, folder: Path | None = None) -> None:
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._slots: list[dict[int, Place]] = [{} for _ in range(count)]
        """In each the places, by descriptor, whose customers speak at the same time."""
        self._accepted = 0
        self._places: dict[int, Place] = {}
        self._late_ns = array("q")
        self._customer = [server_frame(_BINARY, frame) for frame in frames(RATE_HZ)]
        self._deadline = Deadline()
        self._epoll = select.epoll()
        for descriptor in (self._listener.fileno(), self._deadline.descriptor, sys.stdin.fileno()):
            self._epoll.register(descriptor, select.EPOLLIN)
        self._is_over = False

    def run(self) -> None:
        """Serve until the end of standard input; ``begin`` has no answer, ``end`` is answered by what was seen."""
        print(json.dumps({"port": self.port}), flush=True)
        others: Mapping[int, Callable[[], None]] = {
            self._listener.fileno(): self._accept,
            sys.stdin.fileno(): self._obey,
            self._deadline.descriptor: lambda: None,
        }
        start_ns, number = time.monotonic_ns(), 0
        while not self._is_over:
            while (now_ns := time.monotonic_ns()) >= (due_ns := start_ns + number * PTIME_NS // len(self._slots)):
                self._late_ns.append(now_ns - due_ns)
                self._say(self._slots[number % len(self._slots)])
                number += 1
            self._deadline.set(due_ns)
            for descriptor, _ in self._epoll.poll():
                if descriptor in others:
                    others[descriptor]()
                elif descriptor in self._places:
                    self._read(descriptor)

    def _accept(self) -> None:
        place = Place(self._listener.accept()[0], keep=self._folder is not None)
        descriptor = place.socket.fileno()
        self._places[descriptor] = self._slots[self._accepted % len(self._slots)][descriptor] = place
        self._accepted += 1
        self._epoll.register(descriptor, select.EPOLLIN)

    def _say(self, places: dict[int, Place]) -> None:
        for descriptor in list(places):
            if places[descriptor].is_open:
                try:
                    places[descriptor].say(self._customer)
                except ConnectionError:
                    self._leave(descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            self._places[descriptor].readable()
        except ConnectionError:
            self._leave(descriptor)

    def _leave(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        self._places.pop(descriptor).socket.close()
        for slot in self._slots:
            slot.pop(descriptor, None)

    def _obey(self) -> None:
        received = os.read(sys.stdin.fileno(), 4096)
        self._is_over = not received
        for command in received.decode().split():
            if command == "begin":
                del self._late_ns[:]
                for place in self._places.values():
                    place.begin()
            elif command == "end":
                print(json.dumps(self._seen()), flush=True)  # and goes on: calls whose room is lost end by themselves

    def _seen(self) -> dict[str, Any]:
        late_ms = lateness_ms([place.arrived_ns for place in self._places.values()])
        seen = {
            "received": sum(len(place.arrived_ns) for place in self._places.values()),
            "late_p50_ms": percentile(late_ms, 50),
            "late_p99_ms": percentile(late_ms, 99),
            "own_late_p99_ms": percentile(sorted(late_ns / 1e6 for late_ns in self._late_ns), 99),
            "dropped": sum(place.dropped_frames for place in self._places.values()),
            "first": {place.name: place.first for place in self._places.values()},
        }
        if self._folder is not None:
            for place in self._places.values():
                for suffix, content in (("said", place.said_ns), ("given", place.arrived_ns), ("pcm", place.pcm)):
                    (self._folder / f"{place.name}.{suffix}").write_bytes(content)
        return seen


def lateness_ms(arrivals_ns: Sequence[Sequence[int]]) -> list[float]:
    """How much more than a frame's length passed before each frame, on each of some streams; the least first."""
    return sorted((now - before - PTIME_NS) / 1e6 for arrived_ns in arrivals_ns for before, now in pairwise(arrived_ns))


def server_frame(opcode: int, content: bytes) -> bytes:
    """Return a WebSocket frame of a server, of less than 64 KiB."""
    if len(content) < 126:
        return bytes((_FIN | opcode, len(content))) + content
    return bytes((_FIN | opcode, 126)) + len(content).to_bytes(2, "big") + content


def unmasked(masked: bytes) -> bytes:
    """What a client has sent, its mask before it; as one number, which is a hundred times as fast as byte by byte."""
    mask, content = masked[:_MASK_BYTES], masked[_MASK_BYTES:]
    key = (mask * (len(content) // _MASK_BYTES + 1))[: len(content)]
    return (int.from_bytes(content, "big") ^ int.from_bytes(key, "big")).to_bytes(len(content), "big")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=4, help="at a time")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    Rooms(arguments.calls, arguments.folder).run()


if __name__ == "__main__":
    main()
