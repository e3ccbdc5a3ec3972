"""What a request claims before anything is begun: its idempotency key, its room, and one of its caller's transfers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from relay.errors import Overloaded, RequestInProgress, RequestMismatch, StoreUnavailable, TransferConflict
from relay.transfers.record import Transfer, digest
from relay.transfers.states import State
from relay.transfers.store import TransferStore

_ATTEMPTS = 3
"""Claims are compared and set: another node may have been faster, but hardly three times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """
    How to tell that a request has come before.

    Args:
        key: the caller's, made unique among callers, and no secret.
        fingerprint: of all that is asked for.
    """

    key: str
    fingerprint: str


class RequestClaims:
    """
    One answer per key: the first request's.

    Args:
        store: where claims are.
        ttl_s: how long a key is remembered; its transfer may be forgotten before.
        close_if_lost: ends a transfer that is stored as live and is not; False: it is.
    """

    def __init__(
        self, store: TransferStore, *, ttl_s: float, close_if_lost: Callable[[Transfer], Awaitable[bool]]
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._close_if_lost = close_if_lost
        self._in_progress: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def claim(self, request: RequestKey, transfer_id: str) -> AsyncIterator[Transfer | None]:
        """
        Hold a key while its request is answered; an answer that fails gives it back.

        Yields:
            The transfer that the key has made before, as it was then, or None: make ``transfer_id``.

        Raises:
            RequestMismatch: it came with another request.
            RequestInProgress: another node is answering it.
            StoreUnavailable: nobody can say.
        """
        while request.key in self._in_progress:
            await asyncio.wait([self._in_progress[request.key]])
        done = self._in_progress[request.key] = asyncio.get_running_loop().create_future()
        try:
            before = await self._take(request, transfer_id)
            try:
                yield before
            except BaseException:
                with suppress(StoreUnavailable):  # a claim without a transfer is taken over
                    await self._store.release_request(request.key, transfer_id=transfer_id)
                raise
        finally:
            del self._in_progress[request.key]
            done.set_result(None)

    async def _take(self, request: RequestKey, transfer_id: str) -> Transfer | None:
        for _ in range(_ATTEMPTS):
            claim = await self._store.claim_request(
                request.key, fingerprint=request.fingerprint, transfer_id=transfer_id, ttl_s=self._ttl_s
            )
            if claim.is_new:
                return None
            if claim.fingerprint != request.fingerprint:
                raise RequestMismatch("expected the request that this key came with before, got another")
            before = await self._store.get(claim.holder)
            if before is not None:
                await self._close_if_lost(before)  # who asks again waits for its end
                return _as_requested(before)
            # Its transfer was never made, or has been forgotten.
            await self._store.release_request(request.key, transfer_id=claim.holder)
        raise RequestInProgress("expected an answered request, got one that is being answered elsewhere")


class RoomClaims:
    """
    One live transfer per room.

    Args:
        store: where claims are.
        is_live: whether a transfer is going on, or is being made, on this node.
        close_if_lost: ends a transfer that is stored as live and is not; False: it is.
    """

    def __init__(
        self,
        store: TransferStore,
        *,
        is_live: Callable[[str], bool],
        close_if_lost: Callable[[Transfer], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._is_live = is_live
        self._close_if_lost = close_if_lost

    async def claim(self, room_url: str, transfer_id: str, *, ttl_s: float) -> None:
        """
        Claim a room for a transfer.

        Raises:
            TransferConflict: it has a live one.
            StoreUnavailable: nobody can say.
        """
        key = digest(room_url)
        holder = ""
        for _ in range(_ATTEMPTS):
            holder = await self._store.claim_room(key, transfer_id=transfer_id, ttl_s=ttl_s)
            if holder == transfer_id:
                return
            before = await self._store.get(holder)
            is_over = before is not None and before.is_terminal
            if self._is_live(holder) and not is_over:
                raise TransferConflict(holder)
            if before is not None and not await self._close_if_lost(before):
                raise TransferConflict(holder)  # it goes on at another node
            if await self._store.take_over_room(key, holder=holder, transfer_id=transfer_id, ttl_s=ttl_s):
                return
        raise TransferConflict(holder)

    async def release(self, room_url: str, transfer_id: str, *, node: str | None = None) -> None:
        """Give a room back, if this transfer still holds it; ``node``: who had it in hand, and has no longer."""
        with suppress(StoreUnavailable):  # whoever claims it next finds that the transfer is over, and takes it over
            await self._store.release_room(digest(room_url), transfer_id=transfer_id, node=node)


class Allowances:
    """
    How many transfers each caller may ask for.

    Args:
        store: where those are counted that were.
        per_minute, per_day: so many in any minute, and in any day.
    """

    def __init__(self, store: TransferStore, *, per_minute: int, per_day: int) -> None:
        self._store = store
        self._per_minute = per_minute
        self._per_day = per_day

    async def take(self, whose: str, transfer_id: str) -> None:
        """
        Count a transfer.

        Raises:
            Overloaded: it would be one too many.
            StoreUnavailable: nobody can say.
        """
        wait_s = await self._store.take_allowance(
            whose, per_minute=self._per_minute, per_day=self._per_day, attempt=transfer_id
        )
        if wait_s is not None:
            raise Overloaded("this key's transfers are used up for now", retry_after_s=wait_s, is_allowance=True)

    async def give_back(self, whose: str, transfer_id: str) -> None:
        """Count it no longer: nothing has come of it."""
        with suppress(StoreUnavailable):  # one too few, for a day at most
            await self._store.give_allowance_back(whose, attempt=transfer_id)


def _as_requested(transfer: Transfer) -> Transfer:
    requested_ms = transfer.times_ms.get(State.REQUESTED, 0)
    return replace(
        transfer,
        state=State.REQUESTED,
        version=1,
        provider_call_id=None,
        reason=None,
        provider_code=None,
        reconnecting=False,
        streams=0,
        times_ms={State.REQUESTED: requested_ms},
        updated_ms=requested_ms,
    )
