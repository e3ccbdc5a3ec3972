"""
The transfers in Redis: everything that is written, read and waited for.

Whatever goes wrong with Redis is ``StoreUnavailable``, within about a second: it is down, does not answer, takes no
writes, or holds what relay has not written. It is used again by itself as soon as it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from relay.errors import StoreUnavailable
from relay.transfers import scripts, stored
from relay.transfers.answer import Answer, Applied
from relay.transfers.door import REFUSAL, Door
from relay.transfers.eviction import EvictionCheck
from relay.transfers.leases import Leases
from relay.transfers.lines import Command
from relay.transfers.news import News, Subscription
from relay.transfers.reasons import Reason
from relay.transfers.recent import RecentTransfers
from relay.transfers.record import TRANSFER_ID, LoggedEvent, Transfer
from relay.transfers.scripts import Script
from relay.transfers.states import Event
from relay.transfers.stored_claims import Claim, ClaimStore

__all__ = ["Answer", "Applied", "Claim", "Subscription", "TransferStore"]

KEEP_S: Final = 3600
LIVE_S: Final = 48 * 3600
"""Twice as long as carriers let a call be (24 h): a live transfer does not expire, one whose node died does."""
_ENTRY_ID: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class TransferStore(ClaimStore):
    """
    All transfers, as one node sees and changes them.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix:///path?db=0``.
        prefix: of all keys, for a Redis that is shared.
        keep_s: how long a transfer can be read after it is over.
        live_s: how long one can be read to which nothing happens any more.
    """

    def __init__(self, url: str, *, prefix: str = "relay", keep_s: int = KEEP_S, live_s: int = LIVE_S) -> None:
        self._door = Door(url)
        name = os.urandom(8).hex()
        numbers = itertools.count()
        super().__init__(prefix, run=self._door.run, new_attempt=lambda: f"{name}:{next(numbers)}")
        self._live_s = live_s
        check = EvictionCheck(self._door.ask, refusal=REFUSAL)
        self._news = News(prefix, node=name, write=self._door.ask, read=self._door.ask_as_reader, on_met=check.look)
        self._recent = RecentTransfers(prefix, ask=self._door.ask)
        self.leases = Leases(prefix, ask=self._door.ask)
        self._sources = {event: stored.sources_text(event, keep_s=keep_s, live_s=live_s) for event in Event}

    async def open(self) -> None:
        """Try to reach Redis and begin to follow the news; does not raise if it cannot be reached."""
        await self._news.open()

    async def close(self) -> None:
        """Let go of Redis. Whoever still waits gets ``StoreUnavailable``."""
        await self._news.close()
        await self._door.close()

    @property
    def is_available(self) -> bool:
        """Whether Redis answered, and took a write, when it was used last: that is within a second or so."""
        return self._door.health.is_good

    async def ping(self) -> bool:
        """Return whether Redis answers and takes a write now."""
        with contextlib.suppress(StoreUnavailable):
            await self._door.ask([("SET", f"{self._prefix}:alive", 1, "EX", 10)])
            return True
        return False

    # Transfers

    async def create(self, transfer: Transfer) -> Transfer:
        """
        Store a new transfer, which its owner has in hand then; its times are Redis's.

        Raises:
            ValueError: there is one of this id, or the id is none.
        """
        if not TRANSFER_ID.fullmatch(transfer.transfer_id):
            raise ValueError(f"expected a transfer id, got {transfer.transfer_id[:80]!r}")
        head = (self._new_attempt(), self._live_s, transfer.state, transfer.version)
        index = [
            *self._recent.adding(transfer.transfer_id),
            *self.leases.taking(transfer.owner, transfer.transfer_id),
        ]
        arguments = (*head, *stored.flatten_new(transfer))
        applied = await self._transition(scripts.CREATE, transfer.transfer_id, arguments, also=index)
        if applied.answer is not Answer.OK or applied.transfer is None:
            raise ValueError(f"expected a new transfer, got {transfer.transfer_id}, which is there already")
        return applied.transfer

    async def apply(
        self,
        transfer_id: str,
        event: Event,
        *,
        epoch: int,
        event_id: str = "",
        reason: Reason | None = None,
        changes: Mapping[str, str] = _NOTHING,
        takes_over: bool = False,
    ) -> Applied:
        """
        Let an event happen to a transfer, once.

        Args:
            transfer_id: whose.
            event: what happens; where it counts, and what follows, the table says.
            epoch: of the owner who writes.
            event_id: the same event comes with the same id; without one, every call is an event of its own.
            reason: kept with the transfer.
            changes: what the event brings: ``provider_call_id``, ``provider_code``.
            takes_over: with it the transfer goes to the next epoch, and who owned it is fenced off.
        """
        if not changes.keys() <= stored.CHANGEABLE:
            raise ValueError(f"expected changes of {sorted(stored.CHANGEABLE)}, got {sorted(changes)}")
        attempt = self._new_attempt()
        seen_as = f"event:{event_id}" if event_id else f"attempt:{attempt}"
        changed = (reason or "", stored.reconnecting_text(event), self._sources[event])
        head = (stored.SCHEMA, epoch, seen_as, attempt, event, *changed)
        taken = {"epoch": str(epoch + 1)} if takes_over else {}
        pairs = itertools.chain.from_iterable((dict(changes) | taken).items())
        return await self._transition(scripts.APPLY, transfer_id, (*head, *pairs))

    async def get(self, transfer_id: str) -> Transfer | None:
        """Return a transfer; None: there is none of this id, or it is over for long."""
        if not TRANSFER_ID.fullmatch(transfer_id):
            return None
        (flat,) = await self._door.ask([("HGETALL", stored.transfer_key(self._prefix, transfer_id))])
        return stored.read_transfer(transfer_id, flat)

    async def recent(self, limit: int) -> list[Transfer]:
        """Return the newest transfers that can still be read, newest first."""
        return await self._recent.read(limit)

    async def events(self, transfer_id: str, *, after: str = "") -> list[LoggedEvent]:
        """Return what has happened to a transfer, oldest first, from the start or after an ``entry_id``."""
        if not TRANSFER_ID.fullmatch(transfer_id):
            return []
        # What is no entry's id comes from a client that makes it up: it gets everything.
        start = f"({after}" if _ENTRY_ID.fullmatch(after) else "-"
        (entries,) = await self._door.ask(
            [("XRANGE", f"{stored.transfer_key(self._prefix, transfer_id)}:events", start, "+")]
        )
        return [stored.read_event(transfer_id, entry) for entry in entries]

    # Waiting

    async def wait(self, transfer_id: str, met: Callable[[Transfer], bool], *, timeout_s: float) -> Transfer | None:
        """Return a transfer as soon as it is ``met``, or as it is when the time is over; None: there is none."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        async with self.news(transfer_id) as news:
            transfer = await self.get(transfer_id)
            while transfer is not None and not met(transfer):
                if not await news.changed(deadline_s - asyncio.get_running_loop().time()):
                    return await self.get(transfer_id)
                if isinstance(news.latest, StoreUnavailable):
                    raise news.latest
                transfer = news.latest
            return transfer

    @contextlib.asynccontextmanager
    async def news(self, transfer_id: str) -> AsyncIterator[Subscription]:
        """Be told when a transfer changes, on whatever node. What is read within the context is not missed."""
        with self._news.subscriptions.to(transfer_id) as subscription:
            yield subscription

    # Tokens of media sockets

    async def mint(self, transfer_id: str, *, epoch: int, stream: int, token_sha256: str, ttl_s: float) -> Answer:
        """
        Let a token open the transfer's media stream of this number, once, within ``ttl_s``; an earlier token no more.

        Ignored if the transfer is over, or this is neither the next stream nor the present one: the one that has been
        asked for and not been opened. That may be asked for again, when the same token is good for longer, or be passed
        over by the next.
        """
        arguments = (stored.SCHEMA, epoch, stream, token_sha256, max(1, round(ttl_s * 1000)), stored.LIVE_STATES)
        return (await self._transition(scripts.MINT, transfer_id, arguments)).answer

    async def consume(self, transfer_id: str, *, token_sha256: str) -> Answer:
        """Use a token up: its stream is the last one then. Ignored if it is wrong, used or too old, or all is over."""
        arguments = (stored.SCHEMA, token_sha256, self._new_attempt(), stored.LIVE_STATES)
        return (await self._transition(scripts.CONSUME, transfer_id, arguments)).answer

    async def _transition(
        self, script: Script, transfer_id: str, arguments: Sequence[str | int], *, also: Sequence[Command] = ()
    ) -> Applied:
        if not TRANSFER_ID.fullmatch(transfer_id):
            return Applied(Answer.MISSING, None)
        key = stored.transfer_key(self._prefix, transfer_id)
        keys = (key, f"{key}:events", f"{key}:seen")
        also = (*also, self._news.hint(transfer_id))
        try:
            answer, flat = await self._door.run(script, keys, arguments, also=also)
        except StoreUnavailable:
            self._news.doubt(transfer_id)
            raise
        transfer = stored.read_transfer(transfer_id, flat)  # raises for all that is "unreadable"
        if transfer is not None:  # "duplicate" and "ignored", too: what was done then may have been told to nobody
            self._news.tell(transfer)
        return Applied(Answer(answer.decode()), transfer)
