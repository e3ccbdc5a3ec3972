"""T1, T2: nobody but the carrier opens a call's media stream, once, however the upgrade is written."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.frames import Close, CloseCode, Frame, Opcode

from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from relay.transfers.record import new_transfer_id
from tests.bridge import messages
from tests.threats.conftest import OnStage
from tests.threats.raw import connected, signed_upgrade, status_of, statuses_of, upgrade
from tests.threats.stage import RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

STORE_COMMANDS = ("evalsha", "eval", "hgetall")
AUDIO = b"".join(Frame(Opcode.TEXT, message).serialize(mask=True) for message in (messages.start(), messages.media(1)))

OUT_OF_THE_WAY = Frame(Opcode.CLOSE, Close(CloseCode.TRY_AGAIN_LATER, "media_lost").serialize()).serialize(mask=False)


def guesses(count: int) -> Iterator[str]:
    return (secrets.token_urlsafe(32) for _ in range(count))


def signed(stage: Stage, transfer_id: str, token: str) -> bytes:
    return signed_upgrade(stage.media_url(transfer_id, token), stage.carrier.auth_token)


async def asked_of_store(stage: Stage) -> int:
    statistics: dict[str, Any] = await stage.redis.info("commandstats")
    return sum(statistics.get(f"cmdstat_{name}", {}).get("calls", 0) for name in STORE_COMMANDS)


async def opens(stage: Stage, transfer_id: str, token: str) -> bool:
    return await status_of(stage.port, signed(stage, transfer_id, token)) == 101


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_t1_no_guessed_token_is_let_in_even_if_the_carrier_signs_it(on_stage: OnStage, count: int) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        before = await stage.record(transfer_id)
        statuses = await statuses_of(stage.port, (signed(stage, transfer_id, guess) for guess in guesses(count)))
        assert 101 not in statuses
        assert statuses.count(403) > 0.9 * count  # the rest: a store that does not answer lets nobody in
        assert await stage.record(transfer_id) == before
        assert await stage.token(transfer_id, call) == token  # and good for another while
        assert await opens(stage, transfer_id, token)

    on_stage(scenario, RINGS)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_t1_an_unsigned_upgrade_is_refused_without_asking_the_store(on_stage: OnStage, count: int) -> None:
    """The right token included: who has read it in a proxy's log cannot use it, nor use it up."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        right = urlsplit(stage.media_url(transfer_id, token)).path
        others = (urlsplit(stage.media_url(transfer_id, guess)).path for guess in guesses(count))
        asked = await asked_of_store(stage)
        unsigned = [upgrade(right), upgrade(right, (SIGNATURE_HEADER, "A" * 28)), *map(upgrade, others)]
        unsigned += [upgrade(right, version=f"HTTP/{version}") for version in ("0.9", "1.0", "2.0")]
        assert await statuses_of(stage.port, unsigned) == [403] * len(unsigned)
        assert await asked_of_store(stage) == asked
        assert await stage.token(transfer_id, call) == token
        assert await opens(stage, transfer_id, token)

    on_stage(scenario, RINGS)


def test_t1_a_token_that_was_used_opens_nothing_again(on_stage: OnStage) -> None:
    """Not beside its stream, not when that is lost, and not when the call is over."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        async with connected(stage.port) as carrier:
            carrier.send(signed(stage, transfer_id, token))
            assert await carrier.status() == 101
            assert not await opens(stage, transfer_id, token)
        assert not await opens(stage, transfer_id, token)
        await stage.end(transfer_id)
        assert not await opens(stage, transfer_id, token)
        assert (await stage.until_over(transfer_id)).streams == 1

    on_stage(scenario, RINGS)


def test_t1_a_token_opens_its_own_call_only(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await stage.transfer(), await stage.transfer()
        its_token, others_token = await stage.token(*one), await stage.token(*other)
        assert its_token is not None
        assert others_token is not None
        assert not await opens(stage, one[0], others_token)
        assert not await opens(stage, other[0], its_token)
        assert not await opens(stage, new_transfer_id(1, b"0123456789"), its_token)
        assert await opens(stage, one[0], its_token)
        assert await opens(stage, other[0], others_token)

    on_stage(scenario, RINGS)


def test_t1_a_token_is_good_for_half_a_minute(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        key = f"{stage.prefix}:{{{transfer_id}}}"
        issued = await stage.until(transfer_id, lambda _: True)
        until_ms = int(await stage.redis.hget(key, "token_until_ms") or 0)
        assert 29_000 < until_ms - issued.updated_ms < 31_000
        await stage.redis.hset(key, "token_until_ms", str(until_ms - 31_000))
        assert not await opens(stage, transfer_id, token)

    on_stage(scenario, RINGS)


def test_t1_a_token_that_was_not_used_opens_nothing_when_the_call_is_over(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        await stage.end(transfer_id)
        assert not await opens(stage, transfer_id, token)

    on_stage(scenario, RINGS)


def test_t1_a_start_without_a_token_reaches_no_bridge(on_stage: OnStage) -> None:
    """The stream's first messages are right behind the request: nobody reads them."""

    async def scenario(stage: Stage) -> None:
        transfer_id, _ = await stage.ringing()
        before = await stage.record(transfer_id)
        place = f"/carriers/twilio/{transfer_id}/media"
        targets = {
            "/": 404,
            "/media": 404,
            place: 404,
            f"{place}/": 404,
            f"{place}?token={'a' * 43}": 404,
            f"{place}/{'a' * 42}": 404,
            f"{place}/{'a' * 44}": 404,
            f"{place}/{'a' * 43}/": 404,
            f"{place}/{'a' * 43}?": 404,
            f"{place}/%61{'a' * 42}": 404,
            f"/carriers/telco/{transfer_id}/media/{'a' * 43}": 404,
            f"/carriers/twilio/tr_{'0' * 31}/media/{'a' * 43}": 404,
            f"/carriers/twilio/../twilio/{transfer_id}/media/{'a' * 43}": 404,
            f"http://relay.example.com{place}/{'a' * 43}": 404,
            f"{place}/{'a' * 43}": 403,
        }
        for target, status in targets.items():
            async with connected(stage.port) as stranger:
                url = f"wss://relay.example.com{target}"
                signature = signature_of(url, auth_token=stage.carrier.auth_token)
                stranger.send(upgrade(target, (SIGNATURE_HEADER, signature)) + AUDIO)
                assert (target, await stranger.status()) == (target, status)
                assert await stranger.rest() == b""
        assert await stage.record(transfer_id) == before

    on_stage(scenario, RINGS)


def test_t1_an_odd_upgrade_opens_nothing(on_stage: OnStage) -> None:
    """All of them signed, with a token that is good: what is left is how they are written."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        url = stage.media_url(transfer_id, token)
        target = urlsplit(url).path
        signature = (SIGNATURE_HEADER, signature_of(url, auth_token=stage.carrier.auth_token))
        before = await stage.record(transfer_id)
        odd = {
            "signed twice": upgrade(target, signature, signature),
            "signed, and signed by nobody": upgrade(target, signature, (SIGNATURE_HEADER, "A" * 28)),
            "signed with a key that is not ours": upgrade(
                target, signature, ("X-Twilio-Webhooks-Signature-Settings", "key=k,algorithm=HMAC_SHA256")
            ),
            "POST": upgrade(target, signature, method="POST"),
            "PUT": upgrade(target, signature, method="PUT"),
            "get": upgrade(target, signature, method="get"),
            "no Upgrade": upgrade(target, signature, without="Upgrade"),
            "no Connection": upgrade(target, signature, without="Connection"),
            "no key": upgrade(target, signature, without="Sec-WebSocket-Key"),
            "no version": upgrade(target, signature, without="Sec-WebSocket-Version"),
            "two keys": upgrade(target, signature, ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
            "a body": upgrade(target, signature, ("Content-Length", "5")) + b"hello",
            "a chunked body": upgrade(target, signature, ("Transfer-Encoding", "chunked")) + b"0\r\n\r\n",
            "another protocol": upgrade(target, signature, ("Upgrade", "h2c"), without="Upgrade"),
        }
        statuses = {how: await status_of(stage.port, data) for how, data in odd.items()}
        assert {how: status for how, status in statuses.items() if not 400 <= status < 500} == {}
        assert await stage.record(transfer_id) == before
        assert await opens(stage, transfer_id, token)

    on_stage(scenario, RINGS)


@pytest.mark.long
def test_t2_of_fifty_upgrades_at_once_one_is_let_in(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(200):
            transfer_id, call = await stage.ringing()
            token = await stage.token(transfer_id, call)
            assert token is not None
            async with AsyncExitStack() as stack:
                rivals = [await stack.enter_async_context(connected(stage.port)) for _ in range(50)]
                for rival in rivals:
                    rival.send(signed(stage, transfer_id, token))
                statuses = await asyncio.gather(*(rival.status() for rival in rivals))
                assert statuses.count(101) == 1
                assert set(statuses) <= {101, 403, 503}
                assert (await stage.until(transfer_id, lambda _: True)).streams == 1
                await stage.end(transfer_id)

    on_stage(scenario, RINGS)


@pytest.mark.long
def test_t2_a_second_stream_comes_by_a_new_answer_webhook_only(on_stage: OnStage) -> None:
    """And then in place of the first: never two streams of one call."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        token = await stage.token(transfer_id, call)
        assert token is not None
        assert await stage.token(transfer_id, call) == token
        async with connected(stage.port) as first:
            first.send(signed(stage, transfer_id, token))
            assert await first.status() == 101
            assert await stage.token(transfer_id, call) is None
            token = await stage.token(transfer_id, call, stream=1)
            assert token is not None
            async with connected(stage.port) as second:
                second.send(signed(stage, transfer_id, token))
                assert await second.status() == 101
                assert await first.rest() == OUT_OF_THE_WAY
                assert await stage.token(transfer_id, call) is None
                assert await stage.token(transfer_id, call, stream=1) is None
                assert (await stage.until(transfer_id, lambda _: True)).streams == 2

    on_stage(scenario, RINGS)
