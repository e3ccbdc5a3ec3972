"""What a request claims: one answer per key, one live transfer per room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from relay.errors import RequestInProgress, RequestMismatch, TransferConflict
from relay.transfers.claims import RequestClaims, RequestKey, RoomClaims
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.stores import OpenStore, new_transfer, stored_in

KEY = RequestKey(key="bot/call-1", fingerprint="f")
ROOM = "https://example.daily.co/support"
TTL_S = 60.0


class BusyStore(TransferStore):
    """Another node is always faster."""

    async def release_request(self, key: str, *, transfer_id: str) -> None:
        await super().release_request(key, transfer_id=transfer_id)
        await super().claim_request(key, fingerprint="f", transfer_id=new_id(), ttl_s=TTL_S)

    async def take_over_room(self, key: str, *, holder: str, transfer_id: str, ttl_s: float) -> bool:
        await super().take_over_room(key, holder=holder, transfer_id=new_id(), ttl_s=ttl_s)
        return await super().take_over_room(key, holder=holder, transfer_id=transfer_id, ttl_s=ttl_s)


def new_id() -> str:
    return new_transfer().transfer_id


async def leave(_: Transfer) -> bool:
    """Nobody looks after what is lost."""
    return True


def requests_of(store: TransferStore, close_if_lost: Callable[[Transfer], Awaitable[bool]] = leave) -> RequestClaims:
    return RequestClaims(store, ttl_s=TTL_S, close_if_lost=close_if_lost)


def rooms_of(
    store: TransferStore, *live: str, close_if_lost: Callable[[Transfer], Awaitable[bool]] = leave
) -> RoomClaims:
    return RoomClaims(store, is_live=lambda transfer_id: transfer_id in live, close_if_lost=close_if_lost)


async def make(store: TransferStore, claims: RequestClaims, request: RequestKey = KEY) -> tuple[Transfer, bool]:
    """Answer a request as the coordinator does: the transfer, and whether it is a new one."""
    transfer = new_transfer()
    async with claims.claim(request, transfer.transfer_id) as before:
        return (before, False) if before is not None else (await store.create(transfer), True)


# Requests


async def test_a_request_that_comes_again_gets_the_transfer_as_it_was_when_it_was_made(open_store: OpenStore) -> None:
    async with open_store() as store:
        claims = requests_of(store)
        first, is_new = await make(store, claims)
        assert is_new
        await store.apply(first.transfer_id, Event.DIALED, epoch=1)
        await store.apply(first.transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": "CA1"})
        await store.apply(first.transfer_id, Event.ENDED, epoch=1, reason=Reason.BUSY, changes={"provider_code": "486"})
        assert await make(store, claims) == (first, False)


async def test_a_key_that_comes_with_another_request_is_refused(open_store: OpenStore) -> None:
    async with open_store() as store:
        claims = requests_of(store)
        await make(store, claims)
        with pytest.raises(RequestMismatch):
            await make(store, claims, RequestKey(key=KEY.key, fingerprint="another"))
        _, is_new = await make(store, claims, RequestKey(key="another", fingerprint="f"))
        assert is_new


async def fail(claims: RequestClaims, before: Callable[[], Awaitable[None]] | None = None) -> None:
    async with claims.claim(KEY, new_id()):
        if before is not None:
            await before()
        raise RuntimeError("no bridge")


async def test_a_request_that_fails_gives_its_key_back(open_store: OpenStore) -> None:
    async with open_store() as store:
        claims = requests_of(store)
        with pytest.raises(RuntimeError, match="no bridge"):
            await fail(claims)
        _, is_new = await make(store, claims, RequestKey(key=KEY.key, fingerprint="another"))
        assert is_new


async def test_a_request_that_fails_says_why_though_the_store_has_gone(open_store: OpenStore) -> None:
    async with open_store() as store:
        with pytest.raises(RuntimeError, match="no bridge"):
            await fail(requests_of(store), store.close)


async def test_a_claim_whose_transfer_was_never_made_is_taken_over(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.claim_request(KEY.key, fingerprint=KEY.fingerprint, transfer_id=new_id(), ttl_s=TTL_S)
        _, is_new = await make(store, requests_of(store))
        assert is_new


async def test_a_claim_that_another_node_always_takes_first_is_in_progress(redis_url: str, prefix: str) -> None:
    store = BusyStore(redis_url, prefix=prefix)
    await store.open()
    await store.claim_request(KEY.key, fingerprint=KEY.fingerprint, transfer_id=new_id(), ttl_s=TTL_S)
    with pytest.raises(RequestInProgress):
        await make(store, requests_of(store))
    await store.close()


async def test_requests_of_one_key_are_answered_one_after_the_other(open_store: OpenStore) -> None:
    async with open_store() as store:
        claims = requests_of(store)
        made = await asyncio.gather(*(make(store, claims) for _ in range(8)))
        assert sorted(is_new for _, is_new in made) == [False] * 7 + [True]
        assert len({transfer.transfer_id for transfer, _ in made}) == 1


async def test_a_request_that_is_given_up_lets_the_next_one_in(open_store: OpenStore) -> None:
    async with open_store() as store:
        claims, is_inside = requests_of(store), asyncio.Event()

        async def hold() -> None:
            async with claims.claim(KEY, new_id()):
                is_inside.set()
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await is_inside.wait()
        next_one = asyncio.create_task(make(store, claims))
        holding.cancel()
        _, is_new = await next_one
        assert is_new
        assert holding.cancelled()


async def test_who_asks_again_for_a_transfer_whose_node_is_gone_ends_it(open_store: OpenStore) -> None:
    async with open_store() as store:
        lost: list[str] = []

        async def close(transfer: Transfer) -> bool:
            lost.append(transfer.transfer_id)
            return True

        claims = requests_of(store, close)
        transfer, _ = await make(store, claims)
        await make(store, claims)
        assert lost == [transfer.transfer_id]


# Rooms


async def test_a_room_has_one_live_transfer(open_store: OpenStore) -> None:
    async with open_store() as store:
        first, second = await stored_in(store, State.RINGING), new_id()
        rooms = rooms_of(store, first.transfer_id)
        await rooms.claim(ROOM, first.transfer_id, ttl_s=TTL_S)
        await rooms.claim(ROOM, first.transfer_id, ttl_s=TTL_S)
        with pytest.raises(TransferConflict) as conflict:
            await rooms.claim(ROOM, second, ttl_s=TTL_S)
        assert conflict.value.transfer_id == first.transfer_id
        await rooms.claim(ROOM + "/other", second, ttl_s=TTL_S)


async def test_a_room_whose_transfer_is_being_made_is_taken(open_store: OpenStore) -> None:
    async with open_store() as store:
        beginning = new_id()
        rooms = rooms_of(store, beginning)
        await rooms.claim(ROOM, beginning, ttl_s=TTL_S)
        with pytest.raises(TransferConflict):
            await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)


@pytest.mark.parametrize("state", [State.CANCELED, State.FAILED, State.DISCONNECTED])
@pytest.mark.parametrize("is_still_here", [True, False])
async def test_a_room_whose_transfer_is_over_is_taken_over(
    open_store: OpenStore,
    state: State,
    is_still_here: bool,  # noqa: FBT001
) -> None:
    """Its phone may be on its way out: that is no reason to wait."""
    async with open_store() as store:
        over = await stored_in(store, state)
        rooms = rooms_of(store, *([over.transfer_id] if is_still_here else []))
        await rooms.claim(ROOM, over.transfer_id, ttl_s=TTL_S)
        successor = new_id()
        await rooms.claim(ROOM, successor, ttl_s=TTL_S)
        await rooms.release(ROOM, over.transfer_id)  # as it does when it is through: it is not its room any longer
        with pytest.raises(TransferConflict):
            await rooms_of(store, successor).claim(ROOM, new_id(), ttl_s=TTL_S)


async def test_a_room_whose_transfer_is_lost_is_taken_over_when_that_is_ended(open_store: OpenStore) -> None:
    async with open_store() as store:
        lost = await stored_in(store, State.JOINED)

        async def close(transfer: Transfer) -> bool:
            await store.apply(transfer.transfer_id, Event.ENDED, epoch=1, reason=Reason.NODE_LOST)
            return True

        rooms = rooms_of(store, close_if_lost=close)
        await rooms.claim(ROOM, lost.transfer_id, ttl_s=TTL_S)
        await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)
        ended = await store.get(lost.transfer_id)
        assert ended is not None
        assert ended.reason is Reason.NODE_LOST


async def test_a_room_whose_transfer_goes_on_elsewhere_is_refused_with_its_id(open_store: OpenStore) -> None:
    async def go_on(_: Transfer) -> bool:
        return False

    async with open_store() as store:
        foreign = await stored_in(store, State.JOINED)
        rooms = rooms_of(store, close_if_lost=go_on)
        await rooms.claim(ROOM, foreign.transfer_id, ttl_s=TTL_S)
        for _ in range(2):
            with pytest.raises(TransferConflict, match=foreign.transfer_id):
                await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)


async def test_a_room_whose_transfer_was_never_made_is_taken_over(open_store: OpenStore) -> None:
    async with open_store() as store:
        rooms = rooms_of(store)
        await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)
        await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)


async def test_a_room_that_is_given_back_is_free(open_store: OpenStore) -> None:
    async with open_store() as store:
        first, second = new_id(), new_id()
        rooms = rooms_of(store, first, second)
        await rooms.claim(ROOM, first, ttl_s=TTL_S)
        await rooms.release(ROOM, first)
        await rooms.claim(ROOM, second, ttl_s=TTL_S)


async def test_a_room_that_another_node_always_takes_first_is_taken(redis_url: str, prefix: str) -> None:
    store = BusyStore(redis_url, prefix=prefix)
    await store.open()
    rooms = rooms_of(store)
    await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)
    with pytest.raises(TransferConflict):
        await rooms.claim(ROOM, new_id(), ttl_s=TTL_S)
    await store.close()


async def test_a_room_is_given_back_without_a_word_when_the_store_has_gone(open_store: OpenStore) -> None:
    async with open_store() as store:
        rooms, transfer_id = rooms_of(store), new_id()
        await rooms.claim(ROOM, transfer_id, ttl_s=TTL_S)
        await store.close()
        await rooms.release(ROOM, transfer_id)
