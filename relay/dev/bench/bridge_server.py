"""
The server of mode ``bridge``: a bridge and a loopback room for each call, all in this process and on one loop.

The rooms' customers say marker frames. What is kept begins with ``begin``, so that nothing before it is in the memory
of the bridges; microphones are recorded of one room in ``--sample``.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from relay.bridge.bridge import Bridge
from relay.bridge.media_connection import MediaConnection, serve_media
from relay.bridge.stats import AgentToRoomStats, BridgeStats, RoomToAgentStats
from relay.dev.bench import marker
from relay.dev.bench.bridge_seat import Seat
from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.loopback import LoopbackRoom

_STALL_S: Final = 0.2


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
