"""Redis as it should not be: gone, silent, full, a replica, emptied, and written to by somebody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from relay.errors import StoreUnavailable
from relay.transfers import scripts
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import Answer, TransferStore
from tests.transfers.redis_proxy import RedisProxy
from tests.transfers.redis_servers import RedisServer
from tests.transfers.stores import OpenStore, key_of, new_transfer, raw, started_wait, stored_in

ABOUT_A_SECOND_S = 1.6
Use = Callable[[TransferStore, str], Awaitable[object]]
USES: dict[str, Use] = {
    "create": lambda store, _: store.create(new_transfer()),
    "apply": lambda store, transfer_id: store.apply(transfer_id, Event.DIALED, epoch=1),
    "get": lambda store, transfer_id: store.get(transfer_id),
    "recent": lambda store, _: store.recent(5),
    "events": lambda store, transfer_id: store.events(transfer_id),
    "wait": lambda store, transfer_id: store.wait(transfer_id, lambda _: True, timeout_s=5),
    "mint": lambda store, transfer_id: store.mint(transfer_id, epoch=1, stream=0, token_sha256="", ttl_s=30),
    "consume": lambda store, transfer_id: store.consume(transfer_id, token_sha256=""),
    "claim_request": lambda store, one: store.claim_request("k", fingerprint="f", transfer_id=one, ttl_s=30),
    "release_request": lambda store, one: store.release_request("k", transfer_id=one),
    "claim_room": lambda store, one: store.claim_room("r", transfer_id=one, ttl_s=30),
    "take_over_room": lambda store, one: store.take_over_room("r", holder=one, transfer_id=one, ttl_s=30),
    "release_room": lambda store, one: store.release_room("r", transfer_id=one),
    "take_allowance": lambda store, _: store.take_allowance("a", per_minute=10, per_day=10),
}


async def is_back(store: TransferStore) -> None:
    """Return when the store works again; each try waits for the server itself."""
    while not await store.ping():
        pass


def now_s() -> float:
    return asyncio.get_running_loop().time()


# Gone


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


# Silent, full, a replica


@pytest.mark.parametrize("redis_server", ["valkey"], indirect=True)
async def test_a_server_that_takes_commands_and_answers_none_is_told_within_a_second(redis_server: RedisServer) -> None:
    async with RedisProxy.before(redis_server) as proxy, OpenStore(proxy.url, "silent")() as store:
        transfer = await stored_in(store, State.RINGING)
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
        assert not store.is_available
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


# Lost answers: what was done is not done again, and is answered as it was done


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


# Written to by somebody else


GARBAGE = {
    "text": ("SET", "{key}", "x"),
    "list": ("RPUSH", "{key}", "x"),
    "set": ("SADD", "{key}", "x"),
    "hash": ("HSET", "{key}", "x", "\x00\r\n"),
    "stream": ("XADD", "{key}", "*", "x", "y"),
    "scores": ("ZADD", "{key}", "1", "x"),
    "huge": ("SET", "{key}", "x" * 5_000_000),
}


async def never_fails_otherwise(store: TransferStore, transfer: Transfer) -> None:
    """Whatever is in the keys: each use is answered, or is ``StoreUnavailable``."""
    for use in USES.values():
        (outcome,) = await asyncio.gather(use(store, transfer.transfer_id), return_exceptions=True)
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, StoreUnavailable)
            assert len(str(outcome)) < 500
    assert await store.ping(), "one bad key does not close the store"


@pytest.mark.parametrize("kind", ["", "events", "seen"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_in_a_transfers_keys_is_refused(
    open_store: OpenStore, garbage: tuple[str, ...], kind: str
) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        key = key_of(store, transfer.transfer_id, kind)
        await raw(store, "DEL", key)
        await raw(store, *(word.replace("{key}", key) for word in garbage))
        await never_fails_otherwise(store, transfer)
        if kind == "":
            with pytest.raises(StoreUnavailable):
                await store.get(transfer.transfer_id)
            with pytest.raises(StoreUnavailable):
                await store.apply(transfer.transfer_id, Event.DIALED, epoch=1)


@pytest.mark.parametrize("name", ["news", "recent", "alive", "request:k", "room:r", "allowance:a"])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_in_any_other_key_is_refused(open_store: OpenStore, garbage: tuple[str, ...], name: str) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        key = f"{store._prefix}:{name}"
        await raw(store, "DEL", key)
        await raw(store, *(word.replace("{key}", key) for word in garbage))
        await never_fails_otherwise(store, transfer)
        assert (await store.get(transfer.transfer_id)) is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "2"),
        ("schema", ""),
        ("state", "paused"),
        ("state", ".*"),
        ("version", "x"),
        ("version", "-1"),
        ("version", "9" * 400),
        ("epoch", "one"),
        ("streams", "1.5"),
        ("reason", "sorcery"),
        ("accept", "maybe"),
        ("reconnecting", "yes"),
        ("max_duration_s", "nan"),
        ("ring_timeout_s", "soon"),
        ("updated_ms", "\u0661"),
        ("at:joined", "then"),
        ("at:paused", "1"),
        ("metadata", "[1]"),
        ("metadata", '{"a": 1}'),
        ("metadata", "[" * 100_000),
        ("owner_of_the_world", "x"),
        ("room_url", b"\xff\xfe"),
        ("provider", None),
        ("state", None),
        ("schema", None),
    ],
)
async def test_a_record_that_relay_would_not_have_written_is_refused(
    open_store: OpenStore, field: str, value: str | bytes | None
) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        key = key_of(store, transfer.transfer_id)
        await (raw(store, "HDEL", key, field) if value is None else store._door.ask([("HSET", key, field, value)]))  # type: ignore[list-item]  # bytes on purpose
        with pytest.raises(StoreUnavailable, match=f"transfer {transfer.transfer_id} cannot be read as it is stored"):
            await store.get(transfer.transfer_id)
        await never_fails_otherwise(store, transfer)


async def test_a_record_of_another_schema_is_left_as_it_is(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        key = key_of(store, transfer.transfer_id)
        await raw(store, "HSET", key, "schema", "2")
        before = await raw(store, "DUMP", key)
        await never_fails_otherwise(store, transfer)
        assert await raw(store, "DUMP", key) == before


async def test_an_unreadable_transfer_does_not_hide_the_others(open_store: OpenStore) -> None:
    async with open_store() as store:
        one, other = await stored_in(store, State.REQUESTED), await stored_in(store, State.REQUESTED)
        await raw(store, "HSET", key_of(store, other.transfer_id), "state", "paused")
        assert await store.recent(5) == [one]


async def test_who_waits_for_what_becomes_unreadable_is_told(open_store: OpenStore) -> None:
    async with open_store() as store, open_store() as other:
        transfer = await stored_in(store, State.RINGING)
        waiting = await started_wait(other, transfer.transfer_id)
        await raw(store, "HSET", key_of(store, transfer.transfer_id), "reason", "sorcery")
        hint = ("id", transfer.transfer_id, "version", 999, "state", json.dumps("x"))
        await raw(store, "XADD", f"{store._prefix}:news", "*", *hint)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await waiting
