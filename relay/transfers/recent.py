"""The index of the newest transfers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

import structlog

from relay.errors import StoreUnavailable
from relay.transfers.lines import Command
from relay.transfers.record import TRANSFER_ID, Transfer
from relay.transfers.stored import read_transfer, transfer_key

RECENT_KEPT: Final = 10_000
"""So many are read at once, of all."""
Ask: TypeAlias = Callable[[Sequence[Command]], Awaitable[list[Any]]]

_log = structlog.get_logger(__name__)


class RecentTransfers:
    """
    The newest transfers by their ids, which are in the order of time. Expired ones are dropped when they are met.

    Args:
        prefix: of the keys.
        ask: sends commands; raises ``StoreUnavailable``.
    """

    def __init__(self, prefix: str, *, ask: Ask) -> None:
        self._prefix = prefix
        self._index = f"{prefix}:recent"
        self._ask = ask

    def adding(self, transfer_id: str) -> list[Command]:
        """Return the commands that add a transfer. All have the same score, so that the ids decide the order."""
        return [("ZADD", self._index, 0, transfer_id), ("ZREMRANGEBYRANK", self._index, 0, -RECENT_KEPT - 1)]

    async def read(self, limit: int) -> list[Transfer]:
        """Return the newest that can still be read, newest first."""
        found: list[Transfer] = []
        if limit > 0:
            async for transfer in self._each(limit):
                found.append(transfer)
                if len(found) == limit:
                    break
        return found

    async def _each(self, page: int) -> AsyncIterator[Transfer]:
        """All that can still be read, newest first, ``page`` of them at once; one may come twice."""
        start = 0
        while True:
            (members,) = await self._ask([("ZREVRANGE", self._index, start, start + page - 1)])
            if not members:
                return
            kept, gone = await self._look_up([member.decode(errors="replace") for member in members])
            if gone:
                await self._ask([("ZREM", self._index, *gone)])
            for transfer in kept:
                yield transfer
            start += len(members) - len(gone)

    async def _look_up(self, members: Sequence[str]) -> tuple[list[Transfer], list[str]]:
        """Return the transfers among these, and what is none any more."""
        ids = [member for member in members if TRANSFER_ID.fullmatch(member)]
        kept, gone = [], [member for member in members if member not in ids]
        flats = await self._ask([("HGETALL", transfer_key(self._prefix, one)) for one in ids]) if ids else []
        for one, flat in zip(ids, flats, strict=True):
            try:
                transfer = read_transfer(one, flat)
            except StoreUnavailable as error:  # the others can be shown all the same
                _log.warning("transfer_unreadable", transfer_id=one, error=str(error))
                continue
            if transfer is None:
                gone.append(one)
            else:
                kept.append(transfer)
        return kept, gone
