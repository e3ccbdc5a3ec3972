"""The server under test: a bridge and a loopback room for each call, statistics once a second, logs at warning."""

from __future__ import annotations

import argparse
import logging
import pathlib
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import structlog
import uvloop

from benchmarks.bridge.server import SERVER_CORE, freeze, obey, pin
from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, MediaStarted, Statistics
from relay.bridge.media_connection import MediaConnection, serve_media
from relay.bridge.stats import Spread
from relay.media.format import PTIME_MS
from relay.media.latency import LatencyHistogram
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.loopback import LoopbackRoom

RATE_HZ = 16000
_FRAME_BYTES = 640


@dataclass(slots=True)
class Kept:
    """What one bridge's room saw, for the delays."""

    stream_id: str = ""
    taken_ns: list[int] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    read_ns: list[int] = field(default_factory=list)
    targets: list[tuple[int, float]] = field(default_factory=list)

    def take(self, pcm: bytes, _: int) -> None:
        """Keep what the microphone got, and when it really got it: later than the wake-up that it belongs to."""
        self.taken_ns.append(time.monotonic_ns())
        self.taken.append(pcm)


class BridgeServer:
    """
    All bridges of the process.

    Args:
        microphone_ptime_ms: of the rooms.
        said: PCM of the rooms' speakers, again from its beginning when it ends.
        keep: whether to keep what the rooms see.
        echo: whether the rooms say what they hear, instead.
    """

    def __init__(self, *, microphone_ptime_ms: int, said: bytes, keep: bool, echo: bool = False) -> None:
        self._microphone_ptime_ms = microphone_ptime_ms
        self._frames = [said[at : at + _FRAME_BYTES] for at in range(0, len(said), _FRAME_BYTES)]
        self._keep = keep
        self._echo = echo
        self._bridges: list[Bridge] = []
        self.kept: list[Kept] = []

    async def handle(self, connection: MediaConnection) -> None:
        kept = Kept()
        room = self._keeping_room(kept) if self._keep else self._echo_room() if self._echo else self._plain_room()
        room.enter(Participant("customer", "customer"))

        def note(event: BridgeEvent) -> None:
            if isinstance(event, MediaStarted):
                kept.stream_id = event.stream_id
            elif isinstance(event, Statistics) and event.stats.agent_to_room is not None:
                kept.targets.append((time.monotonic_ns(), event.stats.agent_to_room.playout.target_ms))

        bridge = Bridge(room, transfer_id="benchmark", on_event=note)
        self._bridges.append(bridge)
        self.kept.append(kept)
        await bridge.join_room()
        await bridge.serve(connection, TwilioAdapter())

    def begin(self) -> None:
        """Forget the durations so far."""
        for histogram in (*self._waits(), *self._own_times()):
            histogram.clear()

    def end(self) -> dict[str, Any]:
        """The durations since ``begin``, over all bridges, and what went wrong."""
        faults: dict[str, int] = {}
        underruns = 0
        for bridge in self._bridges:
            stats = bridge.stats(time.monotonic_ns())
            assert stats.agent_to_room is not None
            underruns += stats.agent_to_room.playout.underruns
            for kind, count in stats.faults.items():
                faults[kind] = faults.get(kind, 0) + count
        targets_ms = [kept.targets[-1][1] for kept in self.kept if kept.targets]
        return {
            "wait": asdict(_all_of(self._waits())),
            "own_time": asdict(_all_of(self._own_times())),
            "target_ms": float(np.median(targets_ms)) if targets_ms else 0.0,
            "faults": faults,
            "underruns": underruns,
            "targets": {kept.stream_id: kept.targets for kept in self.kept} if self._echo else {},
        }

    def _plain_room(self) -> LoopbackRoom:
        frame = self._frames[0]
        return LoopbackRoom(microphone_ptime_ms=self._microphone_ptime_ms, speaker=lambda _: frame)

    def _echo_room(self) -> LoopbackRoom:
        heard = bytes(_FRAME_BYTES)

        def hear(pcm: bytes, _: int) -> None:
            nonlocal heard
            heard = pcm

        # A tick takes from the microphone before it asks the speaker: the room itself adds nothing.
        return LoopbackRoom(microphone_ptime_ms=PTIME_MS, speaker=lambda _: heard, microphone=hear)

    def _keeping_room(self, kept: Kept) -> LoopbackRoom:
        def speak(now_ns: int) -> bytes:
            kept.read_ns.append(now_ns)
            return self._frames[(len(kept.read_ns) - 1) % len(self._frames)]

        return LoopbackRoom(microphone_ptime_ms=self._microphone_ptime_ms, speaker=speak, microphone=kept.take)

    def _waits(self) -> list[LatencyHistogram]:
        waits = [bridge._legs.latest.agent_to_room._wait for bridge in self._bridges if bridge._legs.latest is not None]
        return [histogram for each in waits for histogram in (each.recent, each._before)]

    def _own_times(self) -> list[LatencyHistogram]:
        sending = [bridge._legs.latest.room_to_agent for bridge in self._bridges if bridge._legs.latest is not None]
        own_times = [each._own_time for each in sending if each is not None]
        return [histogram for each in own_times for histogram in (each.recent, each._before)]


def _all_of(histograms: list[LatencyHistogram]) -> Spread:
    whole = LatencyHistogram()
    for each in histograms:
        whole.add(each)
    return Spread.of(whole)


def save(path: pathlib.Path, kept: list[Kept]) -> None:
    """Write what the rooms saw, by the number of the call."""
    arrays: dict[str, Any] = {}
    for each in kept:
        call = int(each.stream_id.removeprefix("MZ"), 16)
        arrays[f"taken_ns{call}"] = np.array(each.taken_ns)
        arrays[f"taken{call}"] = np.frombuffer(b"".join(each.taken), dtype=np.int16)
        arrays[f"read_ns{call}"] = np.array(each.read_ns)
        arrays[f"targets{call}"] = np.array(each.targets)
    np.savez(path, **arrays)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--microphone-ptime-ms", type=int, default=20)
    saying = parser.add_mutually_exclusive_group(required=True)
    saying.add_argument("--said", type=pathlib.Path, help="PCM of 16 kHz that the rooms say")
    saying.add_argument("--echo", action="store_true", help="the rooms say what they hear")
    parser.add_argument("--keep", type=pathlib.Path, help="where to write what the rooms saw")
    arguments = parser.parse_args()
    bridges = BridgeServer(
        microphone_ptime_ms=arguments.microphone_ptime_ms,
        said=arguments.said.read_bytes() if arguments.said else bytes(_FRAME_BYTES),
        keep=arguments.keep is not None,
        echo=arguments.echo,
    )

    def end() -> dict[str, Any]:
        answer = bridges.end()
        if arguments.keep is not None:
            save(arguments.keep, bridges.kept)
        return answer

    server = await serve_media(bridges.handle, host="127.0.0.1", port=0)
    port = next(iter(server.sockets)).getsockname()[1]
    await obey(port, {"freeze": freeze, "begin": bridges.begin, "end": end})


if __name__ == "__main__":
    pin(SERVER_CORE)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),  # the standard output is for the answers
    )
    uvloop.run(main())
