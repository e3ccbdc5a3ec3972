"""Bridges in other processes: a worker for each, or for some, and places that are ready for the next."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import IO, Final

import structlog

from relay.bridge import events
from relay.bridge.messages import Assign, Configure, RoomSpec
from relay.bridge.pooled_worker import EXIT_S, PooledWorker, WorkerOwner, WorkerSeat
from relay.bridge.settings import BridgeSettings
from relay.bridge.spares import RETRY_AFTER_S, Spares
from relay.bridge.stats import BridgeStats
from relay.bridge.worker_bridge import MintToken, WorkerBridge
from relay.errors import Overloaded
from relay.transfers import ports
from relay.transfers.clock import CallLater
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder

TAKE_S: Final = 5.0
"""How long a transfer waits for a worker, if no spare is ready: a start takes some tenths of a second."""

log = structlog.get_logger(__name__)


class WorkerPool:
    """
    The workers of a node. Each serves so many bridges and ends; what becomes of one is no matter of the others.

    Args:
        command: what a worker is; see ``WorkerProcess``.
        rooms: where the bridge of an order goes. ``RoomRefused`` is passed on.
        tokens: makes the token to join the room of an order with, if one is needed; may raise a ``RoomError``.
        configure: what each worker is told first.
        settings: the bounds of each bridge; the longest duration is the order's.
        workers_max: so many bridges at a time. Spares, and workers that are on their way out, come on top.
        spares: for so many bridges there is a worker ready, if there may be so many more.
        seats: of each worker: so many bridges it has in its life. With one, each ends alone, in whatever way it ends.
        log: where workers log; None: to our standard error.
        take_s: how long an ``acquire`` waits for a worker.
        on_statistics: told once a second, of each bridge by its transfer's id.
        on_ended: told what a bridge has come to, when it holds nothing any longer.
        call_later: the clock of starting workers; without it, the running loop's.
        now_s: the same clock's time.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        rooms: Callable[[TransferOrder], RoomSpec],
        tokens: Callable[[TransferOrder], Awaitable[str | None]] | None = None,
        configure: Configure | None = None,
        settings: BridgeSettings | None = None,
        workers_max: int,
        spares: int,
        seats: int = 1,
        log: IO[str] | None = None,
        take_s: float = TAKE_S,
        on_statistics: Callable[[str, BridgeStats], None] | None = None,
        on_ended: Callable[[str, events.Ended], None] | None = None,
        call_later: CallLater | None = None,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._rooms = rooms
        self._tokens = tokens
        self._configure = configure or Configure()
        self._settings = settings or BridgeSettings()
        self._workers_max = workers_max
        self._spares_max = spares
        self._seats = seats
        self._log = log
        self._take_s = take_s
        self._on_statistics = on_statistics
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()
        self._spares = Spares(
            self._start,
            seats=seats,
            wanted=self._spares_wanted,
            call_later=call_later or self._loop.call_later,
            now_s=now_s or self._loop.time,
        )
        self._bridges: set[WorkerBridge] = set()
        self._taking = 0
        self._workers: set[PooledWorker] = set()
        self._lost = 0

    # How it stands

    @property
    def count(self) -> int:
        """Bridges that are not over yet."""
        return len(self._bridges)

    @property
    def spare_count(self) -> int:
        """Bridges that would have a worker at once."""
        return self._spares.ready_count

    @property
    def process_count(self) -> int:
        """Workers of all kinds: those that start, those on their way out, and what is between."""
        return len(self._workers)

    @property
    def pids(self) -> Sequence[int]:
        """Of all of them."""
        return [worker.pid for worker in self._workers]

    @property
    def lost_count(self) -> int:
        """Bridges whose worker was gone before they were over, so far."""
        return self._lost

    @property
    def is_able(self) -> bool:
        """A worker can be had, or at least nothing says that it cannot."""
        return not self._spares.is_failing

    # Its life

    async def open(self) -> None:
        """Begin to start spares; ``until_spares_ready`` waits for them."""
        self._spares.open()

    async def until_spares_ready(self) -> None:
        """Wait until as many are ready as there should be."""
        await self._spares.until_full()

    async def close(self) -> None:
        """End every bridge and every worker; bounded, as each of them is. There is none to be had any longer."""
        self._spares.close()
        await asyncio.gather(*(bridge.release(Reason.NODE_SHUTDOWN) for bridge in list(self._bridges)))
        leaving = [asyncio.ensure_future(worker.gone.wait()) for worker in self._workers]
        if leaving:
            _, left = await asyncio.wait(leaving, timeout=EXIT_S + 1)
            for each in left:
                each.cancel()
            if left:
                log.error("workers_left", pids=[worker.pid for worker in self._workers])

    # Bridges

    async def acquire(
        self, transfer_id: str, order: TransferOrder, *, held: bool, on_event: Callable[[ports.BridgeEvent], None]
    ) -> WorkerBridge:
        """
        As ``ports.Bridges.acquire``: with a spare at once, else with the next worker that is ready.

        Whether it is released or not, it counts until it is over.
        """
        if len(self._bridges) + self._taking >= self._workers_max:
            raise Overloaded(f"expected fewer than {self._workers_max} bridges", retry_after_s=RETRY_AFTER_S)
        assign = Assign(
            transfer_id=transfer_id,
            room=self._rooms(order),
            settings=replace(self._settings, max_duration_s=order.max_duration_s),
            customer_id=order.customer_id,
            bot_id=order.bot_id,
            held=held,
        )
        self._taking += 1
        try:
            seat = await self._spares.take(within_s=self._take_s)
        finally:
            self._taking -= 1
        mint = functools.partial(self._tokens, order) if self._tokens is not None else None
        return self._assign(seat, assign, on_event, mint)

    def _assign(
        self,
        seat: WorkerSeat,
        assign: Assign,
        on_event: Callable[[ports.BridgeEvent], None],
        mint_token: MintToken | None,
    ) -> WorkerBridge:
        transfer_id = assign.transfer_id
        try:
            bridge = WorkerBridge(
                seat,
                assign,
                on_event=lambda event: _tell(on_event, event),
                on_statistics=lambda stats: self._report(transfer_id, stats),
                on_over=self._over,
                mint_token=mint_token,
            )
        except ValueError:  # what it was to be told has no form: nobody uses it now
            seat.kill()
            raise
        self._bridges.add(bridge)
        return bridge

    def _report(self, transfer_id: str, stats: BridgeStats) -> None:
        if self._on_statistics is not None:
            _tell(self._on_statistics, transfer_id, stats)

    def _over(self, bridge: WorkerBridge, ended: events.Ended) -> None:
        self._bridges.discard(bridge)
        self._lost += bridge.is_lost
        if self._on_ended is not None:
            _tell(self._on_ended, bridge.transfer_id, ended)
        self._loop.call_soon(self._spares.fill)  # there may be more of them again

    # Workers

    def _start(self, owner: WorkerOwner) -> PooledWorker:
        worker = PooledWorker(self._command, owner, seats=self._seats, on_gone=self._workers.discard, log=self._log)
        self._workers.add(worker)
        worker.seats[0].send(self._configure)
        return worker

    def _spares_wanted(self) -> int:
        return min(self._spares_max, self._workers_max - len(self._bridges) - self._taking)


def _tell(listener: Callable[..., None], *what: object) -> None:
    """Whoever listens must not end a call by what it raises: that would pass for a defect of the worker."""
    try:
        listener(*what)
    except Exception:
        log.exception("listener_error")
