"""Claims have one holder at most, and allowances are as many as they say in any window."""

from __future__ import annotations

import asyncio

import pytest

from relay.errors import StoreUnavailable
from relay.transfers.store import TransferStore
from tests.transfers.stores import OpenStore, new_transfer, raw

ONE, OTHER = new_transfer().transfer_id, new_transfer().transfer_id
DAY_MS = 86_400_000


async def test_of_many_who_claim_a_room_at_once_one_holds_it(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        for room in range(20):
            ids = [new_transfer().transfer_id for _ in range(10)]
            holders = await asyncio.gather(
                *(
                    store.claim_room(f"{room}", transfer_id=transfer_id, ttl_s=30)
                    for transfer_id, store in zip(ids, [one, other] * 5, strict=True)
                )
            )
            assert len(set(holders)) == 1
            assert holders[0] in ids


async def test_of_many_who_take_over_a_room_one_gets_it(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.claim_room("r", transfer_id=ONE, ttl_s=30)
        ids = [new_transfer().transfer_id for _ in range(10)]
        taken = await asyncio.gather(
            *(store.take_over_room("r", holder=ONE, transfer_id=transfer_id, ttl_s=30) for transfer_id in ids)
        )
        assert taken.count(True) == 1
        assert await store.claim_room("r", transfer_id=OTHER, ttl_s=30) == ids[taken.index(True)]


async def test_claims_expire(open_store: OpenStore) -> None:
    async with open_store() as store:
        await store.claim_room("r", transfer_id=ONE, ttl_s=40)
        await store.claim_request("k", fingerprint="f", transfer_id=ONE, ttl_s=50)
        assert await raw(store, "PTTL", f"{store._prefix}:room:r") == pytest.approx(40_000, abs=20_000)
        await store.take_over_room("r", holder=ONE, transfer_id=OTHER, ttl_s=400)
        assert await raw(store, "PTTL", f"{store._prefix}:room:r") == pytest.approx(400_000, abs=20_000)
        assert await raw(store, "PTTL", f"{store._prefix}:request:k") == pytest.approx(50_000, abs=20_000)


@pytest.mark.parametrize("holder", ["", "x", "tr_", "tr_}{", "*" * 99])
async def test_a_claim_whose_holder_is_no_transfer_is_refused(open_store: OpenStore, holder: str) -> None:
    async with open_store() as store:
        await raw(store, "HSET", f"{store._prefix}:room:r", "holder", holder)
        with pytest.raises(StoreUnavailable, match="expected a transfer that holds it"):
            await store.claim_room("r", transfer_id=ONE, ttl_s=30)


async def test_an_allowance_is_used_up_and_says_when_to_come_again(open_store: OpenStore) -> None:
    async with open_store() as store:
        granted = [await store.take_allowance("a", per_minute=3, per_day=9) for _ in range(5)]
        assert granted[:3] == [None] * 3
        assert all(wait_s is not None and 50 < wait_s <= 60 for wait_s in granted[3:])
        assert await raw(store, "ZCARD", f"{store._prefix}:allowance:a") == 3, "what is refused takes nothing"
        assert await store.take_allowance("b", per_minute=3, per_day=9) is None, "each key has its own"


async def test_an_allowance_is_given_back_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        for attempt in ("one", "two"):
            assert await store.take_allowance("a", per_minute=2, per_day=2, attempt=attempt) is None
        for _ in range(2):
            await store.give_allowance_back("a", attempt="one")
        assert await store.take_allowance("a", per_minute=2, per_day=2, attempt="three") is None
        assert await store.take_allowance("a", per_minute=2, per_day=2, attempt="four") is not None


async def test_an_allowance_is_what_any_minute_and_any_day_leave(open_store: OpenStore) -> None:
    """The clock is Redis's: what was granted is moved into the past instead."""
    async with open_store() as store:
        key = f"{store._prefix}:allowance:a"
        for age_ms, wait_s in ((61_000, None), (59_000, 1), (1_000, 59)):
            await granted_before(store, key, [age_ms, age_ms])
            assert await store.take_allowance("a", per_minute=2, per_day=9) == (wait_s and pytest.approx(wait_s, abs=1))
        for age_ms, wait_s in ((DAY_MS + 1_000, None), (DAY_MS - 60_000, 60), (3_600_000, 23 * 3600)):
            await granted_before(store, key, [age_ms, age_ms])
            assert await store.take_allowance("a", per_minute=2, per_day=2) == (wait_s and pytest.approx(wait_s, abs=5))


async def test_what_was_granted_a_day_ago_is_forgotten(open_store: OpenStore) -> None:
    async with open_store() as store:
        key = f"{store._prefix}:allowance:a"
        await granted_before(store, key, [DAY_MS + 1_000] * 5)
        assert await store.take_allowance("a", per_minute=2, per_day=2) is None
        assert await raw(store, "ZCARD", key) == 1
        assert await raw(store, "PTTL", key) == pytest.approx(DAY_MS, abs=20_000)


async def granted_before(store: TransferStore, key: str, ages_ms: list[int]) -> None:
    seconds, _ = await raw(store, "TIME")
    now_ms = int(seconds) * 1000
    await raw(store, "DEL", key)
    await raw(
        store,
        *("ZADD", key),
        *(word for number, age_ms in enumerate(ages_ms) for word in (now_ms - age_ms, f"{number}")),
    )


async def test_of_many_who_take_the_last_of_an_allowance_one_gets_it(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        for number in range(10):
            takers = (store.take_allowance(f"{number}", per_minute=1, per_day=5) for store in [one, other] * 5)
            assert (await asyncio.gather(*takers)).count(None) == 1


@pytest.mark.parametrize(("per_minute", "per_day"), [(0, 1), (1, 0), (-1, 1)])
async def test_an_allowance_of_nothing_is_a_mistake(open_store: OpenStore, per_minute: int, per_day: int) -> None:
    async with open_store() as store:
        with pytest.raises(ValueError, match=f"got {per_minute} per minute and {per_day} per day"):
            await store.take_allowance("a", per_minute=per_minute, per_day=per_day)
