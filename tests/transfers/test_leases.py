"""Who is alive, and what each has in hand."""

from __future__ import annotations

from relay.transfers.leases import LEASE_S, Renewed
from tests.transfers.stores import OpenStore, new_transfer, raw


async def test_a_lease_lasts_for_three_seconds_after_it_was_renewed(open_store: OpenStore, prefix: str) -> None:
    async with open_store() as store:
        assert await store.leases.renew("n1") == Renewed(was_held=False, others=[])
        assert await store.leases.renew("n1") == Renewed(was_held=True, others=[])
        left_ms = await raw(store, "PTTL", f"{prefix}:lease:n1")
        assert LEASE_S * 1000 - 1000 < left_ms <= LEASE_S * 1000


async def test_nodes_see_each_other_and_who_has_no_lease(open_store: OpenStore) -> None:
    async with open_store() as store:
        for node in ("n1", "n2", "n3"):
            await store.leases.renew(node)
        await store.leases.end("n2")
        assert sorted((await store.leases.renew("n1")).others) == ["n2", "n3"]
        assert await store.leases.dead(["n2", "n3", "n4"]) == ["n2", "n4"]
        assert await store.leases.dead([]) == []


async def test_what_a_node_makes_it_has_in_hand_until_it_puts_it_down_with_the_room(open_store: OpenStore) -> None:
    async with open_store() as store:
        first, second = [(await store.create(new_transfer(owner="n1"))).transfer_id for _ in range(2)]
        assert (await store.leases.renew("n2")).others == ["n1"], "though it has not beaten yet"
        assert sorted(await store.leases.in_hand("n1")) == [first, second]
        await store.release_room("r", transfer_id=first)
        await store.release_room("r", transfer_id=second, node="n1")
        assert await store.leases.in_hand("n1") == [first]
        assert await store.leases.in_hand("n2") == []


async def test_who_is_struck_off_is_seen_again_with_its_next_beat(open_store: OpenStore) -> None:
    async with open_store() as store:
        left, taken = [(await store.create(new_transfer(owner="n1"))).transfer_id for _ in range(2)]
        await store.leases.strike_off("n1", [left])
        await store.leases.strike_off("n3", [])
        assert (await store.leases.renew("n2")).others == []
        assert await store.leases.in_hand("n1") == [taken]
        await store.leases.renew("n1")
        assert (await store.leases.renew("n2")).others == ["n1"]
