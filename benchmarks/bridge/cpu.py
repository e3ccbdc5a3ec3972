"""Owns the cost: CPU time of the server's process per frame, the bridge's beside a bare echo's, in turns."""

from __future__ import annotations

import gc
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.bridge import wire
from benchmarks.bridge.load import Load
from benchmarks.bridge.server import ObedientProcess, ServerProcess
from benchmarks.measure import Spread
from tests.signals.waves import pcm, speech

SETTLE_S = 4
ECHO = "echo"
BRIDGES_MS = {"bridge, microphone 20 ms": 20, "bridge, microphone 10 ms": 10}
CONTENDERS = (ECHO, *BRIDGES_MS)


@dataclass(frozen=True, slots=True)
class Turn:
    """One server under load for one window. A frame is one 20 ms message in and one out."""

    cpu_us: float
    answered: float
    """Media messages that came back for each that was sent: 1.0 from a server that keeps up."""
    late_p99_ms: float
    """How late the load itself was."""
    load_core: float
    """How much of its core the load took."""
    inside: dict[str, Any] = field(default_factory=dict)
    """What the bridges say of themselves."""


@dataclass(frozen=True, slots=True)
class CpuResult:
    """All turns at one number of calls."""

    calls: int
    turns: dict[str, list[Turn]]

    def cpu_us(self, contender: str) -> Spread:
        """CPU time per frame."""
        return Spread.of([turn.cpu_us for turn in self.turns[contender]])

    def ratio(self, contender: str) -> Spread:
        """How many times as much as the echo, round by round."""
        pairs = zip(self.turns[contender], self.turns[ECHO], strict=True)
        return Spread.of([turn.cpu_us / echo.cpu_us for turn, echo in pairs])


def measure_cpu(calls: int, *, seconds: int, rounds: int) -> CpuResult:
    """Give every contender its turn once a round, each round beginning with another."""
    turns: dict[str, list[Turn]] = {contender: [] for contender in CONTENDERS}
    prefixes = wire.media_prefixes(pcm(speech(wire.RATE_HZ, SETTLE_S + seconds)))
    with tempfile.TemporaryDirectory() as folder:
        said = pathlib.Path(folder) / "said"
        said.write_bytes(pcm(speech(16000, 1.0)[8000:8320]))
        for number in range(rounds):
            for contender in _rotated(number):
                with _server(contender, said) as server:
                    turns[contender].append(_turn(server, calls, prefixes, seconds))
    return CpuResult(calls, turns)


def _rotated(by: int) -> Iterator[str]:
    for number in range(len(CONTENDERS)):
        yield CONTENDERS[(number + by) % len(CONTENDERS)]


def _server(contender: str, said: pathlib.Path) -> ObedientProcess:
    if contender == ECHO:
        return ObedientProcess([sys.executable, "-m", "benchmarks.peers.websockets_echo"])
    return ServerProcess("server_bridge", "--said", str(said), "--microphone-ptime-ms", str(BRIDGES_MS[contender]))


def _turn(server: ObedientProcess, calls: int, prefixes: list[bytes], seconds: int) -> Turn:
    with Load(server.port, calls, prefixes) as load:
        server.tell("freeze")
        gc.disable()  # the load's own pauses are nobody's cost
        load.run(SETTLE_S * wire.FRAMES_PER_S)
        server.tell("begin")
        first, received = len(load.sent_ns), load.received
        own_ns, began_ns, cpu_ns = time.process_time_ns(), time.monotonic_ns(), server.cpu_ns()
        load.run(seconds * wire.FRAMES_PER_S)
        cpu_ns = server.cpu_ns() - cpu_ns
        own_ns, took_ns = time.process_time_ns() - own_ns, time.monotonic_ns() - began_ns
        gc.enable()
        sent = len(load.sent_ns) - first
        late_ms = float(np.percentile(load.late_ns(first), 99)) / 1e6
        answered = (load.received - received) / sent
        # A server that does not keep up answers less: what it did not do must not make it look cheap.
        return Turn(cpu_ns / 1e3 / sent / answered, answered, late_ms, own_ns / took_ns, server.end())
