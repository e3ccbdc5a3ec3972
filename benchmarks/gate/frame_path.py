"""
Drives the whole way of a frame through a bridge, in one process and without a socket, a sleep or a real clock.

    python -m benchmarks.gate.frame_path [--frames N] [--batches N] [--direction both|in|out]

In: the carrier's masked frame, as one read gives it, through ``MediaConnection.data_received`` to the PCM that the
room's microphone takes. Out: the room's speaker through the bridge to the bytes in the transport. The clock is by hand,
the carrier answers marks and pings, and each frame must have come out when its 20 ms are over.

It is run on the relay of other commits too: it uses nothing but relay and websockets, and of relay as little as it can.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import math
import random
import statistics
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, cast

import structlog
from websockets.asyncio.server import Server
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from benchmarks.gate.wire import Listening, Wire
from relay._codec import Encoder
from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Ended, Joined
from relay.bridge.media_connection import CONNECTION_OPTIONS, PROTOCOL_OPTIONS, MediaConnection
from relay.bridge.settings import BridgeSettings
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason

FRAME_MS: Final = 20
ROOM_RATE_HZ: Final = 16000
CARRIER_RATE_HZ: Final = 8000
PHASE_MS: Final = 5
"""From a tick of the room that takes the speaker's frame to the arrival of the carrier's."""
WARM_UP_FRAMES: Final = 2500
"""The jitter buffer's target comes down to its least in 28 s, and the delay after it; at 50 s nothing is re-timed."""
CLOCKS: Final = {"cpu": time.thread_time_ns, "wall": time.perf_counter_ns}
STREAM_SID: Final = "MZ18ad3ab5a668481ce02b83e7395059f0"

_UPGRADE: Final = (
    b"GET /media HTTP/1.1\r\nHost: relay.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_START: Final = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "streamSid": STREAM_SID,
        "callSid": "CA0123",
        "customParameters": {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": CARRIER_RATE_HZ, "channels": 1},
    },
    "streamSid": STREAM_SID,
}
_MASKED: Final = 0x80
_FIN: Final = 0x80


class FramesMissing(RuntimeError):
    """Frames have not come out within their 20 ms, or not as what they went in as."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What some frames took."""

    frames: int
    in_ns: int
    out_ns: int

    @property
    def in_us(self) -> float:
        """Per frame, from the carrier's bytes to the room's PCM."""
        return self.in_ns / self.frames / 1000

    @property
    def out_us(self) -> float:
        """Per frame, from the room's PCM to the carrier's bytes."""
        return self.out_ns / self.frames / 1000


class FramePath:
    """
    One call, joined and warm: Twilio's PCMU on one side, a room of 16 kHz on the other. Made by ``open``.

    Args:
        carrier_speaks: whether ``made`` makes frames of the carrier's; may be changed on the way.
        room_speaks: whether the room's speaker gives frames, once the call is warm; may be changed on the way.
        microphone_ptime_ms: of the room; Daily's is 10.
        settings: of the bridge.
    """

    def __init__(
        self,
        *,
        carrier_speaks: bool = True,
        room_speaks: bool = True,
        microphone_ptime_ms: int = 10,
        settings: BridgeSettings | None = None,
    ) -> None:
        self.wire = Wire()
        self.clock = ManualClock(1_000_000_000_000)
        self.taken: Callable[[bytes, int], None] = self._take
        """Given what the room's microphone takes, and when."""
        self.payloads = _payloads()
        """What the carrier says, frame by frame, over and over."""
        self.says: Callable[[int], bytes | None] = self._say
        """What the room's speaker gives."""
        self.microphone = b""
        """What the room took last."""
        self.carrier_speaks, self.room_speaks = carrier_speaks, room_speaks
        self._is_warm = False
        self._pcm = _room_pcm()
        self._microphone_pulls = FRAME_MS // microphone_ptime_ms
        self._pulls = 0
        self._time_ns: Callable[[], int] = time.perf_counter_ns
        self._asked_ns = 0
        self._sequence = count(1)
        self._keys = random.Random(7)
        self._events: list[BridgeEvent] = []
        self._serving: asyncio.Task[None] | None = None
        self._room = LoopbackRoom(
            rate_hz=ROOM_RATE_HZ,
            microphone_ptime_ms=microphone_ptime_ms,
            speaker=self._speaker,
            microphone=lambda pcm, now_ns: self.taken(pcm, now_ns),  # noqa: PLW0108 - it may be another by then
            clock=self.clock,
        )
        self._room.enter(Participant("c-1", "Ada"))
        self.bridge = Bridge(
            self._room,
            transfer_id="t-1",
            on_event=self._events.append,
            settings=settings or BridgeSettings(tick_s=1000.0),  # of the wall's time, which has no say here
            clock=self.clock.now_ns,
        )
        listening = cast("Server", Listening())
        self.connection = MediaConnection(ServerProtocol(**PROTOCOL_OPTIONS), listening, **CONNECTION_OPTIONS)

    @classmethod
    async def open(cls, *, warm_up: int = WARM_UP_FRAMES, **options: Any) -> FramePath:
        """
        Let a call begin, until agent and customer hear each other and, by default, nothing is new any more.

        Raises:
            FramesMissing: they do not.
        """
        path = cls(**options)
        path.wire.set_protocol(path.connection)
        path.connection.connection_made(path.wire)
        path.connection.data_received(_UPGRADE)
        while path.connection.protocol.state is not State.OPEN:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
        path.wire.control.clear()
        await path.bridge.join_room()
        path._serving = asyncio.create_task(path.bridge.serve(path.connection, TwilioAdapter()))
        while path.connection.receiver is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        path.connection.data_received(path.masked(json.dumps(_START, separators=(",", ":")).encode()))
        path.clock.advance(PHASE_MS)
        for turn in range(warm_up):
            path.turn(path.frame(path.payloads[turn % len(path.payloads)]))
        if not any(isinstance(event, Joined) for event in path._events):
            raise FramesMissing(f"expected a call that has begun, got {path._events}")
        path._is_warm = True
        return path

    async def close(self) -> None:
        """End the call, as a carrier lets it end."""
        self.bridge.end(Reason.CANCELED_BY_API)
        over = asyncio.ensure_future(self.bridge.ended())
        while not over.done():
            self._answer()
            await asyncio.sleep(0)
        if self._serving is not None:
            await self._serving

    def masked(self, message: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
        """One whole frame of the carrier's client."""
        key = self._keys.randbytes(4)
        size = len(message)
        head = bytes([_FIN | opcode, _MASKED | size]) if size < 126 else struct.pack(">BBH", _FIN | opcode, 254, size)
        mask = (key * (size // 4 + 1))[:size]
        return head + key + (int.from_bytes(message, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")

    def frame(self, payload: bytes) -> bytes:
        """The carrier's next 20 ms, as its socket gives them."""
        number = next(self._sequence)
        media = {
            "track": "inbound",
            "chunk": str(number),
            "timestamp": str(FRAME_MS * number),
            "payload": base64.b64encode(payload).decode(),
        }
        message = {"event": "media", "sequenceNumber": str(number + 1), "media": media, "streamSid": STREAM_SID}
        return self.masked(json.dumps(message, separators=(",", ":")).encode())

    def turn(self, frame: bytes | None) -> None:
        """Let 20 ms pass, at whose beginning the carrier sends ``frame``; answer what it was asked."""
        if frame is not None:
            self.connection.data_received(frame)
        self.clock.advance(FRAME_MS)
        if self.wire.control:
            self._answer()

    def run(self, frames: int, time_ns: Callable[[], int] = time.perf_counter_ns) -> Batch:
        """
        Let ``frames`` frames pass each way, and see what they take by ``time_ns``: a sleep takes time by the wall's.

        Raises:
            FramesMissing: some have not come out.
        """
        return self.run_made(self.made(frames), time_ns)

    def made(self, frames: int) -> list[bytes | None]:
        """Make the carrier's next frames, or what stands for them when it does not speak."""
        if not self.carrier_speaks:
            return [None] * frames
        return [self.frame(self.payloads[each % len(self.payloads)]) for each in range(frames)]

    def run_made(self, made: Sequence[bytes | None], time_ns: Callable[[], int] = time.perf_counter_ns) -> Batch:
        """As ``run``, with frames that were made before."""
        sent, pulls = self.wire.frames, self._pulls
        in_ns = out_ns = 0
        self._time_ns = time_ns
        receive, advance, wire = self.connection.data_received, self.clock.advance, self.wire
        for frame in made:
            began_ns = time_ns()
            if frame is not None:
                receive(frame)
            advance(FRAME_MS)
            ended_ns = time_ns()
            in_ns += self._asked_ns - began_ns
            out_ns += ended_ns - self._asked_ns
            if wire.control:
                self._answer()
        self._look(len(made), self.wire.frames - sent, self._pulls - pulls)
        return Batch(len(made), in_ns, out_ns)

    def report(self) -> None:
        """Let the bridge look at its watchdogs and tell its statistics, as it does once a second."""
        self.bridge.check(self.clock.now_ns())

    def _look(self, frames: int, sent: int, pulls: int) -> None:
        expected = (frames * self.room_speaks, frames * self._microphone_pulls)
        if self.taken == self._take and (sent, pulls) != expected:
            raise FramesMissing(f"expected {expected[0]} frames out and {expected[1]} in, got {sent} and {pulls}")
        is_heard = self.microphone.count(0) < len(self.microphone) // 2
        if self.taken == self._take and self.carrier_speaks and not is_heard:
            raise FramesMissing("expected the carrier's sound in the room, got silence")
        if any(isinstance(event, Ended) for event in self._events):
            raise FramesMissing(f"expected a call that goes on, got {self._events[-1]}")

    def _take(self, pcm: bytes, now_ns: int) -> None:  # noqa: ARG002 - as a room's microphone has it
        self._pulls += 1
        self.microphone = pcm

    def _speaker(self, now_ns: int) -> bytes | None:
        said = self.says(now_ns)
        self._asked_ns = self._time_ns()
        return said

    def _say(self, now_ns: int) -> bytes | None:
        return self._pcm[now_ns // 20_000_000 % len(self._pcm)] if self.room_speaks or not self._is_warm else None

    def _answer(self) -> None:
        """Play what was sent at once, and be near: marks and pings come back."""
        asked, self.wire.control = self.wire.control, []
        for each in asked:
            if each[0] & 0x0F == Opcode.PING:
                self.connection.data_received(self.masked(each[2:], Opcode.PONG))
            elif each[0] & 0x0F == Opcode.CLOSE:
                self.connection.data_received(self.masked(each[2:], Opcode.CLOSE))
            elif b'"mark"' in each:
                mark = json.loads(each[each.index(b"{") :])
                self.connection.data_received(self.masked(json.dumps({**mark, "sequenceNumber": "9"}).encode()))


def _tone(rate_hz: int, frames: int) -> list[bytes]:
    """Something like a voice: three partials, each frame another part of them; whole after ``frames``."""
    size = rate_hz * FRAME_MS // 1000
    partials = [(3 * frames, 9000), (8 * frames + 1, 4000), (21 * frames + 2, 2000)]
    whole = size * frames
    samples = [
        round(sum(height * math.sin(2 * math.pi * turns * at / whole) for turns, height in partials))
        for at in range(whole)
    ]
    return [struct.pack(f"<{size}h", *samples[at : at + size]) for at in range(0, whole, size)]


def _payloads(frames: int = 50) -> list[bytes]:
    encode = Encoder("pcmu", CARRIER_RATE_HZ, CARRIER_RATE_HZ).push
    return [encode(pcm) for pcm in _tone(CARRIER_RATE_HZ, frames)]


def _room_pcm(frames: int = 50) -> list[bytes]:
    return _tone(ROOM_RATE_HZ, frames)


async def _measure(frames: int, batches: int, direction: str, time_ns: Callable[[], int]) -> list[Batch]:
    path = await FramePath.open(carrier_speaks=direction != "out", room_speaks=direction != "in")
    try:
        return [path.run(frames, time_ns) for _ in range(batches)]
    finally:
        await path.close()


def main() -> None:
    """Print what a frame takes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.frame_path", description=__doc__)
    parser.add_argument("--frames", type=int, default=2000, help="in a batch (%(default)s)")
    parser.add_argument("--batches", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--direction", choices=("both", "in", "out"), default="both", help="who speaks")
    parser.add_argument("--clock", choices=CLOCKS, default="cpu", help="whose time: the thread's, or the wall's")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    time_ns = CLOCKS[arguments.clock]
    batches = asyncio.run(_measure(arguments.frames, arguments.batches, arguments.direction, time_ns))
    for name, times_us in (("in", [each.in_us for each in batches]), ("out", [each.out_us for each in batches])):
        median_us, least_us, most_us = statistics.median(times_us), min(times_us), max(times_us)
        print(
            f"{name:3}  {median_us:7.2f} us a frame, median of {len(batches)} batches ({least_us:.2f} to {most_us:.2f})"
        )


if __name__ == "__main__":
    main()
