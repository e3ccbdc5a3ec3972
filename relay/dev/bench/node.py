"""
Mode ``node``: so many calls through a whole service, its front, its workers and their sockets, markers both ways.

``relay serve`` has one core with its workers and its store. Carrier, rooms and phones have the other: the simulated
carrier answers each dial and fetches the document, and the phone of its stream is one of the load's.
"""

from __future__ import annotations

import asyncio
import tempfile
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from relay._codec import Decoder, Encoder
from relay.client import Overloaded, RelayClient, State
from relay.dev.bench.cores import LOAD_CORE, SERVER_CORE, can_pin
from relay.dev.bench.direction import LATE_MS, Direction
from relay.dev.bench.heard import PHONE_RATE_HZ, Frames, Hearing, frames_of
from relay.dev.bench.load import Load, LoadPlan, PhoneRecord
from relay.dev.bench.node_phones import LoadPhones
from relay.dev.bench.node_rooms import lateness_ms
from relay.dev.bench.phones import PhonesProcess
from relay.dev.bench.processes import Child, Held, cpu_of, descendants, held_by
from relay.dev.bench.server import Cpu
from relay.dev.bench.service import BUSY_MACHINE, Service, metrics_of, serving
from relay.dev.bench.soak_samples import STORE, WORKER
from relay.dev.bench.spread import percentile
from relay.dev.carrier import SimulatedCarrier
from relay.rooms.wire import FRAME_BYTES, RATE_HZ

ROOMS: Final = ("-m", "relay.dev.bench.node_rooms")
ANSWERED_MIN: Final = 0.98
CALLS_MAX: Final = 100
"""As many spares as a service may have: each call finds its worker ready."""
READY_S: Final = 180.0
JOIN_S: Final = 60.0
END_S: Final = 30.0
_TAIL_NS: Final = 1_000_000_000
"""What is said in the last second of a window may be heard after it, and is left out."""
_FAMILY: Final = ("front", "workers", "store")


@dataclass(frozen=True, slots=True)
class Setup:
    """
    What is measured.

    Args:
        calls: at once, ``CALLS_MAX`` at most.
        seconds: of the window.
        settle_s: before it, from when all have joined.
        command: of Python, what the service is.
    """

    calls: int
    seconds: float
    settle_s: float = 4.0
    command: Sequence[str] = BUSY_MACHINE


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time per call and second, ms."""

    cpu_ms: float
    user_ms: float
    system_ms: float

    @classmethod
    def of(cls, cpu: Cpu, calls: int, seconds: float) -> Cost:
        """Of so many calls in so many seconds."""
        each = 1000 / calls / seconds
        return cls(cpu.total_ns / 1e9 * each, cpu.user_s * each, cpu.system_s * each)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """So many calls for one window."""

    calls: int
    seconds: float
    agent_to_room: Direction
    room_to_agent: Direction
    phone_late_p99_ms: float
    """How much more than 20 ms passed between a message and the one before it, at the phones."""
    room_late_p99_ms: float
    """The same in the rooms."""
    front: Cost
    workers: Cost
    store: Cost
    core: float
    """How much of its core the service took, with workers and store."""
    worker_private_kb: float
    """Of a worker in a call, the mean: what no other process has."""
    worker_pss_kb: float
    front_kb: float
    """What the front has more than before the calls, per call."""
    front_base_kb: int
    counts: Mapping[str, float]
    """What the bridges said of themselves at their end, all together, of all their time."""
    ended: int
    """Calls that ended by themselves."""
    overloads: int
    """How often the service took no call for want of machine; it was asked again."""
    room_own_late_p99_ms: float
    """How late the rooms said their frames."""
    load: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Every call went on, nearly every frame came, and 99 of 100 in time."""
        late_ms = max(self.phone_late_p99_ms, self.room_late_p99_ms)
        is_whole = not self.ended and self.load["answered"] >= ANSWERED_MIN
        return is_whole and late_ms <= LATE_MS

    @property
    def bottleneck(self) -> str | None:
        """Why the figures are of what stands in; None: they are the service's."""
        said: str | None = self.load["bottleneck"]
        if said is None and self.room_own_late_p99_ms > _ROOMS_LATE_MAX_MS:
            return f"the rooms spoke {self.room_own_late_p99_ms:.1f} ms late at p99, expected {_ROOMS_LATE_MAX_MS:g} ms"
        return said


_ROOMS_LATE_MAX_MS: Final = 2.0


def number_of(call: int) -> str:
    """That is dialled for a call: by it carrier, phone and room are told together."""
    return f"+1415555{call:04d}"


def room_of(call: int) -> str:
    """The name of its room."""
    return f"call-{call}"


async def measure(setup: Setup, plan: LoadPlan | None = None) -> NodeResult:
    """
    Measure one window.

    Raises:
        LoadError, ConnectionError, OSError: the load or a process cannot go on.
        TimeoutError: the service does not serve, or not all of its workers are ready.
        ClientError: it does not take a call.
        ValueError: more calls than ``CALLS_MAX``.
    """
    if not 1 <= setup.calls <= CALLS_MAX:
        raise ValueError(f"node: expected 1 to {CALLS_MAX} calls, got {setup.calls}")
    own, others = (SERVER_CORE, LOAD_CORE) if can_pin() else (None, None)
    events: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="relay-node-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            arguments = ("--calls", str(setup.calls), "--folder", name)
            rooms = await stack.enter_async_context(Child(*ROOMS, *arguments, environment={}, core=others))
            rooms_url = f"http://127.0.0.1:{(await rooms.answer())['port']}"
            makes = _Makes()
            carrier = await stack.enter_async_context(SimulatedCarrier(phone=makes))
            settings = _settings(setup, carrier, rooms_url)
            service = await stack.enter_async_context(
                serving(settings, folder / "service.log", command=setup.command, core=own, on_event=events.append)
            )
            phones = await asyncio.to_thread(
                PhonesProcess, int(service.url.rpartition(":")[2]), 0, plan=plan, keep=True
            )
            stack.callback(phones.close)
            makes.phones = LoadPhones(phones)
            run = _Run(setup, service, rooms, phones, stack=stack)
            seen = await run.measure(rooms_url)
        return _result(run, seen, makes.phones.indices, folder, _ends(events))


class _Makes:
    """Makes the phones, once there is a load: the load needs the service's port, and the service the carrier's."""

    phones: LoadPhones

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.phones(*arguments, **options)


class _Run:
    """A service with everything around it."""

    def __init__(
        self, setup: Setup, service: Service, rooms: Child, phones: PhonesProcess, *, stack: AsyncExitStack
    ) -> None:
        self.load: Load
        self.records: list[PhoneRecord] = []
        self.cpu: dict[str, Cpu] = {}
        self.base: Held | None = None
        self.front: Held | None = None
        self.workers: list[Held] = []
        self.transfer_ids: list[str] = []
        self.overloads = 0
        self.ended = 0
        self.setup = setup
        self._service = service
        self._rooms = rooms
        self._phones = phones
        self._stack = stack

    async def measure(self, rooms_url: str) -> Mapping[str, Any]:
        """Open all calls, measure the window, end the calls and the service; what the rooms have seen."""
        setup, pid = self.setup, self._service.child.pid
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        relay = await self._stack.enter_async_context(RelayClient(self._service.url, session=session))
        await self._until_ready(session)
        self.base = held_by(pid)
        await asyncio.to_thread(self._phones.begin)
        for call in range(setup.calls):
            await self._ask(relay, f"{rooms_url}/rooms/{room_of(call)}", number_of(call))
        joined = await asyncio.gather(*(relay.wait(each, timeout_s=JOIN_S) for each in self.transfer_ids))
        if not all(view.state is State.JOINED for view in joined):
            ends = [f"{view.state} {view.reason_text or ''}".strip() for view in joined]
            raise ConnectionError(f"node: expected {setup.calls} joined calls, got {ends}")
        await asyncio.sleep(setup.settle_s)
        self.front = held_by(pid)
        self.workers = [held for each in self._pids(WORKER) if (held := held_by(each)) is not None]
        self._rooms.tell("begin")
        before = self._cpu()
        await asyncio.to_thread(self._phones.begin)
        await asyncio.sleep(setup.seconds)
        self.load = await asyncio.to_thread(self._phones.end)
        self.cpu = {name: cpu - before[name] for name, cpu in self._cpu().items()}
        seen: Mapping[str, Any] = await self._rooms.ask("end")
        states = [(await relay.get(each)).state for each in self.transfer_ids]
        self.ended = sum(state is not State.JOINED for state in states)
        for each in self.transfer_ids:
            await relay.cancel(each)
        for each in self.transfer_ids:
            await relay.wait(each, until=State.DISCONNECTED, timeout_s=END_S)
        self.records = await asyncio.to_thread(self._phones.records)
        await self._service.child.terminate()
        return seen

    async def _ask(self, relay: RelayClient, room_url: str, to: str) -> None:
        while True:
            try:
                view = await relay.transfer(room_url=room_url, to=to, customer_id="customer", accept="none")
            except Overloaded as error:
                self.overloads += 1
                await asyncio.sleep(error.retry_after_s or 1.0)
            else:
                self.transfer_ids.append(view.transfer_id)
                return

    async def _until_ready(self, session: aiohttp.ClientSession) -> None:
        """Return when there is a worker for each call."""
        async with asyncio.timeout(READY_S):
            while True:
                async with session.get(f"{self._service.url}/metrics") as answer:
                    if metrics_of(await answer.text())["relay_worker_spares"] >= self.setup.calls:
                        return
                await asyncio.sleep(0.2)

    def _pids(self, word: str) -> list[int]:
        family = descendants(self._service.child.pid)
        return [pid for pid, (_, *command) in family.items() if any(word in each for each in command)]

    def _cpu(self) -> dict[str, Cpu]:
        pids = {"front": [self._service.child.pid], "workers": self._pids(WORKER), "store": self._pids(STORE)}
        return {name: _sum([cpu_of(pid) for pid in each]) for name, each in pids.items()}


def _sum(each: Sequence[Cpu]) -> Cpu:
    return Cpu(sum(cpu.total_ns for cpu in each), sum(cpu.user_s for cpu in each), sum(cpu.system_s for cpu in each))


def _settings(setup: Setup, carrier: SimulatedCarrier, rooms_url: str) -> dict[str, str]:
    of_carrier = carrier.dialect.settings(carrier.api_url, "+14155550100")
    return {
        **{name.removeprefix("RELAY_"): value for name, value in of_carrier.items()},
        "LOCAL_ROOMS": rooms_url,
        "ALLOWED_NUMBERS": "+1415555",
        "MAX_TRANSFERS": str(setup.calls),
        "WORKER_SPARES": str(setup.calls),
        "TRANSFERS_PER_MINUTE": "1000000",
        "TRANSFERS_PER_DAY": "100000000",
    }


def _ends(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """What each transfer's bridge said at its end."""
    return {event["transfer_id"]: event for event in events if event.get("event") == "bridge_ended"}


def _result(
    run: _Run,
    seen: Mapping[str, Any],
    indices: Mapping[str, int],
    folder: Path,
    ends: Mapping[str, Mapping[str, Any]],
) -> NodeResult:
    setup, to_room, to_agent = run.setup, [], []
    for call, transfer_id in enumerate(run.transfer_ids):
        record = run.records[indices[number_of(call)]]
        target_ms = ends.get(transfer_id, {}).get("agent_to_room", {}).get("playout", {}).get("target_ms", 0.0)
        room_frames, agent_frames = _frames(record, folder, room_of(call), seen["first"], run.load)
        to_room.append((room_frames, [(0, target_ms)]))
        to_agent.append((agent_frames, ()))
    window = run.load.since_ns, run.load.until_ns
    arrived = [[at_ns for at_ns in record.arrived_ns if window[0] <= at_ns < window[1]] for record in run.records]
    used = {name: Cost.of(run.cpu[name], setup.calls, run.load.seconds) for name in _FAMILY}
    assert run.base is not None  # noqa: S101 - the service ran
    assert run.front is not None  # noqa: S101 - and went on
    return NodeResult(
        calls=setup.calls,
        seconds=run.load.seconds,
        agent_to_room=Direction.of(to_room, window[0]),
        room_to_agent=Direction.of(to_agent, window[0]),
        phone_late_p99_ms=percentile(lateness_ms(arrived), 99),
        room_late_p99_ms=seen["late_p99_ms"],
        **used,
        core=sum(cpu.total_ns for cpu in run.cpu.values()) / 1e9 / run.load.seconds,
        worker_private_kb=_mean(run.workers, lambda held: held.private_bytes),
        worker_pss_kb=_mean(run.workers, lambda held: held.pss_bytes),
        front_kb=(run.front.private_bytes - run.base.private_bytes) / 1024 / setup.calls,
        front_base_kb=run.base.private_bytes // 1024,
        counts=_counts(ends),
        ended=run.ended,
        overloads=run.overloads,
        room_own_late_p99_ms=seen["own_late_p99_ms"],
        load=run.load.as_dict(),
    )


def _frames(
    record: PhoneRecord, folder: Path, room: str, first: Mapping[str, int], load: Load
) -> tuple[Frames, Frames]:
    """What became of one call's frames: to the room, to the agent."""
    window = {"since_ns": load.since_ns, "until_ns": load.until_ns - _TAIL_NS}
    said_ns, given_ns = (array("q", (folder / f"{room}.{name}").read_bytes()) for name in ("said", "given"))
    samples = FRAME_BYTES // 2
    in_room = Hearing(
        (folder / f"{room}.pcm").read_bytes(),
        RATE_HZ,
        given_ns,
        range(samples, samples * len(given_ns) + 1, samples),
        Decoder("pcmu", PHONE_RATE_HZ, RATE_HZ).delay_ms,
    )
    at_phone = Hearing.of_phone(record, Encoder("pcmu", PHONE_RATE_HZ, RATE_HZ).delay_ms)
    return frames_of(record.written_ns, in_room, **window), frames_of(said_ns, at_phone, first=first[room], **window)


def _mean(held: Sequence[Held], of: Callable[[Held], int]) -> float:
    return sum(map(of, held)) / 1024 / max(1, len(held))


def _counts(ends: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for event in ends.values():
        for name in ("frames_lost", "frames_late", "underruns", "concealed_ms"):
            counts[name] = counts.get(name, 0) + event.get("agent_to_room", {}).get("playout", {}).get(name, 0)
        for name in ("frames_dropped", "trimmed_ms"):
            counts[name] = counts.get(name, 0) + event.get("room_to_agent", {}).get(name, 0)
    return counts


async def measure_capacity(setups: Sequence[Setup], say: Callable[[NodeResult], None]) -> list[NodeResult]:
    """Take these steps until one does not hold; raises as ``measure``."""
    results: list[NodeResult] = []
    for setup in setups:
        results.append(await measure(setup))
        say(results[-1])
        if not results[-1].holds:
            break
    return results
