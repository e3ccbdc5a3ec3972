"""
The server of mode ``bridge``: a bridge and a loopback room for each call, all in this process and on one loop.

The rooms' customers say marker frames. What is kept begins with ``begin``, so that nothing before it is in the memory
of the bridges; microphones are recorded of one room in ``--sample``.
"""

from __future__ import annotations

import argparse
import array
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, MediaStarted, Statistics
from relay.bridge.media_connection import MediaConnection, serve_media
from relay.bridge.stats import AgentToRoomStats, BridgeStats, RoomToAgentStats
from relay.dev.bench import marker
from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey
from relay.media.format import PTIME_MS
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.device_clock import MS_NS, RING_MS
from relay.rooms.loopback import LoopbackRoom

PTIME_NS: Final = PTIME_MS * MS_NS
RING_NS: Final = RING_MS * MS_NS
_STALL_S: Final = 0.2


class Seat:
    """
    One room's customer, and what is kept of the room.

    A frame is said when it is due, however late the room's device asks for it, and one whose tick the device has missed
    is said, too, and never heard: what delays the clock is not to be left out.

    Args:
        frames: what the customer says, in turn.
        tick_ns: between two ticks of the device.
    """

    def __init__(self, frames: tuple[bytes, ...], tick_ns: int) -> None:
        self.stream_id = ""
        self.first = 0
        """The number of the first frame that is kept."""
        self.said_ns = array.array("q")
        self.taken_ns = array.array("q")
        self.taken = bytearray()
        self.targets: list[tuple[int, float]] = []
        self.keeps = False
        self.missed_ticks: Callable[[], int] = lambda: 0
        """How many the device has missed so far."""
        self._frames = frames
        self._tick_ns = tick_ns
        self._said = 0
        self._due_ns = 1 << 62
        self._missed = 0
        self._asked_ns = 0
        self._owed_ns = 0
        """Of ticks that were missed and are no whole frame."""

    def speak(self, now_ns: int) -> bytes:
        """The next frame."""
        if now_ns - self._asked_ns > RING_NS:  # in less than that none is missed
            self._say_missed()
        self._asked_ns = now_ns
        due_ns = now_ns - self._owed_ns
        if due_ns < self._due_ns:  # noqa: PLR1730 - a tick never comes early: the first was late, too
            self._due_ns = due_ns
        number = self._said
        self._say()
        return self._frames[number]

    def _say_missed(self) -> None:
        before, self._missed = self._missed, self.missed_ticks()
        owed_ns = self._owed_ns + (self._missed - before) * self._tick_ns
        frames, self._owed_ns = divmod(owed_ns, PTIME_NS)
        for _ in range(frames):
            self._say()

    def _say(self) -> None:
        self._said = (self._said + 1) % len(self._frames)
        if self.keeps:
            self.said_ns.append(self._due_ns + self._owed_ns)
        self._due_ns += PTIME_NS

    def take(self, pcm: bytes, _: int) -> None:
        """Keep what the microphone got, and when it really got it: later than the wake-up that it belongs to."""
        if self.keeps:
            self.taken_ns.append(time.monotonic_ns())
            self.taken += pcm

    def begin(self) -> None:
        """Keep from now on."""
        self.keeps, self.first = True, self._said

    def note(self, event: BridgeEvent) -> None:
        """Take from the bridge's events what delays are measured against."""
        if isinstance(event, MediaStarted):
            self.stream_id = event.stream_id
        elif isinstance(event, Statistics) and self.keeps and event.stats.agent_to_room is not None:
            self.targets.append((time.monotonic_ns(), event.stats.agent_to_room.playout.target_ms))

    def write(self, folder: Path) -> None:
        """Write what is kept, under the number of the call."""
        name = str(int(self.stream_id.removeprefix("MZ"), 16))
        (folder / f"{name}.said").write_bytes(self.said_ns.tobytes())
        if self.taken_ns:
            (folder / f"{name}.taken_ns").write_bytes(self.taken_ns.tobytes())
            (folder / f"{name}.taken").write_bytes(self.taken)


class BridgeServer:
    """
    All bridges of the process.

    Args:
        rate_hz: of the rooms.
        microphone_ptime_ms: of the rooms.
        sample: of the first of so many rooms the microphone is recorded.
        folder: where to write what was kept.
    """

    def __init__(self, *, rate_hz: int, microphone_ptime_ms: int, sample: int, folder: Path) -> None:
        self._rate_hz, self._microphone_ptime_ms = rate_hz, microphone_ptime_ms
        self._sample, self._folder = sample, folder
        self._frames = marker.frames(rate_hz)
        self._bridges: list[Bridge] = []
        self._seats: list[Seat] = []
        self._before: list[BridgeStats] = []

    async def handle(self, connection: MediaConnection) -> None:
        """Serve one call."""
        seat = Seat(self._frames, self._microphone_ptime_ms * 1_000_000)
        room = LoopbackRoom(
            rate_hz=self._rate_hz,
            microphone_ptime_ms=self._microphone_ptime_ms,
            speaker=seat.speak,
            microphone=seat.take if len(self._seats) % self._sample == 0 else None,
        )
        seat.missed_ticks = lambda: room.counts["missed_ticks"]
        room.enter(Participant("customer", "customer"))
        bridge = Bridge(room, transfer_id="bench", on_event=seat.note)
        self._bridges.append(bridge)
        self._seats.append(seat)
        await bridge.join_room()
        await bridge.serve(connection, TwilioAdapter())

    def begin(self) -> None:
        """Keep from now on."""
        self._before = self._stats()
        for seat in self._seats:
            seat.begin()

    def stall(self) -> None:
        """Let the loop do nothing for 200 ms, as a long collection or a busy machine would."""
        time.sleep(_STALL_S)

    def end(self) -> dict[str, Any]:
        """Write what was kept, and say how the bridges fared since ``begin``."""
        counts: dict[str, float] = {}
        for before, now in zip(self._before, self._stats(), strict=False):
            for name, value in _counted(now).items():
                counts[name] = counts.get(name, 0) + value - _counted(before).get(name, 0)
        for seat in self._seats:
            seat.write(self._folder)
        seats = {int(seat.stream_id.removeprefix("MZ"), 16): seat for seat in self._seats}
        return {
            "counts": counts,
            "first": {call: seat.first for call, seat in seats.items()},
            "targets": {call: seat.targets for call, seat in seats.items()},
        }

    def _stats(self) -> list[BridgeStats]:
        return [bridge.stats(time.monotonic_ns()) for bridge in self._bridges]


def _counted(stats: BridgeStats) -> dict[str, float]:
    counts: dict[str, float] = {f"fault_{kind}": count for kind, count in stats.faults.items()}
    part: AgentToRoomStats | RoomToAgentStats | None
    if (part := stats.agent_to_room) is not None:
        playout = asdict(part.playout)
        names = ("frames_lost", "frames_late", "frames_overrun", "underruns", "concealed_ms", "drained_ms")
        counts |= {name: playout[name] for name in names}
    if (part := stats.room_to_agent) is not None:
        counts |= {"frames_dropped": part.frames_dropped, "trimmed_ms": part.trimmed_ms, "pauses": part.pauses}
    return counts


async def main() -> None:
    """Serve until ``end``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate-hz", type=int, default=16000)
    parser.add_argument("--microphone-ptime-ms", type=int, default=20)
    parser.add_argument("--sample", type=int, default=10)
    parser.add_argument("--folder", type=Path, required=True)
    bridges = BridgeServer(**vars(parser.parse_args()))
    server = await serve_media(bridges.handle, host="127.0.0.1", port=0)
    port = next(iter(server.sockets)).getsockname()[1]
    commands = {"freeze": freeze, "begin": bridges.begin, "stall": bridges.stall, "end": bridges.end}
    await obey(port, commands)


if __name__ == "__main__":
    pin(SERVER_CORE)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # the standard output is for the answers
    )
    uvloop.run(main())
