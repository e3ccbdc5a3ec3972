"""
Mode ``node``: so many calls through a whole service, its front, its workers and their sockets, markers both ways.

``relay serve`` has one core with its workers and its store. Carrier, rooms and phones have the other: the simulated
carrier answers each dial and fetches the document, and the phone of its stream is one of the load's.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from relay.client import RelayClient, State
from relay.dev.bench.breaks import Breaks
from relay.dev.bench.cores import LOAD_CORE, SERVER_CORE, can_pin
from relay.dev.bench.load import SETTLE_S, LoadPlan
from relay.dev.bench.node_phones import LoadPhones
from relay.dev.bench.node_result import Kept, NodeResult, number_of, result_of, room_of
from relay.dev.bench.phones import PhonesProcess
from relay.dev.bench.processes import Child, descendants, held_by
from relay.dev.bench.server import Cpu, cpu_of
from relay.dev.bench.service import BUSY_MACHINE, CALLS_MAX, Service, metrics_of, serving, taken
from relay.dev.bench.soak_samples import STORE, WORKER
from relay.dev.carrier import SimulatedCarrier

ROOMS: Final = ("-m", "relay.dev.bench.node_rooms")
READY_S: Final = 180.0
JOIN_S: Final = 60.0
END_S: Final = 30.0


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
    settle_s: float = SETTLE_S
    command: Sequence[str] = BUSY_MACHINE


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
    with tempfile.TemporaryDirectory(prefix="relay-node-") as name:
        kept = Kept(Path(name))
        async with AsyncExitStack() as stack:
            arguments = ("--calls", str(setup.calls), "--folder", name)
            rooms = await stack.enter_async_context(
                Child(*ROOMS, *arguments, environment={}, stderr=kept.folder / "rooms.log", core=others)
            )
            rooms_url = f"http://127.0.0.1:{(await rooms.answer())['port']}"
            makes = _Makes()
            carrier = await stack.enter_async_context(SimulatedCarrier(phone=makes))
            settings = _settings(setup, carrier, rooms_url)
            service = await stack.enter_async_context(
                serving(
                    settings, kept.folder / "service.log", command=setup.command, core=own, on_event=kept.events.append
                )
            )
            phones = await asyncio.to_thread(
                PhonesProcess, int(service.url.rpartition(":")[2]), 0, plan=plan, keep=True
            )
            stack.callback(phones.close)
            makes.phones = LoadPhones(phones)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            relay = await stack.enter_async_context(RelayClient(service.url, session=session))
            await _until_ready(session, service.url, setup.calls)
            try:
                await _Run(setup, kept, service, rooms, phones).measure(relay, rooms_url)
            except ConnectionError as error:
                raise ConnectionError(f"{error}; the carrier says {_complaints(carrier)}") from error
            kept.phones = makes.phones.indices
        return result_of(kept)


class _Makes:
    """Makes the phones, once there is a load: the load needs the service's port, and the service the carrier's."""

    phones: LoadPhones

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.phones(*arguments, **options)


class _Run:
    """A service with everything around it."""

    def __init__(self, setup: Setup, kept: Kept, service: Service, rooms: Child, phones: PhonesProcess) -> None:
        self._setup = setup
        self._kept = kept
        self._service = service
        self._rooms = rooms
        self._phones = phones

    async def measure(self, relay: RelayClient, rooms_url: str) -> None:
        """Open all calls, measure the window, end the calls and the service."""
        kept, pid = self._kept, self._service.child.pid
        kept.base = held_by(pid)
        await asyncio.to_thread(self._phones.begin)
        for call in range(self._setup.calls):
            await self._ask(relay, f"{rooms_url}/rooms/{room_of(call)}", number_of(call))
        joined = await asyncio.gather(*(relay.wait(each, timeout_s=JOIN_S) for each in kept.transfer_ids))
        if not all(view.state is State.JOINED for view in joined):
            ends = [f"{view.state} {view.reason_text or ''}".strip() for view in joined]
            raise ConnectionError(f"node: expected {len(ends)} joined calls, got {ends}")
        await asyncio.sleep(self._setup.settle_s)
        kept.front = held_by(pid)
        kept.workers = [held for each in self._pids(WORKER) if (held := held_by(each)) is not None]
        await self._window()
        states = [(await relay.get(each)).state for each in kept.transfer_ids]
        kept.ended = sum(state is not State.JOINED for state in states)
        for each in kept.transfer_ids:
            await relay.cancel(each)
        for each in kept.transfer_ids:
            await relay.wait(each, until=State.DISCONNECTED, timeout_s=END_S)
        kept.records = await asyncio.to_thread(self._phones.records)
        await self._service.child.terminate()

    async def _window(self) -> None:
        self._rooms.tell("begin")
        before = self._cpu()
        await asyncio.to_thread(self._phones.begin)
        await asyncio.sleep(self._setup.seconds)
        self._kept.load = await asyncio.to_thread(self._phones.end)
        self._kept.cpu = {name: _spent(before[name], now) for name, now in self._cpu().items()}
        self._kept.rooms = await self._rooms.ask("end")

    async def _ask(self, relay: RelayClient, room_url: str, to: str) -> None:
        def refused() -> None:
            self._kept.overloads += 1

        view = await taken(
            lambda: relay.transfer(room_url=room_url, to=to, customer_id="customer", accept="none"), refused
        )
        self._kept.transfer_ids.append(view.transfer_id)

    def _pids(self, word: str) -> list[int]:
        family = descendants(self._service.child.pid)
        return [pid for pid, (_, *command) in family.items() if any(word in each for each in command)]

    def _cpu(self) -> dict[str, dict[int, Cpu]]:
        pids = {"front": [self._service.child.pid], "workers": self._pids(WORKER), "store": self._pids(STORE)}
        return {name: _each(each) for name, each in pids.items()}


def _complaints(carrier: SimulatedCarrier) -> str:
    found = [*carrier.violations, *(each for call in carrier.calls for each in call.violations)]
    return "; ".join(found[:3]) or "nothing"


async def _until_ready(session: aiohttp.ClientSession, url: str, calls: int) -> None:
    """Return when there is a worker for each call."""
    async with asyncio.timeout(READY_S):
        while True:
            async with session.get(f"{url}/metrics") as answer:
                if metrics_of(await answer.text())["relay_worker_spares"] >= calls:
                    return
            await asyncio.sleep(0.2)


def _each(pids: Sequence[int]) -> dict[int, Cpu]:
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found[pid] = cpu_of(pid)
    return found


def _spent(before: Mapping[int, Cpu], now: Mapping[int, Cpu]) -> Cpu:
    """Of those that are there now; what one that has ended had taken before must not be taken off the others."""
    each = [cpu - before.get(pid, Cpu(0, 0.0, 0.0)) for pid, cpu in now.items()]
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


async def measure_capacity(setups: Sequence[Setup], breaks: Breaks) -> list[NodeResult]:
    """Take these steps until one breaks, or does not hold in two windows: one may be another's fault."""
    results: list[NodeResult] = []
    for setup in setups:
        with breaks.noted(f"{setup.calls} calls"):
            results.append(await measure(setup))
            if not results[-1].holds:
                results.append(await measure(setup))
            if results[-1].holds:
                continue
        break
    return results
