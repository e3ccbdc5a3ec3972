"""The writing side of one transfer: its record here, and in the store as soon as the store takes it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from structlog.typing import FilteringBoundLogger

from relay.errors import StoreUnavailable
from relay.transfers.clock import CallLater, pause
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, next_state
from relay.transfers.store import Answer, TransferStore

RETRY_S: Final = 0.5
REFUSALS_MAX: Final = 20
"""So often a store that answers others may refuse one entry: 10 s."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Entry:
    """``event_id`` is the same whenever the entry is tried again: one whose answer was lost is not written twice."""

    event: Event
    event_id: str
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
        on_fenced: told, once, that the transfer is another owner's now, or was ended by one.
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
        self._own_ids = (f"relay/{transfer.epoch}/{number}" for number in itertools.count())
        self._waiting: deque[_Entry] = deque()
        self._catching_up: asyncio.Task[None] | None = None
        self._go_on = asyncio.Event()
        self._has_given_up = False
        self.is_fenced = False
        self.is_behind = False
        """The store has not taken all, and never will."""

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
        entry = _Entry(event, event_id or next(self._own_ids), reason, changes or _NOTHING)
        if self._waiting:  # in order, behind what waits
            self._keep(entry)
            return True
        try:
            answer = await self._put(entry)
        except StoreUnavailable as error:
            self._log.warning("store_unavailable", happened=event.value, detail=str(error))
            self._keep(entry)
            return True
        if answer is Answer.MISSING:  # a store that was emptied: the call is there all the same
            self._advance(entry)
        return answer in (Answer.OK, Answer.MISSING)

    async def write_first(self, event: Event) -> bool:
        """As ``write``, but an event that the store did not take has not happened, and never will have."""
        try:
            return await self._put(_Entry(event, next(self._own_ids))) is Answer.OK
        except StoreUnavailable as error:
            self._log.warning("store_unavailable", happened=event.value, detail=str(error))
            return False

    async def look(self) -> None:
        """
        See whether the transfer is still ours, though there is nothing to write.

        Raises:
            StoreUnavailable: nobody can say.
        """
        stored = await self._store.get(self.transfer.transfer_id)
        if stored is not None and stored.epoch != self.transfer.epoch and not self.is_fenced:
            self._log.error("transfer_not_ours", epoch=stored.epoch, state=stored.state.value)
            self._fence(stored)

    async def flush(self) -> None:
        """Return when nothing waits to be written, or it was given up."""
        if self._catching_up is not None:
            await asyncio.shield(self._catching_up)

    def give_up(self) -> None:
        """Do not wait for the store any longer: what it has not taken is lost, and that is logged."""
        self._has_given_up = True
        self._go_on.set()

    async def _put(self, entry: _Entry) -> Answer:
        answer, transfer = await self._apply(entry)
        if answer is Answer.OK and transfer is not None:
            self.transfer = transfer
            self._on_change(transfer)
        return answer

    async def _apply(self, entry: _Entry) -> tuple[Answer, Transfer | None]:
        applied = await self._store.apply(
            self.transfer.transfer_id,
            entry.event,
            epoch=self.transfer.epoch,
            event_id=entry.event_id,
            reason=entry.reason,
            changes=entry.changes,
        )
        stored = applied.transfer
        is_ended = stored is not None and stored.is_terminal and not self.transfer.is_terminal
        if applied.answer is Answer.FENCED or (applied.answer is Answer.IGNORED and is_ended):
            self._log.error("transfer_not_ours", happened=entry.event.value, answer=applied.answer.value)
            self._fence(stored or self.transfer)
        elif applied.answer is not Answer.OK:
            self._log.info("event_ignored", happened=entry.event.value, answer=applied.answer.value)
        return applied.answer, applied.transfer

    def _fence(self, stored: Transfer) -> None:
        self.transfer = stored
        self.is_fenced = True
        self._on_fenced()

    # While the store is away

    def _keep(self, entry: _Entry) -> None:
        self._advance(entry)
        self._waiting.append(entry)
        if self._catching_up is None:
            self._catching_up = asyncio.create_task(self._catch_up())

    def _advance(self, entry: _Entry) -> None:
        """Take an event here alone."""
        before = self.transfer
        state = next_state(before.state, entry.event)
        if state is None:
            return
        self.transfer = replace(
            before,
            state=state,
            version=before.version + 1,
            reason=entry.reason or before.reason,
            provider_call_id=entry.changes.get("provider_call_id", before.provider_call_id),
            provider_code=entry.changes.get("provider_code", before.provider_code),
            reconnecting=entry.event is Event.MEDIA_LOST or (before.reconnecting and entry.event is Event.PLACED),
        )
        self._on_change(self.transfer)

    async def _catch_up(self) -> None:
        refusals = 0
        try:
            while self._waiting and not self.is_fenced:
                try:
                    _, transfer = await self._apply(self._waiting[0])
                except StoreUnavailable:
                    refusals = refusals + 1 if self._store.is_available else 0
                    if self._has_given_up or refusals == REFUSALS_MAX:
                        self.is_behind = True
                        self._log.error("events_lost", lost=[entry.event.value for entry in self._waiting])
                        return
                    await pause(self._call_later, RETRY_S, self._go_on)
                    continue
                refusals = 0
                self._waiting.popleft()
                if transfer is not None and not self._waiting:  # until then the record here is ahead
                    self.transfer = transfer
        finally:
            self._waiting.clear()
            self._catching_up = None
