"""Answers of Redis that are lost: what was done is not done again, and is answered as it was done."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from relay.errors import StoreUnavailable
from relay.transfers import scripts
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import Answer, TransferStore
from tests.transfers.redis_proxy import RedisProxy
from tests.transfers.redis_servers import RedisServer
from tests.transfers.store_uses import USES
from tests.transfers.stores import OpenStore, key_of, new_transfer, raw, started_wait, stored_in


async def is_back(store: TransferStore) -> None:
    """Return when the store works again; each try waits for the server itself."""
    while not await store.ping():
        pass


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def test_an_event_whose_answer_was_lost_has_happened_once(redis_server: RedisServer, prefix: str) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        transfer = await stored_in(store, State.DIALING)
        for event_id in ("", "placed"):
            proxy.lose_answer_to(scripts.APPLY.sha1.encode())
            before = await store.get(transfer.transfer_id)
            applied = await store.apply(transfer.transfer_id, Event.PLACED, epoch=1, event_id=event_id)
            assert before is not None
            assert applied.answer is Answer.OK
            assert applied.transfer is not None
            assert applied.transfer.version == before.version + 1
        assert proxy.lost == 2


@pytest.mark.parametrize(("event_id", "answer"), [("rang", Answer.DUPLICATE), ("", Answer.IGNORED)])
@pytest.mark.long
async def test_who_waits_for_what_had_no_answer_is_told_all_the_same(
    redis_server: RedisServer, prefix: str, event_id: str, answer: Answer
) -> None:
    open_store = OpenStore(redis_server.url, prefix)
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store, open_store() as other:
        transfer = await stored_in(store, State.DIALING)
        waiting = [
            await started_wait(one, transfer.transfer_id, lambda found: found.state is State.RINGING)
            for one in (store, other)
        ]
        await has_been_read_by(store, other, transfer=transfer)  # so that nothing is read for an earlier hint
        here, elsewhere = waiting
        proxy.lose_answer_to(scripts.APPLY.sha1.encode(), times=3)
        with pytest.raises(StoreUnavailable):
            await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id=event_id)
        assert proxy.lost == 3
        async with asyncio.timeout(5):
            told = await elsewhere, await here  # by the hint that the server did take; by looking it up
        again = await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id=event_id)
        assert again.answer is answer
        assert told == (again.transfer, again.transfer)


async def test_who_waits_for_what_had_no_answer_is_told_when_it_is_tried_again(
    redis_server: RedisServer, prefix: str
) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        transfer = await stored_in(store, State.DIALING)
        proxy.lose_answer_to(scripts.APPLY.sha1.encode(), times=3)
        with pytest.raises(StoreUnavailable):
            await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
        async with store.news(transfer.transfer_id) as news:
            again = await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
            assert (again.answer, news.latest) == (Answer.DUPLICATE, again.transfer)


async def has_been_read_by(*stores: TransferStore, transfer: Transfer) -> None:
    """Let something happen, and return when the readers of these have come to it, and are done with all before."""
    async with contextlib.AsyncExitStack() as stack:
        all_news = [await stack.enter_async_context(store.news(transfer.transfer_id)) for store in stores]
        await raw(stores[0], "HSET", key_of(stores[0], transfer.transfer_id), "version", 17)
        hint = ("id", transfer.transfer_id)
        await raw(stores[0], "XADD", f"{stores[0]._prefix}:news", "*", *hint)
        for news in all_news:
            while not (isinstance(news.latest, Transfer) and news.latest.version == 17):
                assert await news.changed(5)


async def test_who_waits_is_told_of_what_a_server_did_that_stood_still(own_server: RedisServer) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfer = await stored_in(store, State.DIALING)
        waiting = await started_wait(store, transfer.transfer_id, lambda found: found.state is State.RINGING)
        with own_server.frozen(), pytest.raises(StoreUnavailable):
            await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
        await is_back(store)
        again = await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
        assert again.answer in (Answer.OK, Answer.DUPLICATE), "it may have read what it was sent, or not"
        async with asyncio.timeout(5):
            assert await waiting == again.transfer


async def test_a_transfer_whose_creation_was_not_answered_was_made(redis_server: RedisServer, prefix: str) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        await stored_in(store, State.REQUESTED)
        proxy.lose_answer_to(scripts.CREATE.sha1.encode())
        transfer = await store.create(new_transfer())
        assert proxy.lost == 1
        assert await store.get(transfer.transfer_id) == transfer


async def test_a_socket_whose_token_was_used_up_without_an_answer_is_let_in(
    redis_server: RedisServer, prefix: str
) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        transfer = await stored_in(store, State.RINGING)
        await USES["consume"](store, transfer.transfer_id)  # Redis knows the script from now on
        await USES["mint"](store, transfer.transfer_id)
        proxy.lose_answer_to(scripts.CONSUME.sha1.encode())
        assert await USES["consume"](store, transfer.transfer_id) is Answer.OK
        assert await USES["consume"](store, transfer.transfer_id) is Answer.IGNORED
        assert proxy.lost == 1


async def test_an_allowance_and_claims_are_taken_once_when_the_answer_is_lost(
    redis_server: RedisServer, prefix: str
) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        one, other = new_transfer().transfer_id, new_transfer().transfer_id
        await store.take_allowance("a", per_minute=3, per_day=9)
        proxy.lose_answer_to(scripts.ALLOW.sha1.encode())
        assert await store.take_allowance("a", per_minute=3, per_day=9) is None
        assert await store.take_allowance("a", per_minute=3, per_day=9) is None
        await store.claim_room("r", transfer_id=other, ttl_s=30)
        proxy.lose_answer_to(scripts.CLAIM.sha1.encode())
        claim = await store.claim_request("k", fingerprint="f", transfer_id=one, ttl_s=30)
        assert claim.is_new
        await store.take_over_room("r", holder=other, transfer_id=other, ttl_s=30)
        proxy.lose_answer_to(scripts.TAKE_OVER.sha1.encode())
        assert await store.take_over_room("r", holder=other, transfer_id=one, ttl_s=30)
        assert proxy.lost == 3
