"""All transfers of this node: what is let in, which of them a callback is for, and that each is brought to its end."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from relay.errors import Overloaded, StoreUnavailable
from relay.transfers.claims import Allowances, RequestClaims, RequestKey, RoomClaims
from relay.transfers.clock import CallLater, pause
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.digits import send_digits
from relay.transfers.late_calls import LateCalls
from relay.transfers.live import LiveTransfer
from relay.transfers.orphans import Orphans
from relay.transfers.ports import Bridge, Bridges, Carrier, MediaSocket, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, Transfer, TransferOrder, new_transfer_id
from relay.transfers.states import State
from relay.transfers.store import TransferStore
from relay.transfers.sweep import Sweep

_MARGIN_S: Final = 600.0
"""Claims outlive the longest transfer by so long; one that is left over is taken over before that."""
WRITE_MAX_S: Final = 5.0
"""How long a service that ends waits for a store that is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """
    Who asks for a transfer, and how to tell that it asks again.

    Args:
        allowance: whose allowance it takes from.
        request: set if it may ask again: the same request is answered as the first time.
    """

    allowance: str
    request: RequestKey | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """The answer to a request; ``is_replay``: the request had been answered before."""

    transfer: Transfer
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What an answered call may do: open one media stream with ``token``; ``say`` is for the agent to hear first."""

    token: str = field(repr=False)
    say: str | None = None


class Coordinator:
    """
    The transfers of one node.

    Args:
        store: holds them. What other nodes have there is left to them as long as they are alive.
        bridges: where bridges come from.
        carriers: the accounts to call through, by name.
        node_id: who owns what is made here.
        settings: the bounds.
        on_change: told of each new version of each record.
        call_later: the clock; without it, the running loop's.
    """

    def __init__(
        self,
        store: TransferStore,
        bridges: Bridges,
        carriers: Mapping[str, Carrier],
        *,
        node_id: str,
        settings: CoordinatorSettings | None = None,
        on_change: Callable[[Transfer], None] = lambda _: None,
        call_later: CallLater | None = None,
    ) -> None:
        self._store = store
        self._bridges = bridges
        self._carriers = carriers
        self._node_id = node_id
        self._settings = settings = settings or CoordinatorSettings()
        self._on_change = on_change
        self._call_later: CallLater = call_later or asyncio.get_running_loop().call_later
        self._token_key = secrets.token_bytes(32)
        self._log = structlog.get_logger()
        self._live: dict[str, LiveTransfer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beginning: set[str] = set()
        self._late = LateCalls(carriers, call_later=self._call_later)
        self._orphans = Orphans(
            store,
            self._late,
            node_id=node_id,
            is_live=self._is_live,
            is_owned=lambda provider, call_id: any(live.has(provider, call_id) for live in self._live.values()),
            is_in_doubt=lambda: self._sweep.is_in_doubt,
            on_change=on_change,
            call_later=self._call_later,
        )
        self._sweep = Sweep(
            store, self._orphans, node_id=node_id, look_after_own=self._look_after_own, call_later=self._call_later
        )
        self._requests = RequestClaims(store, ttl_s=settings.request_ttl_s, close_if_lost=self._orphans.close_if_lost)
        self._rooms = RoomClaims(store, is_live=self._is_live, close_if_lost=self._orphans.close_if_lost)
        self._allowances = Allowances(
            store, per_minute=self._settings.transfers_per_minute, per_day=self._settings.transfers_per_day
        )
        self._places = 0
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Requests are taken."""
        return self._is_open

    @property
    def live_count(self) -> int:
        """Transfers that hold a bridge, or are about to."""
        return self._places

    def recover(self) -> None:
        """Begin to be alive for other nodes, and to end what dead ones have left, as ``node_lost``, and its phones."""
        self._sweep.start()

    # Requests

    async def request(self, order: TransferOrder, caller: Caller) -> Requested:
        """
        Make a transfer and begin to dial; returns as soon as it is stored.

        Raises:
            Overloaded: not now.
            TransferConflict: the room has a live transfer.
            RequestMismatch, RequestInProgress: the caller's key came before.
            StoreUnavailable: nothing was begun.
        """
        self._check_open()
        transfer_id = new_transfer_id(time.time_ns() // 1_000_000, secrets.token_bytes(10))
        if caller.request is None:
            return Requested(await self._begin(order, caller, transfer_id), is_replay=False)
        async with self._requests.claim(caller.request, transfer_id) as before:
            if before is not None:
                return Requested(before, is_replay=True)
            return Requested(await self._begin(order, caller, transfer_id), is_replay=False)

    async def _begin(self, order: TransferOrder, caller: Caller, transfer_id: str) -> Transfer:
        """Take everything that a transfer needs, and give back what was taken if anything is not to be had."""
        self._check_open()
        self._settings.check_places(self._places, len(self._live) + len(self._beginning))
        self._places += 1
        self._beginning.add(transfer_id)
        async with AsyncExitStack() as taken:
            taken.callback(self._free_place)
            taken.callback(self._beginning.discard, transfer_id)
            ttl_s = order.ring_timeout_s + order.max_duration_s + _MARGIN_S
            await self._rooms.claim(order.room_url, transfer_id, ttl_s=ttl_s)
            taken.push_async_callback(self._rooms.release, order.room_url, transfer_id)
            await self._allowances.take(caller.allowance, transfer_id)  # before a process is used up for it
            taken.push_async_callback(self._allowances.give_back, caller.allowance, transfer_id)
            live = self._make(order, transfer_id)
            bridge = await self._bridges.acquire(
                transfer_id, order, held=order.accept is not Accept.NONE, on_event=live.take_bridge_event
            )
            taken.push_async_callback(bridge.release, Reason.INTERNAL_ERROR)
            transfer = await self._create(live.transfer)
            if not self._is_open:  # meanwhile; nobody would wait for its end
                await self._orphans.close(transfer, Reason.NODE_SHUTDOWN)
                self._check_open()
            taken.pop_all()
        self._beginning.discard(transfer_id)
        self._live[transfer_id] = live
        self._on_change(transfer)
        task = self._tasks[transfer_id] = asyncio.create_task(self._run(live, bridge))
        task.add_done_callback(lambda _: self._tasks.pop(transfer_id))
        return transfer

    async def _create(self, transfer: Transfer) -> Transfer:
        try:
            return await self._store.create(transfer)
        except StoreUnavailable:
            self._orphans.look_later(transfer.transfer_id)  # it may be stored all the same
            raise

    def _make(self, order: TransferOrder, transfer_id: str) -> LiveTransfer:
        return LiveTransfer(
            order,
            self._carriers[order.provider],
            self._store,
            Transfer.of(order, transfer_id, owner=self._node_id),
            token_key=self._token_key,
            is_anothers=lambda call_id: self._is_anothers(transfer_id, order, call_id),
            on_change=self._on_change,
            settings=self._settings.course,
            call_later=self._call_later,
        )

    async def _run(self, live: LiveTransfer, bridge: Bridge) -> None:
        transfer_id = live.transfer.transfer_id
        try:
            try:
                await live.run(bridge)
            finally:
                self._free_place()
            await live.settle()
        except Exception:  # noqa: BLE001 - a defect in one transfer must not take the place of another for ever
            self._log.exception("transfer_broke", transfer_id=transfer_id)
        finally:
            del self._live[transfer_id]
        node = self._node_id if live.is_through else None  # else it is in hand until another node looks after it
        await self._rooms.release(live.order.room_url, transfer_id, node=node)

    def _free_place(self) -> None:
        self._places -= 1

    def _check_open(self) -> None:
        if not self._is_open:
            raise Overloaded("the service is shutting down", retry_after_s=10)

    # What is asked of one transfer

    async def cancel(self, transfer_id: str) -> Transfer | None:
        """End a transfer on purpose, and return it as it is then; one that is over stays as it was."""
        if (live := self._live.get(transfer_id)) is not None:
            live.close(Reason.CANCELED_BY_API)
            ended = await live.until_ended()
            if ended.is_terminal:
                return ended
        transfer = await self._store.get(transfer_id)
        if transfer is None or transfer.is_terminal:
            return transfer
        return await self._orphans.close(transfer, Reason.CANCELED_BY_API)

    async def report(self, transfer_id: str, provider: str, report: PhoneReport) -> None:
        """Take a verified callback. A call that nobody wants any longer is ended."""
        if (live := self._find(transfer_id, provider)) is not None:
            live.take_report(report)
        else:
            await self._orphans.take_report(transfer_id, provider, report)

    async def answer(
        self, transfer_id: str, provider: str, *, stream: int, call_id: str, placed_id: str = ""
    ) -> Grant | None:
        """Take a verified answer webhook: what opens the ``stream``-th media stream of the call, or None: hang up."""
        if (live := self._find(transfer_id, provider)) is None:
            await self._orphans.end_call(transfer_id, provider, call_id)
            return None
        token = await live.answered(stream, call_id, placed_id)
        return None if token is None else Grant(token, live.order.say if stream == 0 else None)

    async def admits(self, transfer_id: str, provider: str, token: str) -> bool:
        """Consume a media stream's token, once; False: whoever brought it is a stranger."""
        return (live := self._find(transfer_id, provider)) is not None and await live.admits(token)

    async def is_unwanted(self, transfer_id: str, provider: str) -> bool:
        """Whether a call that its carrier vouches for is nobody's any longer: its transfer is closing, over or lost."""
        live = self._find(transfer_id, provider)
        return live.is_closing if live is not None else await self._orphans.is_nobodys(transfer_id, provider)

    def hand_over(self, transfer_id: str, socket: MediaSocket) -> None:
        """Give an admitted media stream to its transfer's bridge; closed if the transfer has ended meanwhile."""
        live = self._live.get(transfer_id)
        if live is None or (bridge := live.bridge) is None:
            os.close(socket.descriptor)
        else:
            bridge.hand_over(socket)

    async def send_digits(self, transfer_id: str, digits: str) -> Transfer | None:
        """Let the agent's phone hear keys; raises as ``digits.send_digits``. None: there is no such transfer."""
        live = self._live.get(transfer_id)
        transfer = live.transfer if live is not None else await self._store.get(transfer_id)
        if transfer is not None:
            await send_digits(digits, transfer, carrier=self._carriers.get(transfer.provider), live=live)
        return transfer

    # The end

    async def shut_down(self, *, drain_timeout_s: float) -> None:
        """
        Let nothing in, end at once what has not been joined, and the rest when it ends or after so long.

        Returns when no phone, no bridge and no task is left. What the store has not taken by then is lost.
        """
        self._is_open = False
        try:
            await self._end_all(drain_timeout_s)
        finally:
            await self._orphans.stop()
            await self._sweep.stop()

    async def _end_all(self, drain_timeout_s: float) -> None:
        self._late.hurry()
        self._close_all(joined=False)
        if self._tasks and drain_timeout_s > 0:
            drained = asyncio.Event()
            draining = asyncio.ensure_future(asyncio.wait(list(self._tasks.values())))
            draining.add_done_callback(lambda _: drained.set())
            await pause(self._call_later, drain_timeout_s, drained)
            draining.cancel()
        self._close_all(joined=True)
        self._sweep.sweep_no_more()
        giving_up = self._call_later(WRITE_MAX_S, self._give_up_writing)
        while tasks := [*self._tasks.values(), *self._late.ending]:
            await asyncio.wait(tasks)
        giving_up.cancel()

    def _close_all(self, *, joined: bool) -> None:
        for live in self._live.values():
            if joined or live.transfer.state is not State.JOINED:
                live.close(Reason.NODE_SHUTDOWN)

    def _give_up_writing(self) -> None:
        for live in self._live.values():
            live.give_up_writing()

    # Inside

    async def _look_after_own(self) -> None:
        for live in list(self._live.values()):
            await live.look()

    def _find(self, transfer_id: str, provider: str) -> LiveTransfer | None:
        live = self._live.get(transfer_id)
        return live if live is not None and live.order.provider == provider else None

    def _is_live(self, transfer_id: str) -> bool:
        return transfer_id in self._live or transfer_id in self._beginning

    def _is_anothers(self, transfer_id: str, order: TransferOrder, call_id: str) -> bool:
        others = [live for live in self._live.values() if live.transfer.transfer_id != transfer_id]
        return call_id != transfer_id and any(  # the same: the carrier lets us choose ids
            live.phone.call_id == call_id or (live.phone.is_placing and live.order.to == order.to) for live in others
        )
