"""Waiters are woken on the node that writes and on the others, by few connections."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from relay.errors import StoreUnavailable
from relay.transfers.news import Subscription, Subscriptions
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.redis_servers import RedisServer
from tests.transfers.stores import OpenStore, new_transfer, raw, started_wait, stored_in

NEVER_MADE = "tr_" + "0" * 32


async def test_a_wait_that_is_met_ends_at_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        assert await store.wait(transfer.transfer_id, lambda _: True, timeout_s=0) == transfer


async def test_a_wait_ends_with_its_time_and_the_transfer_as_it_is(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        for timeout_s in (0.0, -1.0, 0.01):
            assert await store.wait(transfer.transfer_id, lambda _: False, timeout_s=timeout_s) == transfer


async def test_nobody_waits_for_what_was_never_made(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert await store.wait(NEVER_MADE, lambda _: False, timeout_s=25) is None


@pytest.mark.parametrize("is_other_node", [False, True], ids=["same node", "another node"])
async def test_each_of_many_waiters_is_woken_when_what_it_waits_for_is_there(
    open_store: OpenStore, *, is_other_node: bool
) -> None:
    async with open_store() as writer, open_store() as other:
        reader = other if is_other_node else writer
        transfer = await stored_in(writer, State.REQUESTED)
        states = [State.RINGING, State.ANSWERED, State.JOINED, State.DISCONNECTED]
        waiting = [
            await started_wait(reader, transfer.transfer_id, lambda found, state=state: found.state is state)  # type: ignore[misc]  # mypy does not see the default
            for state in states
            for _ in range(10)
        ]
        for event, state in zip((Event.RANG, Event.ANSWERED, Event.JOINED, Event.ENDED), states, strict=True):
            if state is State.RINGING:
                await writer.apply(transfer.transfer_id, Event.DIALED, epoch=1)
            await writer.apply(transfer.transfer_id, event, epoch=1)
            woken = [await task for task in waiting[:10]]
            del waiting[:10]
            assert [found.state for found in woken if found] == [state] * 10


async def test_one_node_tells_another_of_any_of_many_transfers(open_store: OpenStore) -> None:
    async with open_store() as writer, open_store() as reader:
        transfers = [await stored_in(writer, State.RINGING) for _ in range(150)]
        waiting = [await started_wait(reader, one.transfer_id, lambda found: found.is_terminal) for one in transfers]
        await asyncio.gather(*(writer.apply(one.transfer_id, Event.ENDED, epoch=1) for one in transfers))
        assert {found.state for task in waiting if (found := await task)} == {State.FAILED}


async def test_waiters_of_a_node_share_two_connections(own_server: RedisServer) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfers = [await stored_in(store, State.RINGING) for _ in range(100)]
        waiting = [await started_wait(store, one.transfer_id, lambda found: found.is_terminal) for one in transfers]
        assert await connections(store) <= 2
        await asyncio.gather(*(store.apply(one.transfer_id, Event.ENDED, epoch=1) for one in transfers))
        await asyncio.gather(*waiting)
        assert await connections(store) == 2


async def connections(store: TransferStore) -> int:
    return len((await raw(store, "CLIENT", "LIST")).splitlines())


async def test_a_subscription_tells_every_change_after_it_began(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        async with store.news(transfer.transfer_id) as news:
            assert not await news.changed(0)
            for event in (Event.RANG, Event.ANSWERED):
                await store.apply(transfer.transfer_id, event, epoch=1)
                assert await news.changed(5)
            assert not await news.changed(0)


async def test_a_stream_that_was_trimmed_or_lost_goes_on(open_store: OpenStore) -> None:
    async with open_store() as writer, open_store() as reader:
        transfer = await stored_in(writer, State.RINGING)
        waiting = await started_wait(reader, transfer.transfer_id, lambda found: found.is_terminal)
        await raw(writer, "DEL", f"{writer._prefix}:news")
        await writer.apply(transfer.transfer_id, Event.ENDED, epoch=1)
        ended = await waiting
        assert ended is not None
        assert ended.state is State.FAILED


async def test_hints_that_relay_would_not_have_written_wake_nobody(open_store: OpenStore) -> None:
    async with open_store() as store, open_store() as other:
        transfer = await stored_in(store, State.RINGING)
        waiting = await started_wait(other, transfer.transfer_id, lambda found: found.is_terminal)
        for hint in (("x", "y"), ("id", "*", "version", "1"), ("id", transfer.transfer_id, "version", "9" * 99)):
            await raw(store, "XADD", f"{store._prefix}:news", "*", *hint)
        await store.apply(transfer.transfer_id, Event.ENDED, epoch=1)
        assert (await waiting) is not None


async def test_what_a_node_wrote_last_is_told_before_it_closes(open_store: OpenStore) -> None:
    async with open_store() as other:
        async with open_store() as writer:
            transfer = await stored_in(writer, State.RINGING)
            waiting = await started_wait(other, transfer.transfer_id, lambda found: found.is_terminal)
            await writer.apply(transfer.transfer_id, Event.ENDED, epoch=1)
        assert (await waiting) is not None


async def test_who_knows_a_transfer_as_it_is_is_not_woken_by_it_again() -> None:
    subscriptions = Subscriptions()
    transfer = new_transfer(version=5)
    with subscriptions.to(transfer.transfer_id) as one:
        subscriptions.tell(transfer.transfer_id, transfer)
        assert await one.changed(0)
        with subscriptions.to(transfer.transfer_id) as newcomer:
            subscriptions.tell(transfer.transfer_id, replace(transfer))
            assert (await one.changed(0), await newcomer.changed(0)) == (False, True)
        for latest in (replace(transfer, version=6), StoreUnavailable("x"), transfer, None, transfer):
            one.tell(latest)
            assert await one.changed(0), latest
    assert subscriptions.ids() == []


async def test_f26_who_waits_is_told_of_what_a_roll_back_made_of_the_transfer() -> None:
    """The replica that is the server now had not got the last two: the next ones have versions that are known."""
    transfer = new_transfer(version=5, state=State.RINGING)
    subscription = Subscription()
    subscription.tell(transfer)
    assert await subscription.changed(0)
    for after in (replace(transfer, version=3), replace(transfer, version=5, state=State.FAILED)):
        subscription.tell(after)
        assert await subscription.changed(0)
        assert subscription.latest == after


def test_only_what_is_waited_for_is_read_again() -> None:
    subscriptions = Subscriptions()
    one, other = (new_transfer().transfer_id for _ in range(2))
    with subscriptions.to(one):
        assert subscriptions.among([other, one, one]) == [one]
    assert subscriptions.among([other, one]) == []


async def test_a_subscription_that_is_told_twice_wakes_once() -> None:
    subscription = Subscription()
    subscription.tell(None)
    subscription.tell(None)
    assert await subscription.changed(0)
    assert not await subscription.changed(0)
