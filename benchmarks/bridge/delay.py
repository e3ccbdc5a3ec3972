"""Owns the delay: chirps both ways through every bridge, less what filter and jitter buffer mean to add."""

from __future__ import annotations

import gc
import json
import pathlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.bridge import wire
from benchmarks.bridge.load import Load
from benchmarks.bridge.server import ServerProcess
from benchmarks.bridge.stream import Heard
from relay._codec import Decoder, Encoder
from relay.media.format import PTIME_MS
from tests.signals.chirps import Chirps, chirp_delays
from tests.signals.waves import pcm

SETTLE_S = 20
"""The delay begins at 40 ms and comes down to its target over some 15 s: re-timing is slow so that nobody hears it."""
SPACING_MS = 260
ROOM_HZ = 16000


@dataclass(frozen=True, slots=True)
class DelayResult:
    """What each chirp was late by, beyond the jitter target and the codec's filter."""

    calls: int
    microphone_ptime_ms: int
    agent_to_room_ms: list[float]
    room_to_agent_ms: list[float]
    not_heard: int
    target_ms: float
    late_p99_ms: float
    inside: dict[str, Any]


def measure_delay(calls: int, *, seconds: int, microphone_ptime_ms: int) -> DelayResult:
    """Say chirps both ways for so many seconds, after ``SETTLE_S`` of silence."""
    chirps = Chirps(round(seconds * 1000 / SPACING_MS) - 1, SPACING_MS, first_ms=SETTLE_S * 1000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "said").write_bytes(pcm(chirps.wave(ROOM_HZ)))
        prefixes = wire.media_prefixes(pcm(chirps.wave(wire.RATE_HZ)))
        arguments = ("--said", str(folder / "said"), "--keep", str(folder / "kept.npz"))
        with (
            ServerProcess("server_bridge", *arguments, "--microphone-ptime-ms", str(microphone_ptime_ms)) as server,
            Load(server.port, calls, prefixes, keep=True) as load,
        ):
            server.tell("freeze")
            gc.disable()
            load.run(SETTLE_S * wire.FRAMES_PER_S)
            server.tell("begin")
            load.run(len(prefixes) - SETTLE_S * wire.FRAMES_PER_S)
            gc.enable()
            inside = server.end()
        with np.load(folder / "kept.npz") as kept:
            return _result(load, dict(kept), chirps, microphone_ptime_ms, inside)


def _result(
    load: Load, kept: dict[str, Any], chirps: Chirps, microphone_ptime_ms: int, inside: dict[str, Any]
) -> DelayResult:
    to_room: list[float] = []
    to_agent: list[float] = []
    targets_ms: list[float] = []
    for call, stream in enumerate(load.streams):
        targets = kept[f"targets{call}"]
        sent_ns = np.array(load.sent_by(call))
        targets_ms.extend(targets[targets[:, 0] > sent_ns[SETTLE_S * wire.FRAMES_PER_S], 1])
        taken = Recorded(kept[f"taken{call}"].tobytes(), ROOM_HZ, kept[f"taken_ns{call}"])
        to_room += [delay_ms - target_at(targets, heard_ns) for heard_ns, delay_ms in added_ms(chirps, sent_ns, taken)]
        assert stream.heard is not None
        heard = _phone_heard(stream.heard)
        to_agent += [delay_ms for _, delay_ms in added_ms(chirps, kept[f"read_ns{call}"], heard)]
    late_ns = load.late_ns(len(load.streams) * SETTLE_S * wire.FRAMES_PER_S)
    return DelayResult(
        len(load.streams),
        microphone_ptime_ms,
        [each - Decoder("pcmu", wire.RATE_HZ, ROOM_HZ).delay_ms for each in to_room],
        [each - Encoder("pcmu", wire.RATE_HZ, ROOM_HZ).delay_ms for each in to_agent],
        2 * chirps.count * len(load.streams) - len(to_room) - len(to_agent),
        float(np.mean(targets_ms)),
        float(np.percentile(late_ns, 99)) / 1e6,
        inside,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was heard, in frames of equal length, and when each of them came."""

    pcm: bytes
    rate_hz: int
    came_ns: Any

    def when_ns(self, nominal_ns: int) -> float:
        """When a moment was heard that is ``nominal_ns`` in a recording without the jitter of its frames."""
        frame_ns = len(self.pcm) / 2 / len(self.came_ns) * 1e9 / self.rate_hz
        frame, within_ns = divmod(nominal_ns - int(self.came_ns[0]), frame_ns)
        return float(self.came_ns[int(frame)]) + within_ns


def added_ms(chirps: Chirps, said_ns: Any, recorded: Recorded) -> Iterator[tuple[int, float]]:
    """
    Yield when each chirp that was heard began to be heard, and how long after the frame in which it was said.

    Args:
        chirps: each begins with a frame.
        said_ns: when each frame was sent or read: the packetization before that is not counted.
        recorded: what came of it.
    """
    start_ns = int(recorded.came_ns[0])
    found = chirp_delays(recorded.pcm, recorded.rate_hz, start_ns, chirps=chirps, said_start_ns=int(said_ns[0]))
    for chirp in found:
        if chirp.heard:
            heard_ns = recorded.when_ns(chirp.heard_ns)
            frame = round(chirps.at_ms(chirp.index) / PTIME_MS)
            yield round(heard_ns), (heard_ns - float(said_ns[frame])) / 1e6


def target_at(targets: Any, now_ns: int) -> float:
    """The jitter target that was reported last before a moment."""
    return float(targets[max(int(np.searchsorted(targets[:, 0], now_ns)) - 1, 0), 1])


def _phone_heard(heard: Heard) -> Recorded:
    decoder = Decoder("pcmu", wire.RATE_HZ, wire.RATE_HZ)
    pcm = b"".join(decoder.push_base64(json.loads(message)["media"]["payload"]) for message in heard.messages)
    return Recorded(pcm, wire.RATE_HZ, heard.arrived_ns)
