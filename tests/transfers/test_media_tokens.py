"""The keys to a transfer's media: each opens one stream, once, for a short time."""

from __future__ import annotations

import asyncio
import base64
import secrets

import pytest

from relay.transfers.media_tokens import MediaTokens
from relay.transfers.record import digest
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.stores import OpenStore, key_of, raw, stored_in

KEY = b"k" * 32


async def tokens_in(store: TransferStore, state: State = State.ANSWERED, *, epoch: int = 1) -> MediaTokens:
    transfer = await stored_in(store, state)
    return MediaTokens(store, transfer.transfer_id, epoch=epoch, key=KEY, ttl_s=30.0)


async def minted(tokens: MediaTokens, stream: int = 0) -> str:
    token = await tokens.mint(stream)
    assert token is not None
    return token


async def test_a_token_opens_one_stream_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        assert len(base64.urlsafe_b64decode(token + "=")) == 32, "256 bits"
        assert [await tokens.consume(token) for _ in range(3)] == [True, False, False]


async def test_a_token_that_is_made_before_the_call_is_answered_lives_for_longer(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        tokens = MediaTokens(store, transfer.transfer_id, epoch=1, key=KEY, ttl_s=30.0)
        seconds, _ = await raw(store, "TIME")
        assert await tokens.mint(0, unanswered_s=45.0) is not None
        until_ms = await raw(store, "HGET", key_of(store, transfer.transfer_id), "token_until_ms")
        assert 75 <= int(until_ms) / 1000 - int(seconds) < 80


async def test_a_webhook_that_comes_again_gets_the_same_token(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        assert await tokens.mint(0) == token
        assert await tokens.consume(token)
        assert await tokens.mint(0) is None, "its stream has begun"
        assert not await tokens.consume(token)


async def test_the_next_stream_has_a_token_of_its_own(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        first = await minted(tokens)
        assert await tokens.consume(first)
        second = await minted(tokens, 1)
        assert second != first
        assert [await tokens.consume(first), await tokens.consume(second)] == [False, True]


async def test_t1_a_token_of_one_transfer_opens_no_other(open_store: OpenStore) -> None:
    async with open_store() as store:
        one, other = await tokens_in(store), await tokens_in(store)
        token, others = await minted(one), await minted(other)
        assert token != others
        assert not await other.consume(token)
        assert await one.consume(token)
        assert await other.consume(others)


async def test_t1_a_token_of_another_process_is_another(open_store: OpenStore) -> None:
    """Nobody who knows a transfer's id can derive its tokens."""
    async with open_store() as store:
        tokens = await tokens_in(store)
        other = MediaTokens(store, tokens._transfer_id, epoch=1, key=secrets.token_bytes(32), ttl_s=30.0)
        assert await other.mint(0) != await tokens.mint(0)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
async def test_t1_no_guessed_token_opens_anything(open_store: OpenStore, count: int) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        near = [
            token[:-1] + ("A" if token[-1] != "A" else "B"),
            token.lower(),
            token + "=",
            token[:-1],
            "",
            digest(token),
        ]
        guesses = [*near, *(secrets.token_urlsafe(32) for _ in range(count))]
        assert not any([await tokens.consume(guess) for guess in guesses if guess != token])
        assert await tokens.consume(token)


async def test_t1_a_token_that_is_too_old_opens_nothing(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        await raw(store, "HSET", key_of(store, tokens._transfer_id), "token_until_ms", 1)
        assert not await tokens.consume(token)


async def test_t1_the_store_holds_no_token(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        stored = await raw(store, "HGETALL", key_of(store, tokens._transfer_id))
        assert digest(token).encode() in stored
        assert not any(token.encode() in value for value in stored)


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.long)])
async def test_t2_of_fifty_sockets_with_one_token_one_wins(open_store: OpenStore, rounds: int) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        for stream in range(rounds):
            token = await minted(tokens, stream)
            assert sum(await asyncio.gather(*(tokens.consume(token) for _ in range(50)))) == 1


@pytest.mark.parametrize("state", [State.CANCELED, State.FAILED, State.DISCONNECTED])
async def test_a_transfer_that_is_over_has_no_tokens(open_store: OpenStore, state: State) -> None:
    async with open_store() as store:
        assert await (await tokens_in(store, state)).mint(0) is None


async def test_a_token_opens_nothing_once_its_transfer_is_over(open_store: OpenStore) -> None:
    async with open_store() as store:
        tokens = await tokens_in(store)
        token = await minted(tokens)
        await store.apply(tokens._transfer_id, Event.STOPPED, epoch=1)
        assert not await tokens.consume(token)


async def test_only_the_owner_of_a_transfer_mints(open_store: OpenStore) -> None:
    async with open_store() as store:
        assert await (await tokens_in(store, epoch=2)).mint(0) is None
