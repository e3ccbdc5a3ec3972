"""The newest transfers."""

from __future__ import annotations

from relay.transfers import recent
from relay.transfers.states import State
from tests.transfers.stores import OpenStore, key_of, raw, stored_in


async def test_the_newest_come_first(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfers = [await stored_in(store, State.REQUESTED) for _ in range(5)]
        assert await store.recent(3) == transfers[:1:-1]
        assert await store.recent(99) == transfers[::-1]
        assert await store.recent(0) == []


async def test_what_has_expired_is_passed_over_and_forgotten(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfers = [await stored_in(store, State.REQUESTED) for _ in range(6)]
        for gone in transfers[1::2]:
            await raw(store, "DEL", key_of(store, gone.transfer_id))
        assert await store.recent(2) == [transfers[4], transfers[2]]
        assert await store.recent(9) == transfers[4::-2]
        assert await raw(store, "ZCARD", f"{store._prefix}:recent") == 3


async def test_what_is_no_transfer_is_forgotten(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        await raw(store, "ZADD", f"{store._prefix}:recent", 0, "x}{", 0, transfer.transfer_id + "\r\n")
        assert await store.recent(9) == [transfer]
        assert await raw(store, "ZCARD", f"{store._prefix}:recent") == 1


async def test_the_index_does_not_grow_for_ever(open_store: OpenStore) -> None:
    async with open_store() as store:
        members = [word for number in range(recent.RECENT_KEPT) for word in (0, f"tr_{number:032x}")]
        await raw(store, "ZADD", f"{store._prefix}:recent", *members)
        transfer = await stored_in(store, State.REQUESTED)
        assert await raw(store, "ZCARD", f"{store._prefix}:recent") == recent.RECENT_KEPT
        assert (await raw(store, "ZREVRANGE", f"{store._prefix}:recent", 0, 0))[0].decode() == transfer.transfer_id
