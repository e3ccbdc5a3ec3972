"""What somebody else has written to Redis is refused, and never an accident."""

from __future__ import annotations

import asyncio
import json

import pytest

from relay.errors import StoreUnavailable
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.store_uses import USES
from tests.transfers.stores import OpenStore, key_of, raw, started_wait, stored_in

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
