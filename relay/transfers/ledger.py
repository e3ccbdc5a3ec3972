"""The writing side of one transfer: its record here, and in the store as soon as the store takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from structlog.typing import FilteringBoundLogger

from relay.errors import StoreUnavailable
from relay.transfers.phone_leg import CallLater
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, next_state
from relay.transfers.store import Answer, TransferStore

RETRY_S: Final = 0.5
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Entry:
    event: Event
    event_id: str = ""
    reason: Reason | None = None
    changes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


class Ledger:
    """
    Writes what happens to one transfer, in order.

    What the store cannot take now is kept and written later: a call does not wait for the store. What it refuses,
    because the transfer has another owner, is not written at all.

    Args:
        store: where it is written.
        transfer: as the store has it.
        on_change: told of each new version.
        on_fenced: told, once, that the transfer is another owner's now.
        call_later: the clock.
        log: bound to the transfer.
    """

    def __init__(
        self,
        store: TransferStore,
        transfer: Transfer,
        *,
        on_change: Callable[[Transfer], None],
        on_fenced: Callable[[], None],
        call_later: CallLater,
        log: FilteringBoundLogger,
    ) -> None:
        self.transfer = transfer
        self._store = store
        self._on_change = on_change
        self._on_fenced = on_fenced
        self._call_later = call_later
        self._log = log
        self._waiting: deque[_Entry] = deque()
        self._catching_up: asyncio.Task[None] | None = None
        self.is_fenced = False

    async def write(
        self,
        event: Event,
        *,
        event_id: str = "",
        reason: Reason | None = None,
        changes: Mapping[str, str] | None = None,
    ) -> bool:
        """Write an event; True if it counts: it is no repetition, not late, and the transfer is still ours."""
        if self.is_fenced or next_state(self.transfer.state, event) is None:
            self._log.info("event_ignored", happened=event.value, state=self.transfer.state.value)
            return False
        entry = _Entry(event, event_id, reason, changes or _NOTHING)
        if self._waiting:  # in order, behind what waits
            self._keep(entry)
            return True
        try:
            return await self._put(entry)
        except StoreUnavailable as error:
            self._log.warning("store_unavailable", happened=event.value, detail=str(error))
            self._keep(entry)
            return True

    async def write_first(self, event: Event) -> bool:
        """As ``write``, but an event that the store did not take has not happened, and never will have."""
        try:
            return await self._put(_Entry(event))
        except StoreUnavailable as error:
            self._log.warning("store_unavailable", happened=event.value, detail=str(error))
            return False

    async def flush(self) -> None:
        """Return when nothing waits to be written."""
        if self._catching_up is not None:
            await asyncio.shield(self._catching_up)

    async def _put(self, entry: _Entry) -> bool:
        answer, transfer = await self._apply(entry)
        if answer is Answer.OK and transfer is not None:
            self.transfer = transfer
            self._on_change(transfer)
        elif answer is Answer.MISSING:
            self._advance(entry)
        return answer in (Answer.OK, Answer.MISSING)

    async def _apply(self, entry: _Entry) -> tuple[Answer, Transfer | None]:
        applied = await self._store.apply(
            self.transfer.transfer_id,
            entry.event,
            epoch=self.transfer.epoch,
            event_id=entry.event_id,
            reason=entry.reason,
            changes=entry.changes,
        )
        match applied.answer:
            case Answer.FENCED:
                self._log.error("transfer_not_ours", happened=entry.event.value)
                self.is_fenced = True
                self._on_fenced()
            case Answer.MISSING:  # a store that was emptied: the call is there all the same
                self._log.error("transfer_missing", happened=entry.event.value)
            case Answer.DUPLICATE | Answer.IGNORED:
                self._log.info("event_ignored", happened=entry.event.value, answer=applied.answer.value)
        return applied.answer, applied.transfer

    def _advance(self, entry: _Entry) -> None:
        """Take an event here alone."""
        state = next_state(self.transfer.state, entry.event)
        if state is not None:
            self.transfer = replace(self.transfer, state=state, reason=entry.reason or self.transfer.reason)
            self._on_change(self.transfer)

    def _keep(self, entry: _Entry) -> None:
        self._advance(entry)
        self._waiting.append(entry)
        if self._catching_up is None:
            self._catching_up = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        while self._waiting and not self.is_fenced:
            try:
                _, transfer = await self._apply(self._waiting[0])
            except StoreUnavailable:
                woken = asyncio.Event()
                self._call_later(RETRY_S, woken.set)
                await woken.wait()
                continue
            self._waiting.popleft()
            if transfer is not None and not self._waiting:  # until then the record here is ahead
                self.transfer = transfer
        self._waiting.clear()
        self._catching_up = None
