"""Redis as it should not be: gone, silent, full, a replica, emptied, and written to by somebody else."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import structlog.testing

from relay.errors import StoreUnavailable
from relay.transfers.states import Event, State
from relay.transfers.store import Answer, TransferStore
from tests.transfers.redis_proxy import RedisProxy
from tests.transfers.redis_servers import RedisServer
from tests.transfers.store_uses import USES
from tests.transfers.stores import OpenStore, key_of, new_transfer, raw, started_wait, stored_in

PAGE = Path(__file__).parents[2] / "docs" / "going-live.md"
ABOUT_A_SECOND_S = 2.0


async def is_back(store: TransferStore) -> None:
    """Return when the store works again; each try waits for the server itself."""
    while not await store.ping():
        pass


def now_s() -> float:
    return asyncio.get_running_loop().time()


# Gone


@pytest.mark.long
async def test_a_server_that_is_killed_is_told_within_a_second_and_used_again_by_itself(
    own_server: RedisServer,
) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfer = await stored_in(store, State.RINGING)
        own_server.kill()
        for use in USES.values():
            began_s = now_s()
            with pytest.raises(StoreUnavailable):
                await use(store, transfer.transfer_id)
            assert now_s() - began_s < ABOUT_A_SECOND_S
        assert not store.is_available
        assert not await store.ping()
        own_server.start()
        await is_back(store)
        assert store.is_available
        assert await store.get(transfer.transfer_id) == transfer
        assert (await store.apply(transfer.transfer_id, Event.ANSWERED, epoch=1)).answer is Answer.OK


async def test_who_waits_outlives_the_server(own_server: RedisServer) -> None:
    open_store = OpenStore(own_server.url, "relay")
    async with open_store() as store, open_store() as other:
        transfer = await stored_in(store, State.RINGING)
        waiting = [
            await started_wait(one, transfer.transfer_id, lambda found: found.is_terminal) for one in (store, other)
        ]
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.get(transfer.transfer_id)
        own_server.start()
        await is_back(store)
        assert (await store.apply(transfer.transfer_id, Event.ENDED, epoch=1)).answer is Answer.OK
        ended = [await task for task in waiting]
        assert [found.state for found in ended if found] == [State.FAILED] * 2


async def test_a_store_opens_without_a_server_and_finds_it_when_it_comes(own_server: RedisServer) -> None:
    own_server.kill()
    async with OpenStore(own_server.url, "relay")() as store:
        assert not store.is_available
        own_server.start()
        await is_back(store)
        assert store.is_available
        await stored_in(store, State.JOINED)


async def test_a_store_that_nobody_uses_sees_by_itself_that_the_server_is_gone_and_back(
    own_server: RedisServer,
) -> None:
    """For /readyz: the reader looks every second."""
    async with OpenStore(own_server.url, "relay")() as store, asyncio.timeout(10):
        own_server.kill()
        await became(store, is_available=False)
        own_server.start()
        await became(store, is_available=True)


async def became(store: TransferStore, *, is_available: bool) -> None:
    while store.is_available != is_available:  # noqa: ASYNC110 - the reader tells nobody, and to ask is to use it
        await asyncio.sleep(0)


async def test_a_closed_store_is_unavailable_and_lets_go_of_who_waits(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        waiting = await started_wait(store, transfer.transfer_id)
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await waiting
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.get(transfer.transfer_id)


async def test_whether_it_is_available_is_what_those_who_write_find(redis_server: RedisServer, prefix: str) -> None:
    """A reader that is answered all the while says nothing of that."""
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, prefix)() as store:
        proxy.silent_but_for = (b"XREAD", b"HGETALL")
        proxy.is_silent = True
        assert not await store.ping()
        assert await store._door.ask_as_reader([("HGETALL", prefix)], 5) == [[]]
        assert not store.is_available


# Far, silent, full, a replica


@pytest.mark.long
async def test_a_server_across_an_ocean_works(redis_server: RedisServer, prefix: str) -> None:
    """To connect takes longer than a command may: AUTH and SELECT are answered one after the other."""
    async with RedisProxy.before(redis_server) as proxy:
        proxy.one_way_s = 0.06
        async with OpenStore(f"unix://default:any@{proxy.socket}?db=1", prefix)() as store:
            assert store.is_available
            transfer = await stored_in(store, State.RINGING)
            waiting = await started_wait(store, transfer.transfer_id, lambda found: found.is_terminal)
            ended = await store.apply(transfer.transfer_id, Event.ENDED, epoch=1)
            assert await waiting == ended.transfer
            for use in USES.values():
                await use(store, transfer.transfer_id)
            assert store.is_available


@pytest.mark.parametrize("redis_server", ["valkey"], indirect=True)
@pytest.mark.long
async def test_a_server_that_takes_commands_and_answers_none_is_told_within_a_second(redis_server: RedisServer) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, "silent")() as store:
        transfer = await stored_in(store, State.RINGING)
        waiting = await started_wait(store, transfer.transfer_id, lambda found: found.is_terminal)
        proxy.is_silent = True
        began_s = now_s()
        uses = (use(store, transfer.transfer_id) for use in USES.values())
        outcomes = await asyncio.gather(*uses, return_exceptions=True)
        assert now_s() - began_s < ABOUT_A_SECOND_S, "also for who waits for a connection"
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert not store.is_available
        proxy.is_silent = False
        await is_back(store)
        assert await store.get(transfer.transfer_id) == transfer
        async with OpenStore(redis_server.url, "silent")() as other:  # the reader, too, has found itself a connection
            await other.apply(transfer.transfer_id, Event.ENDED, epoch=1)
            assert (await waiting) is not None


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["full", "replica"],
)
async def test_a_server_that_takes_no_writes_is_unavailable_until_it_does(
    own_server: RedisServer, broken: tuple[str, ...], whole: tuple[str, ...]
) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfer = await stored_in(store, State.RINGING)
        await raw(store, *broken)
        with pytest.raises(StoreUnavailable):
            await store.apply(transfer.transfer_id, Event.ANSWERED, epoch=1)
        assert not await store.ping()
        assert await store.get(transfer.transfer_id) == transfer
        assert not store.is_available, "it can be read, which is not enough"
        await raw(store, *whole)
        await is_back(store)
        assert await store.get(transfer.transfer_id) == transfer, "and nothing was half done"
        assert (await store.apply(transfer.transfer_id, Event.ANSWERED, epoch=1)).answer is Answer.OK


async def test_a_server_that_has_flushed_its_scripts_gets_them_again(own_server: RedisServer) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfer = await stored_in(store, State.RINGING)
        for use in USES.values():
            await raw(store, "SCRIPT", "FLUSH")
            await use(store, transfer.transfer_id)


async def test_a_server_that_was_emptied_has_no_transfer_for_who_waits(own_server: RedisServer) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        transfer = await stored_in(store, State.RINGING)
        waiting = await started_wait(store, transfer.transfer_id)
        await raw(store, "FLUSHALL")
        assert await waiting is None


# Whose Redis it is


async def test_a_redis_that_may_forget_live_transfers_is_warned_of(own_server: RedisServer) -> None:
    open_store = OpenStore(own_server.url, "relay")
    with structlog.testing.capture_logs() as logs:
        async with open_store() as store:
            await raw(store, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert "store_may_evict" not in {entry["event"] for entry in logs}
        async with open_store():
            pass
    assert [entry["maxmemory_policy"] for entry in logs if entry["event"] == "store_may_evict"] == ["allkeys-lru"]


@pytest.mark.long
async def test_a_redis_that_may_forget_is_warned_of_though_it_comes_late(own_server: RedisServer) -> None:
    async with OpenStore(own_server.url, "relay")() as store:
        await raw(store, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with structlog.testing.capture_logs() as logs:
        async with RedisProxy.before(own_server) as proxy:
            proxy.is_silent = True
            async with OpenStore(proxy.url, "relay")() as store:
                assert "store_may_evict" not in {entry["event"] for entry in logs}
                proxy.is_silent = False
                transfer = await store.create(new_transfer())
                waiting = await started_wait(store, transfer.transfer_id)
                await raw(store, "DEL", key_of(store, transfer.transfer_id))
                await raw(store, "XADD", "relay:news", "*", "id", transfer.transfer_id, "version", 2)
                assert await waiting is None, "the reader is at work, who has met Redis before"
    assert "store_may_evict" in {entry["event"] for entry in logs}


async def test_the_user_that_the_docs_make_for_a_shared_redis_may_do_all_that_is_needed(
    own_server: RedisServer,
) -> None:
    rules = re.search(r"^user relay on >\S+ (.*)$", PAGE.read_text(), re.MULTILINE)
    assert rules is not None
    async with OpenStore(own_server.url, "relay")() as store:
        await raw(store, "ACL", "SETUSER", "relay", "on", ">word", *rules[1].split())
        await raw(store, "SET", "theirs", "x")
    url = f"unix://relay:word@{own_server.socket}?db=0"
    async with OpenStore(url, "relay")() as store:
        transfer = await stored_in(store, State.RINGING)
        for use in USES.values():
            await use(store, transfer.transfer_id)
        assert await store.ping()
        with pytest.raises(StoreUnavailable, match="NoPermission"):
            await raw(store, "GET", "theirs")


async def test_what_is_logged_of_an_outage_has_no_password(own_server: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with OpenStore(f"unix://relay:the-password@{own_server.socket}?db=0", "relay")() as store:
            with pytest.raises(StoreUnavailable) as error:
                await store.get(new_transfer().transfer_id)
    assert "the-password" not in f"{logs} {error.value}"
    assert not store.is_available
