"""
Owns the rooms of a run: of each the WebSocket of its one place, and a customer who never stops talking.

One thread with one epoll, and nothing is mixed: ``relay dev room`` costs as much as the calls that are measured. How
late frames come, after those before them, is part of the result.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from websockets.utils import accept_key

from benchmarks.workers.deadline import PTIME_NS, Deadline
from relay.rooms.base import Participant
from relay.rooms.wire import FRAME_BYTES, RATE_HZ, Joined, event_text
from tests.signals.waves import pcm, tone

TONE_HZ: Final = 450
"""Whole periods in a frame."""
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_FIN, _MASK_BYTES = 0x80, 4


class Place:
    """One connection, and what has come on it."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.setblocking(False)  # noqa: FBT003 - the method's only form
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.arrived_ns: list[int] = []
        self.dropped_frames = 0
        self.is_open = False
        self._received = b""
        self._unsent = b""

    def send(self, frame: bytes) -> None:
        """Send a frame, unless one before it has not gone out."""
        if self._unsent:
            self._write(b"")
        if self._unsent:
            self.dropped_frames += 1
        else:
            self._write(frame)

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
        lines = (line.partition(":") for line in head.decode().split("\r\n")[1:])
        headers = {name.lower(): value.strip() for name, _, value in lines}
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
            elif opcode == _PING:
                self._write(server_frame(_PONG, _unmasked(data[begin:end])))
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
    """

    def __init__(self, count: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._slots: list[dict[int, Place]] = [{} for _ in range(count)]
        """In each the places, by descriptor, that get a frame at the same time."""
        self._accepted = 0
        self._places: dict[int, Place] = {}
        self._frame = server_frame(_BINARY, pcm(tone(TONE_HZ, RATE_HZ, FRAME_BYTES // 2, amplitude=8000)))
        self._deadline = Deadline()
        self._epoll = select.epoll()
        for descriptor in (self._listener.fileno(), self._deadline.descriptor, sys.stdin.fileno()):
            self._epoll.register(descriptor, select.EPOLLIN)
        self._is_over = False

    def run(self) -> None:
        """Serve until the end of standard input; ``begin`` and ``end`` as in ``bridge.server``."""
        print(json.dumps({"port": self.port}), flush=True)
        others: Mapping[int, Callable[[], None]] = {
            self._listener.fileno(): self._accept,
            sys.stdin.fileno(): self._obey,
            self._deadline.descriptor: lambda: None,
        }
        start_ns, number = time.monotonic_ns(), 0
        while not self._is_over:
            while time.monotonic_ns() >= (due_ns := start_ns + number * PTIME_NS // len(self._slots)):
                self._send(self._slots[number % len(self._slots)])
                number += 1
            self._deadline.set(due_ns)
            for descriptor, _ in self._epoll.poll():
                if descriptor in others:
                    others[descriptor]()
                elif descriptor in self._places:
                    self._read(descriptor)

    def _accept(self) -> None:
        place = Place(self._listener.accept()[0])
        descriptor = place.socket.fileno()
        self._places[descriptor] = self._slots[self._accepted % len(self._slots)][descriptor] = place
        self._accepted += 1
        self._epoll.register(descriptor, select.EPOLLIN)

    def _send(self, places: dict[int, Place]) -> None:
        for descriptor in list(places):
            if places[descriptor].is_open:
                try:
                    places[descriptor].send(self._frame)
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
                for place in self._places.values():
                    place.arrived_ns.clear()
                    place.dropped_frames = 0
            elif command == "end":
                print(json.dumps(self._seen()), flush=True)  # and goes on: calls whose room is lost end by themselves

    def _seen(self) -> dict[str, Any]:
        late_ms = lateness_ms([place.arrived_ns for place in self._places.values()])
        return {
            "received": sum(len(place.arrived_ns) for place in self._places.values()),
            "late_p50_ms": percentile(late_ms, 50),
            "late_p99_ms": percentile(late_ms, 99),
            "dropped": sum(place.dropped_frames for place in self._places.values()),
        }


def lateness_ms(arrivals_ns: list[list[int]]) -> list[float]:
    """How much more than a frame's length passed before each frame, on each of some streams."""
    late: list[float] = []
    for arrived_ns in arrivals_ns:
        late.extend((np.diff(arrived_ns) - PTIME_NS) / 1e6)
    return late


def percentile(values: list[float], percent: float) -> float:
    """So many percent are no more than this; of nothing, infinite: what did not come at all was not in time."""
    return float(np.percentile(values, percent)) if values else float("inf")


def server_frame(opcode: int, content: bytes) -> bytes:
    """Return a WebSocket frame of a server, of less than 64 KiB."""
    if len(content) < 126:
        return bytes((_FIN | opcode, len(content))) + content
    return bytes((_FIN | opcode, 126)) + len(content).to_bytes(2, "big") + content


def _unmasked(masked: bytes) -> bytes:
    mask, content = masked[:_MASK_BYTES], masked[_MASK_BYTES:]
    return bytes(byte ^ mask[number % _MASK_BYTES] for number, byte in enumerate(content))


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=4, help="at a time")
    Rooms(parser.parse_args().calls).run()


if __name__ == "__main__":
    main()
