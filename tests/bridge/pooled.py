"""A pool whose workers are stand-ins, real processes all of them, and what is left of them afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from relay.bridge.events import Ended
from relay.bridge.messages import RoomSpec
from relay.bridge.pool import WorkerPool
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.bridge.worker_bridge import WorkerBridge
from relay.dev.until import Changes
from relay.transfers import ports
from relay.transfers.record import TransferOrder
from tests.bridge.process import Told
from tests.bridge.process import order as any_order
from tests.transfers.clock import ManualClock

STAND_IN = "tests.bridge.stand_in_worker"
QUICK = BridgeSettings(notice_timeout_s=0.1, close_timeout_s=0.1, leave_timeout_s=0.1)
PATIENT = replace(QUICK, tick_s=60)
"""Stand-ins report once: those of many may say nothing more while the others start."""
NOTICED_S = 1.0
"""So soon the transfer must know that its worker is lost."""


def stand_in(start: str = "is ready") -> list[str]:
    return [sys.executable, "-m", STAND_IN, start]


def order(customer_id: str | None = None, room_url: str = "http://127.0.0.1/rooms/blue") -> TransferOrder:
    """How a stand-in goes on is in the customer's place."""
    return replace(any_order(room_url), customer_id=customer_id)


def place(order: TransferOrder) -> RoomSpec:
    return RoomSpec(kind="local", url=order.room_url)


def descriptors() -> set[str]:
    """What this process has open, without the descriptor that this takes to read it."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(f"{path.name} {path.readlink()}")
    return {each for each in found if "/proc/" not in each}


def descriptor(end: socket.socket) -> str:
    """It, as ``descriptors`` names it."""
    return f"{end.fileno()} {Path(f'/proc/self/fd/{end.fileno()}').readlink()}"


def resident_kib() -> int:
    """How much memory of this process is in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def children() -> set[int]:
    """Processes that this one has started and not reaped, zombies among them."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in path.read_text().split()}
    return found


def state_of(pid: int) -> str:
    """``S`` for one that sleeps, ``Z`` for a zombie, and nothing for one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


async def until_last(told: Told, kind: type[ports.BridgeEvent], *, timeout_s: float) -> ports.BridgeEvent:
    """The latest event, once it is of this kind."""
    await told.changes.until(lambda: told.kinds()[-1:] == [kind], kind.__name__, timeout_s=timeout_s)
    return told.events[-1]


@dataclass
class Pooled:
    """A pool, and what it said."""

    pool: WorkerPool
    changes: Changes
    statistics: list[tuple[str, BridgeStats]] = field(default_factory=list)
    endings: list[tuple[str, Ended]] = field(default_factory=list)

    async def acquire(
        self, transfer_id: str = "t-1", how_it_goes_on: str | None = None, *, room_url: str = "http://127.0.0.1/rooms/a"
    ) -> tuple[WorkerBridge, Told]:
        told = Told()
        bridge = await self.pool.acquire(transfer_id, order(how_it_goes_on, room_url), held=False, on_event=told)
        return bridge, told

    async def until_ended(self, count: int = 1, *, timeout_s: float = 5.0) -> None:
        await self.changes.until(lambda: len(self.endings) >= count, f"{count} bridges over", timeout_s=timeout_s)


@contextlib.asynccontextmanager
async def pooled(
    start: str = "is ready",
    *,
    command: list[str] | None = None,
    settings: BridgeSettings = QUICK,
    workers_max: int = 20,
    spares: int = 0,
    seats: int = 1,
    take_s: float = 10.0,
    clock: ManualClock | None = None,
    rooms: Callable[[TransferOrder], RoomSpec] = place,
) -> AsyncIterator[Pooled]:
    """Tasks, descriptors and processes are those of before, afterwards."""
    tasks, open_before, children_before = asyncio.all_tasks(), descriptors(), children()
    changes = Changes()
    statistics: list[tuple[str, BridgeStats]] = []
    endings: list[tuple[str, Ended]] = []

    def note_ended(transfer_id: str, ended: Ended) -> None:
        endings.append((transfer_id, ended))
        changes.changed()

    def note_statistics(transfer_id: str, stats: BridgeStats) -> None:
        statistics.append((transfer_id, stats))
        changes.changed()

    pool = WorkerPool(
        command or stand_in(start),
        rooms=rooms,
        settings=settings,
        workers_max=workers_max,
        spares=spares,
        seats=seats,
        take_s=take_s,
        on_statistics=note_statistics,
        on_ended=note_ended,
        call_later=clock.call_later if clock is not None else None,
        now_s=(lambda: clock.now_s) if clock is not None else None,
    )
    await pool.open()
    try:
        yield Pooled(pool, changes, statistics, endings)
    finally:
        await pool.close()
    assert (pool.count, pool.process_count, pool.spare_count) == (0, 0, 0)
    for _ in range(100):  # the last callbacks of sockets that were closed
        if asyncio.all_tasks() <= tasks and descriptors() <= open_before:
            break
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - tasks == set()
    assert descriptors() - open_before == set()
    assert children() - children_before == set()


def a_connection() -> tuple[ports.MediaSocket, socket.socket]:
    """One to hand over, and its other end."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    return ports.MediaSocket(ours.detach(), b"GET /media", "twilio"), theirs


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, number)
