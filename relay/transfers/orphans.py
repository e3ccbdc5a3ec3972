"""Transfers that are stored as live and are not, and calls that nobody wants: whatever is found of them is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog

from relay.errors import StoreUnavailable
from relay.transfers.clock import CallLater, pause
from relay.transfers.late_calls import LateCalls
from relay.transfers.leases import LEASE_S
from relay.transfers.ports import PhoneEnded, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import closing_event
from relay.transfers.store import Answer, TransferStore

LOOK_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 240.0)
"""Pauses before a store that was away is looked into again; then whoever comes upon the transfer ends it."""


class Orphans:
    """
    Ends what a node that is gone has left behind. What another node has in hand that is alive, is left to it.

    Args:
        store: where it is found.
        late: ends the phones.
        node_id: this node.
        is_live: whether a transfer is going on here.
        is_owned: whether a transfer that is going on here has this call of this carrier: then the call is its matter.
        is_in_doubt: whether a node without a lease may be alive all the same.
        on_change: told of each new version of each record.
        call_later: the clock.
    """

    def __init__(
        self,
        store: TransferStore,
        late: LateCalls,
        *,
        node_id: str,
        is_live: Callable[[str], bool],
        is_owned: Callable[[str, str], bool],
        is_in_doubt: Callable[[], bool],
        on_change: Callable[[Transfer], None],
        call_later: CallLater,
    ) -> None:
        self._store = store
        self._late = late
        self._node_id = node_id
        self._is_live = is_live
        self._is_owned = is_owned
        self._is_in_doubt = is_in_doubt
        self._on_change = on_change
        self._call_later = call_later
        self._looking: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    async def close(self, transfer: Transfer, reason: Reason) -> Transfer | None:
        """
        Take a transfer over and end it, and its phone; return it as it is then. Who owned it can write no more.

        Raises:
            StoreUnavailable: its record may be as it was; its phone is ended.
        """
        try:
            applied = await self._store.apply(
                transfer.transfer_id, closing_event(reason), epoch=transfer.epoch, reason=reason, takes_over=True
            )
        finally:
            self._hang_up(transfer)
        if applied.answer is Answer.OK and applied.transfer is not None:
            self._on_change(applied.transfer)
        return applied.transfer

    async def close_if_lost(self, transfer: Transfer) -> bool:
        """
        End a transfer if it is neither over nor going on; False: it goes on, here or on another node.

        Raises:
            StoreUnavailable: its record stays as it is.
        """
        if transfer.is_terminal:
            return True
        if self._is_live(transfer.transfer_id) or await self._is_anothers(transfer):
            return False
        await self.close(transfer, Reason.NODE_LOST)
        return True

    async def end_left(self, transfer_id: str) -> asyncio.Task[None] | None:
        """
        End what a dead node has left of a transfer: all of it, or its phone; return the work of hanging that up.

        Raises:
            StoreUnavailable: the store is away.
        """
        try:
            transfer = await self._store.get(transfer_id)
        except StoreUnavailable as error:
            if not self._store.is_available:
                raise
            self._log.warning("transfer_unreadable", transfer_id=transfer_id, error=str(error))
            return None
        if transfer is None:
            return None
        if not transfer.is_terminal:
            self._log.warning("lost_transfer_found", transfer_id=transfer_id)
            try:
                await self.close(transfer, Reason.NODE_LOST)
            except StoreUnavailable as error:  # one record that nobody can write must not keep others as they are
                if not self._store.is_available:
                    raise
                self._log.error("lost_transfer_not_ended", transfer_id=transfer_id, error=str(error))
        return self._hang_up(transfer)

    def look_later(self, transfer_id: str) -> None:
        """End a transfer, when the store is back, that may have been stored though nobody was told so."""
        self._begin(self._look_again(transfer_id))

    async def stop(self) -> None:
        """Look for nothing any longer."""
        for looking in self._looking:
            looking.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)

    async def take_report(self, transfer_id: str, provider: str, report: PhoneReport) -> None:
        """A callback of a call whose transfer is not going on here."""
        if isinstance(report.news, PhoneEnded):
            for call_id in (report.call_id, report.placed_id):
                self._late.call_ended(provider, call_id)
            if await self._goes_on(transfer_id, provider):
                self._log.warning("callback_of_another_node", transfer_id=transfer_id)
        else:
            await self.end_call(transfer_id, provider, report.call_id)

    async def end_call(self, transfer_id: str, provider: str, call_id: str) -> None:
        """
        A call whose transfer is not going on here: it must not ring on, unless that is another node's matter, or
        another transfer's.
        """
        if await self._goes_on(transfer_id, provider):
            self._log.warning("callback_of_another_node", transfer_id=transfer_id)
            self._begin(self._end_call_later(transfer_id, provider, call_id))
        else:
            self._end_unwanted(transfer_id, provider, call_id)

    async def is_nobodys(self, transfer_id: str, provider: str) -> bool:
        """
        Whether a transfer, which is not going on here, goes on nowhere; one that was lost is ended.

        If its node seems to be alive that takes as long as a lease: it may have died just now, and started again as
        this one.
        """
        if not await self._goes_on(transfer_id, provider):
            return True
        await pause(self._call_later, LEASE_S, asyncio.Event())
        return not await self._goes_on(transfer_id, provider)

    async def _end_call_later(self, transfer_id: str, provider: str, call_id: str) -> None:
        """If its node has just died, by now its lease has run out; and nobody else may have been told of the call."""
        await pause(self._call_later, LEASE_S, asyncio.Event())
        if not await self._goes_on(transfer_id, provider):
            self._end_unwanted(transfer_id, provider, call_id)

    def _end_unwanted(self, transfer_id: str, provider: str, call_id: str) -> None:
        if self._is_owned(provider, call_id):
            self._log.error("callback_of_another_transfer", transfer_id=transfer_id)
            return
        self._log.warning("unwanted_call", transfer_id=transfer_id)
        self._late.end(provider, call_id, transfer_id=transfer_id)

    def _hang_up(self, transfer: Transfer) -> asyncio.Task[None] | None:
        if transfer.provider_call_id is None:
            return None
        return self._late.end(transfer.provider, transfer.provider_call_id, transfer_id=transfer.transfer_id)

    def _begin(self, looking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(looking)
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look_again(self, transfer_id: str) -> None:
        for pause_s in LOOK_AGAIN_S:
            await pause(self._call_later, pause_s, asyncio.Event())
            with suppress(StoreUnavailable):
                transfer = await self._store.get(transfer_id)
                if transfer is not None:
                    await self.close_if_lost(transfer)
                return

    async def _goes_on(self, transfer_id: str, provider: str) -> bool:
        """Whether a transfer goes on at another node; what is lost is ended."""
        with suppress(StoreUnavailable):  # the phone is what matters; the record waits for the next to look
            transfer = await self._store.get(transfer_id)
            return transfer is not None and transfer.provider == provider and not await self.close_if_lost(transfer)
        return False

    async def _is_anothers(self, transfer: Transfer) -> bool:
        """Another node has it in hand, and is alive, or may be."""
        if transfer.owner == self._node_id:
            return False
        return self._is_in_doubt() or not await self._store.leases.dead([transfer.owner])
