"""Mode ``bridge``: so many bridges on loopback rooms in one process, phones in another, markers both ways."""

from __future__ import annotations

import array
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from relay._codec import Decoder, Encoder
from relay.dev.bench.breaks import Breaks
from relay.dev.bench.direction import TAIL_NS, Direction, back_s, carried
from relay.dev.bench.heard import PHONE_RATE_HZ, Hearing, frames_of
from relay.dev.bench.load import SETTLE_S, Load, LoadPlan, PhoneRecord, Stall, lived
from relay.dev.bench.phones import LoadError, PhonesProcess
from relay.dev.bench.server import Cpu, Memory, ServerProcess

__all__ = ["BridgeResult", "LoadError", "Setup", "StallResult", "measure", "measure_capacity", "measure_stalls"]

SERVER: Final = "relay.dev.bench.bridge_server"
SAMPLED_MIN: Final = 10
_STALL_CALLS: Final = 10
_STALL_AT_S: Final = 3.0
_STALL_AFTER_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured: everything but what the phones do."""

    calls: int
    seconds: float
    settle_s: float = SETTLE_S
    rate_hz: int = 16000
    microphone_ptime_ms: int = 20


@dataclass(frozen=True, slots=True)
class BridgeResult:
    """So many calls for one window."""

    calls: int
    seconds: float
    agent_to_room: Direction
    room_to_agent: Direction
    cpu_ms: float
    """Per bridge and second, of those that did not end."""
    user_ms: float
    system_ms: float
    core: float
    """How much of its core the server took."""
    private_kb: float
    """Per bridge: what no other process has, less what the process had before the calls."""
    pss_kb: float
    base_kb: int
    """What the process had before the calls: its own."""
    counts: Mapping[str, float]
    """What the bridges say of themselves, all together."""
    load: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Every call went on, nearly all was answered, and 99 of 100 frames came, and in time, both ways."""
        return carried(self.load, self.agent_to_room, self.room_to_agent)


@dataclass(frozen=True, slots=True)
class StallResult:
    """What a stall did to the delay, and how long until it was as before."""

    name: str
    agent_to_room_back_s: float | None
    room_to_agent_back_s: float | None
    result: BridgeResult


def measure(
    setup: Setup, plan: LoadPlan | None = None, *, during: Callable[[ServerProcess], None] | None = None
) -> BridgeResult:
    """
    Measure one window.

    Args:
        setup: what.
        plan: what the phones do.
        during: takes the window's time instead of sleeping it; is given the server.

    Raises:
        LoadError, ConnectionError: the load or the server cannot go on.
    """
    sample = max(1, min(10, setup.calls // SAMPLED_MIN))
    with tempfile.TemporaryDirectory() as folder:
        arguments = {
            "--rate-hz": setup.rate_hz,
            "--microphone-ptime-ms": setup.microphone_ptime_ms,
            "--sample": sample,
            "--folder": folder,
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        with ServerProcess.of_module(SERVER, *words) as server:
            base = server.memory()
            with PhonesProcess(server.port, setup.calls, plan=plan, keep=True) as phones:
                server.tell("freeze")
                phones.run(setup.settle_s)
                full = server.memory()
                server.tell("begin")
                before = server.cpu()
                phones.begin()
                if during is None:
                    time.sleep(setup.seconds)
                else:
                    during(server)
                load, cpu = phones.end(), server.cpu() - before
                said = server.end()
                records = phones.records()
        kept = _Kept(Path(folder), said)
        return _result(setup, load, cpu, memory=(base, full), kept=kept, records=records)


def measure_stalls(setup: Setup, breaks: Breaks) -> list[StallResult]:
    """A phone that sends nothing for 200 ms and for 2 s, and a server whose loop stands still for 200 ms."""
    results: list[StallResult] = []
    few = replace(setup, calls=min(setup.calls, _STALL_CALLS), seconds=_STALL_AT_S + _STALL_AFTER_S)
    at_s = few.settle_s + _STALL_AT_S
    for for_ms in (200, 2000):
        name = f"phones say nothing for {for_ms} ms"
        with breaks.noted(name):
            results.append(_stall(name, for_ms / 1000, measure(few, LoadPlan(stalls=(Stall(at_s, for_ms),)))))

    def stand_still(server: ServerProcess) -> None:
        time.sleep(_STALL_AT_S)
        server.tell("stall")
        time.sleep(_STALL_AFTER_S)

    name = "the server stands still for 200 ms"
    with breaks.noted(name):
        results.append(_stall(name, 0.2, measure(few, during=stand_still)))
    return results


def measure_capacity(setup: Setup, breaks: Breaks, *, step: int, calls_max: int) -> list[BridgeResult]:
    """Take steps until one breaks, or does not hold in two windows (one may be another's fault), or ``calls_max``."""
    results: list[BridgeResult] = []
    for calls in range(step, calls_max + 1, step):
        with breaks.noted(f"{calls} calls"):
            results.append(measure(replace(setup, calls=calls)))
            if not results[-1].holds:
                results.append(measure(replace(setup, calls=calls)))
            if results[-1].holds:
                continue
        break
    return results


def _stall(name: str, for_s: float, result: BridgeResult) -> StallResult:
    # The window begins a little after the load's own beginning: a bucket before is no longer of what was before.
    until_s = result.seconds - TAIL_NS / 1e9
    when = {"begin_s": _STALL_AT_S - 0.2, "end_s": _STALL_AT_S + for_s, "until_s": until_s}
    return StallResult(
        name,
        back_s(result.agent_to_room.moments, **when),
        back_s(result.room_to_agent.moments, **when),
        result,
    )


class _Kept:
    """What the server has kept of each call."""

    def __init__(self, folder: Path, said: Mapping[str, Any]) -> None:
        self._folder, self._said = folder, said
        self.counts: Mapping[str, float] = said["counts"]

    def said_ns(self, call: int) -> array.array[int]:
        return array.array("q", (self._folder / f"{call}.said").read_bytes())

    def first(self, call: int) -> int:
        return int(self._said["first"][str(call)])

    def targets(self, call: int) -> list[tuple[int, float]]:
        return [(at_ns, ms) for at_ns, ms in self._said["targets"][str(call)]]

    def taken(self, call: int, rate_hz: int, ptime_ms: int) -> Hearing | None:
        """What the microphone took; None: it was not recorded."""
        path = self._folder / f"{call}.taken"
        if not path.exists():
            return None
        taken_ns = array.array("q", path.with_suffix(".taken_ns").read_bytes())
        samples = rate_hz * ptime_ms // 1000
        ends = range(samples, samples * len(taken_ns) + 1, samples)
        codec_ms = Decoder("pcmu", PHONE_RATE_HZ, rate_hz).delay_ms
        return Hearing(path.read_bytes(), rate_hz, taken_ns, ends, codec_ms)


def _result(
    setup: Setup, load: Load, cpu: Cpu, *, memory: tuple[Memory, Memory], kept: _Kept, records: Sequence[PhoneRecord]
) -> BridgeResult:
    codec_ms = Encoder("pcmu", PHONE_RATE_HZ, setup.rate_hz).delay_ms
    until_ns = load.until_ns - TAIL_NS
    to_room, to_agent = [], []
    for call, record in enumerate(records):
        taken = kept.taken(call, setup.rate_hz, setup.microphone_ptime_ms)
        if taken is not None:
            frames = frames_of(record.written_ns, taken, since_ns=load.since_ns, until_ns=until_ns)
            to_room.append((frames, kept.targets(call)))
        heard = Hearing.of_phone(record, codec_ms)
        said_ns = kept.said_ns(call)
        frames = frames_of(said_ns, heard, first=kept.first(call), since_ns=load.since_ns, until_ns=until_ns)
        to_agent.append((frames, ()))
    calls = lived(load.ended, setup.calls)
    each = 1000 / load.seconds / calls
    base, full = memory
    return BridgeResult(
        setup.calls,
        load.seconds,
        Direction.of(to_room, load.since_ns),
        Direction.of(to_agent, load.since_ns),
        cpu.total_ns / 1e9 * each,
        cpu.user_s * each,
        cpu.system_s * each,
        cpu.total_ns / 1e9 / load.seconds,
        (full.private_kb - base.private_kb) / calls,
        (full.pss_kb - base.pss_kb) / calls,
        base.private_kb,
        kept.counts,
        load.as_dict(),
    )
