"""Owns one turn: one server under one load for one window, and what it cost."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from benchmarks.bridge.delay import target_at
from benchmarks.bridge.server import ObedientProcess
from benchmarks.peers.contenders import Command, Contender
from benchmarks.peers.delay import Delay, answered_frames, chirps_for, delays, payloads_of
from benchmarks.workers.memory import private_mb
from relay.dev.bench.phone_call import Call
from relay.dev.bench.phones import LoadError, PhonesProcess

SETTLE_S: Final = 20.0
"""relay's delay begins at 40 ms and comes down to its target over some 15 s."""
DELAYS_OF_CALLS: Final = 100
"""The first so many are listened to for chirps: looking for them takes longer than saying them."""
KEEPS_UP: Final = 0.98
HEARD: Final = 0.9


@dataclass(frozen=True, slots=True)
class Turn:
    """What one server did. A frame is 20 ms of audio to it and 20 ms back."""

    cpu_us: float = 0.0
    """For each frame answered: what was not done must not make it look cheap."""
    answered: float = 0.0
    """Audio that came back, of what was said."""
    memory_kb: float = 0.0
    """Private to the process, for each call more than none."""
    base_mb: float = 0.0
    delays_ms: Sequence[float] = ()
    """Of what was heard, less when it was written."""
    added_ms: Sequence[float] = ()
    """The same, less the filters' delay and the jitter buffer's target: what nobody wants."""
    chirps: int = 0
    """How many could have been heard."""
    ended: int = 0
    """Calls that the server gave up."""
    broke: str = ""
    """Why there was no window."""
    load_late_ms: float = 0.0
    load_core: float = 0.0
    load_limit: str = ""
    """Why these are the load's figures rather than the server's."""

    @property
    def collapsed(self) -> str:
        """How the server failed at this load; "" if it carried it."""
        if self.broke:
            return self.broke
        if self.ended:
            return f"{self.ended} calls ended"
        if self.answered < KEEPS_UP:
            return f"answered {self.answered:.0%}"
        if len(self.delays_ms) < HEARD * self.chirps:
            return f"{self.chirps - len(self.delays_ms)} of {self.chirps} chirps not heard within 1.4 s"
        return ""


def take_turn(
    contender: Contender, command: Command, calls: int, *, seconds: float, settle_s: float = SETTLE_S
) -> Turn:
    """Start the server, put the calls on it, and stop both."""
    chirps = chirps_for(settle_s, seconds)
    try:
        with ObedientProcess(command) as server:
            base_mb = _private_mb(server)
            with PhonesProcess(server.port, calls, payloads=payloads_of(chirps), keep=True) as phones:
                server.tell("freeze")
                phones.run(settle_s)
                server.tell("begin")
                cpu_ns = server.cpu_ns()
                load = phones.run(seconds)
                cpu_ns = server.cpu_ns() - cpu_ns
                memory_mb = _private_mb(server)
                records = phones.records()
                targets = server.end().get("targets", {})
    except (LoadError, OSError) as error:
        return Turn(broke=f"{type(error).__name__}: {error}"[:200])
    heard = [list(delays(record, chirps)) for record in records[:DELAYS_OF_CALLS]]
    answered = answered_frames(records, load.since_ns, load.until_ns)
    return Turn(
        cpu_us=cpu_ns / 1e3 / answered if answered else 0.0,
        answered=answered / load.sent if load.sent else 0.0,
        memory_kb=(memory_mb - base_mb) * 1024 / calls,
        base_mb=base_mb,
        delays_ms=[round(each.delay_ms, 3) for call in heard for each in call],
        added_ms=_added(contender, heard, targets),
        chirps=chirps.count * len(heard),
        ended=load.ended,
        load_late_ms=load.late_p99_ms,
        load_core=load.core,
        load_limit=load.bottleneck or "",
    )


def _added(contender: Contender, heard: Sequence[Sequence[Delay]], targets: Mapping[str, Any]) -> list[float]:
    added_ms = []
    for index, call in enumerate(heard):
        reported = np.array(targets.get(Call.numbered(index).stream_sid) or [(0, 0.0)])
        added_ms += [each.delay_ms - contender.filter_ms - target_at(reported, each.heard_ns) for each in call]
    return [round(each, 3) for each in added_ms]


def _private_mb(server: ObedientProcess) -> float:
    return private_mb(pathlib.Path(f"/proc/{server.pid}/smaps_rollup").read_text())
