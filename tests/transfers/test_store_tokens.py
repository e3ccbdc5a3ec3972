"""Media tokens: each opens one stream of one transfer, once and for a short time."""

from __future__ import annotations

import asyncio

import pytest

from relay.transfers.states import LIVE, Event, State
from relay.transfers.store import Answer, TransferStore
from tests.transfers.stores import OpenStore, consume, mint, raw, stored_in


async def test_a_token_opens_one_stream_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        assert await mint(store, transfer.transfer_id, "a") is Answer.OK
        assert await consume(store, transfer.transfer_id, "b") is Answer.IGNORED
        assert await consume(store, transfer.transfer_id, "a") is Answer.OK
        assert await consume(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "b", stream=1) is Answer.OK
        after = await store.get(transfer.transfer_id)
        assert after is not None
        assert (after.streams, after.version) == (1, transfer.version)


async def test_a_token_is_of_one_transfer(open_store: OpenStore) -> None:
    async with open_store() as store:
        one, other = await stored_in(store, State.RINGING), await stored_in(store, State.RINGING)
        await mint(store, one.transfer_id, "a")
        await mint(store, other.transfer_id, "b")
        assert await consume(store, other.transfer_id, "a") is Answer.IGNORED


async def test_a_newer_token_replaces_an_older_one(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        await mint(store, transfer.transfer_id, "a")
        await mint(store, transfer.transfer_id, "b")
        assert await consume(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await consume(store, transfer.transfer_id, "b") is Answer.OK


async def test_a_stream_that_was_never_opened_is_passed_over(open_store: OpenStore) -> None:
    """Its socket failed, and the carrier asks for the next one."""
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        await mint(store, transfer.transfer_id, "a")
        assert await mint(store, transfer.transfer_id, "b", stream=1) is Answer.OK
        assert await mint(store, transfer.transfer_id, "c", stream=2) is Answer.OK
        assert await consume(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await consume(store, transfer.transfer_id, "c") is Answer.OK
        after = await store.get(transfer.transfer_id)
        assert after is not None
        assert after.streams == 3
        for stream in range(3):
            assert await mint(store, transfer.transfer_id, "d", stream=stream) is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "d", stream=3) is Answer.OK


@pytest.mark.parametrize("is_opened", [False, True])
async def test_t1_a_stream_that_is_not_the_next_one_is_nobodys(open_store: OpenStore, is_opened: bool) -> None:  # noqa: FBT001  # a table
    """Its URL has been given to nobody: it is in the answer that the one before it gets."""
    async with open_store() as store:
        transfer = await stored_in(store, State.ANSWERED)
        assert await mint(store, transfer.transfer_id, "x", stream=1) is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "a") is Answer.OK
        if is_opened:
            assert await consume(store, transfer.transfer_id, "a") is Answer.OK
        for stream in (2, 3, 7, 999):
            assert await mint(store, transfer.transfer_id, "x", stream=stream) is Answer.IGNORED
        assert await consume(store, transfer.transfer_id, "x") is Answer.IGNORED
        for _ in range(2):
            assert await mint(store, transfer.transfer_id, "b", stream=1) is Answer.OK
        assert await consume(store, transfer.transfer_id, "b") is Answer.OK


async def test_f32_a_late_copy_of_an_earlier_answer_leaves_the_later_streams_token_alone(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.ANSWERED)
        await mint(store, transfer.transfer_id, "a")
        await mint(store, transfer.transfer_id, "b", stream=1)
        assert await mint(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "b", stream=1) is Answer.OK, "its own webhook, sent again"
        assert await consume(store, transfer.transfer_id, "b") is Answer.OK
        assert await mint(store, transfer.transfer_id, "c", stream=2) is Answer.OK


async def test_a_stream_that_was_passed_over_stays_so_when_the_later_ones_token_is_too_old(
    open_store: OpenStore,
) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.ANSWERED)
        await mint(store, transfer.transfer_id, "a")
        await mint(store, transfer.transfer_id, "b", stream=1, ttl_s=0.001)
        await redis_time_passes(store)
        assert await mint(store, transfer.transfer_id, "a") is Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "b", stream=1) is Answer.OK


async def test_a_token_that_is_minted_again_is_good_for_longer(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        await mint(store, transfer.transfer_id, "a", ttl_s=0.001)
        assert await mint(store, transfer.transfer_id, "a", ttl_s=30) is Answer.OK
        await redis_time_passes(store)
        assert await consume(store, transfer.transfer_id, "a") is Answer.OK


async def test_a_token_is_good_for_its_time_on_the_clock_of_redis(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        await mint(store, transfer.transfer_id, "a", ttl_s=0.001)
        await redis_time_passes(store)
        assert await consume(store, transfer.transfer_id, "a") is Answer.IGNORED


@pytest.mark.parametrize("state", State)
async def test_only_a_live_transfer_has_tokens(open_store: OpenStore, state: State) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, state)
        expected = Answer.OK if state in LIVE else Answer.IGNORED
        assert await mint(store, transfer.transfer_id, "a") is expected
        assert await consume(store, transfer.transfer_id, "a") is expected


async def test_a_token_is_no_good_when_the_transfer_is_over(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        await mint(store, transfer.transfer_id, "a")
        await store.apply(transfer.transfer_id, Event.STOPPED, epoch=1)
        assert await consume(store, transfer.transfer_id, "a") is Answer.IGNORED


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.long)])
async def test_of_50_sockets_with_one_token_one_is_let_in(open_store: OpenStore, rounds: int) -> None:
    async with open_store() as one, open_store() as other:
        transfer = await stored_in(one, State.RINGING)
        for stream in range(rounds):
            await mint(one, transfer.transfer_id, f"token-{stream}", stream=stream)
            stores = [one, other] * 25
            answers = await asyncio.gather(
                *(consume(store, transfer.transfer_id, f"token-{stream}") for store in stores)
            )
            assert answers.count(Answer.OK) == 1
            assert answers.count(Answer.IGNORED) == 49


async def redis_time_passes(store: TransferStore) -> None:
    """Return when two milliseconds have passed for Redis."""
    until = await redis_now_us(store) + 2_000
    while await redis_now_us(store) < until:
        pass


async def redis_now_us(store: TransferStore) -> int:
    seconds, microseconds = await raw(store, "TIME")
    return int(seconds) * 1_000_000 + int(microseconds)
