"""T1 to T5 for every carrier: who is not the carrier opens nothing and changes nothing, whatever has been recorded."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import AsyncExitStack
from typing import Final

import pytest

from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_webhooks import Kind
from relay.dev.carriers.by_name import CARRIERS
from relay.transfers.record import new_transfer_id
from relay.transfers.states import State
from tests.threats.any_carrier import (
    UNSIGNED,
    Opening,
    elsewhere,
    opening,
    other_places,
    true_webhooks,
    with_a_byte_changed,
    written,
)
from tests.threats.conftest import OnStage
from tests.threats.raw import connected, status_of, statuses_of
from tests.threats.stage import RINGS, Stage
from tests.threats.test_t3_webhooks import SPOOFED

pytestmark = [pytest.mark.usefixtures("in_process"), pytest.mark.parametrize("carrier", CARRIERS)]

NO_WEBHOOKS: Final = "asterisk"
"""Its news come over a connection that relay opens."""
NOBODY: Final = new_transfer_id(1, b"0123456789")
COPIES: Final = 3
CLOSED: Final = b"\x88\x02\x03\xe8"
"""A close frame with 1000."""


async def opens(stage: Stage, data: bytes) -> bool:
    return await status_of(stage.port, data) == 101


def refusal_of(carrier: str) -> int:
    """Of a stream that shows what is wrong; Exotel's credentials are of its whole URL, token and all (T6)."""
    return 401 if carrier == "exotel" else 403


async def reaches_nobody(stage: Stage, data: bytes) -> bool:
    """Whether a stream that was let in once is refused, or closed at once where that is how its call ends (Exotel)."""
    async with connected(stage.port) as stream:
        stream.send(data)
        if await stream.status() != 101:
            return True
        return stage.carrier.dialect.name == "exotel" and await stream.rest() == CLOSED


async def is_over(stage: Stage, *calls: SimulatedCall) -> None:
    """The people hang up; a carrier may be unable to."""
    for call in calls:
        call.hang_up()
    await stage.carrier.until_idle()


def ringing_for(stage: Stage) -> dict[str, str]:
    return {"accept": "detection"} if stage.carrier.dialect.traits.detects else {}


# --- T1, T2: media streams ---


def test_t1_a_start_without_a_token_reaches_no_bridge_of_any_carrier(on_stage: OnStage, carrier: str) -> None:
    """All that the carrier would show is shown, and the stream's first messages are right behind."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        true = await opening(stage, call)
        before = await stage.record(transfer_id)
        place = f"/carriers/{carrier}/{transfer_id}/media"
        targets = {
            "/": 404,
            place: 404,
            f"{place}/": 404,
            f"{place}/{'a' * 42}": 404,
            f"{place}/{'a' * 43}/": 404,
            f"/carriers/{carrier}/media": 404,
            f"/carriers/{carrier}/media?transfer={transfer_id}": 404,
            f"/carriers/telco/{transfer_id}/media/{'a' * 43}": 404,
            f"/carriers/{carrier}/media?transfer={transfer_id}&token={'a' * 43}": refusal_of(carrier),
            f"{place}/{'a' * 43}": refusal_of(carrier),
        }
        for target, status in targets.items():
            async with connected(stage.port) as stranger:
                signed = true.to(f"wss://relay.example.com{target}")
                stranger.send(signed.written(target=target) + true.start)
                assert (target, await stranger.status()) == (target, status)
                assert await stranger.rest() == b""
        assert await stage.record(transfer_id) == before
        assert await opens(stage, true.written())
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


@pytest.mark.parametrize("count", [100, pytest.param(1250, marks=pytest.mark.long)])
def test_t1_no_guessed_token_opens_a_stream_of_any_carrier(on_stage: OnStage, carrier: str, count: int) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        true = await opening(stage, call)
        before = await stage.record(transfer_id)
        guessed = (true.with_token(secrets.token_urlsafe(32)).written() for _ in range(count))
        statuses = await statuses_of(stage.port, guessed)
        assert 101 not in statuses
        # The rest: a store that does not answer lets nobody in.
        assert statuses.count(refusal_of(carrier)) > 0.9 * count
        assert await stage.record(transfer_id) == before
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


def test_t1_the_token_opens_nothing_for_who_does_not_show_what_the_carrier_does(
    on_stage: OnStage, carrier: str
) -> None:
    """Who has read the URL in a proxy's log cannot use it, nor use it up."""

    async def scenario(stage: Stage) -> None:
        _, call = await stage.ringing()
        true = await opening(stage, call)
        assert true.headers
        for name, value in true.headers.items():
            wrong = [value[:-2] + ("AA" if value[-2:] != "AA" else "BB"), value[:-1], "", value + "A"]
            forged = [true.written((name, each), without=name) for each in wrong]
            forged += [true.written(without=name), true.written((name, value))]
            statuses = [await status_of(stage.port, data) for data in forged]
            assert (name, set(statuses[:-1])) == (name, {refusal_of(carrier)})
            assert statuses[-1] in (refusal_of(carrier), 101)  # it shows what is right, twice
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


def test_t1_a_token_of_any_carrier_opens_its_own_call_once(on_stage: OnStage, carrier: str) -> None:
    async def scenario(stage: Stage) -> None:
        one_id, one = await stage.ringing()
        other_id, other = await stage.ringing()
        its, others = await opening(stage, one), await opening(stage, other)
        assert not await opens(stage, its.with_token(others.token).written())
        assert not await opens(stage, its.to(its.stream.url.replace(one_id, other_id)).written())
        assert not await opens(stage, its.to(its.stream.url.replace(one_id, NOBODY)).written())
        async with connected(stage.port) as stream:
            stream.send(its.written())
            assert await stream.status() == 101
            assert not await opens(stage, its.written())
        assert await reaches_nobody(stage, its.written())
        await is_over(stage, one, other)
        assert await reaches_nobody(stage, its.written())
        assert await reaches_nobody(stage, others.written())

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.long)])
def test_t2_of_twenty_upgrades_at_once_of_any_carrier_one_is_let_in(
    on_stage: OnStage, carrier: str, rounds: int
) -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(rounds):
            transfer_id, call = await stage.ringing()
            true: Opening = await opening(stage, call)
            async with AsyncExitStack() as stack:
                rivals = [await stack.enter_async_context(connected(stage.port)) for _ in range(20)]
                for rival in rivals:
                    rival.send(true.written())
                statuses = await asyncio.gather(*(rival.status() for rival in rivals))
                assert statuses.count(101) == 1
                assert set(statuses) <= {101, 403, 503}
                assert (await stage.until(transfer_id, lambda _: True)).streams == 1
                await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


# --- T3: webhooks ---


def test_t3_a_true_webhook_of_any_carrier_is_good_for_its_own_url_only(on_stage: OnStage, carrier: str) -> None:
    """
    While two calls are joined: what was recorded of one, at all URLs that can be thought of.

    It would open a stream in place of the agent's, or end a call that goes on.
    """

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.joined()
        other_id, other = await stage.joined()
        before = [await stage.record(each) for each in (transfer_id, other_id)]
        requests = stage.rest_requests()
        recorded = {webhook.kind: webhook for webhook in call.webhooks if webhook.url}
        recorded |= true_webhooks(stage, call)
        assert bool(recorded) is (carrier != NO_WEBHOOKS)
        for kind, webhook in recorded.items():
            others = {other_id: "", NOBODY: ""}
            places = list(dict.fromkeys(other_places(stage, webhook, transfer_id, others)))
            statuses = [(url, await status_of(stage.port, written(webhook, url=url))) for url in places]
            assert [(kind, *each) for each in statuses if each[1] not in (403, 404)] == []
        assert [await stage.record(each) for each in (transfer_id, other_id)] == before
        assert stage.rest_requests() == requests
        for each in (call, other):
            assert each.is_live
            assert each.phone is not None
            await each.phone.until_heard(each.phone.frames_heard + 3)
            assert len(each.phones) == 1
        await is_over(stage, call, other)

    on_stage(scenario, dialect=CARRIERS[carrier]())


def test_t3_a_forged_webhook_of_any_carrier_is_refused_and_changes_nothing(on_stage: OnStage, carrier: str) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing(**ringing_for(stage))
        before, requests = await stage.record(transfer_id), stage.rest_requests()
        true = true_webhooks(stage, call)
        for webhook in true.values():
            proofs = [name for name in webhook.headers if name not in UNSIGNED]
            forged = [written(webhook, without=name) for name in proofs]
            forged += [written(webhook, **{name.replace("-", "_"): "A" * 43}) for name in proofs]
            forged.append(written(webhook, url=webhook.url + "?a=b"))
            assert {await status_of(stage.port, data) for data in forged} == {403}
        for kind in ("answer/0", "status", "detection"):  # whoever it is, without any proof
            path = f"/carriers/{carrier}/{transfer_id}/{kind}"
            reply = await stage.ask("POST", path, {"call_sid": call.sid, "CallSid": call.sid}, key=None)
            assert reply.status in (403, 404)
        assert await stage.record(transfer_id) == before
        assert stage.rest_requests() == requests
        assert call.is_live
        for kind in (kind for kind in (Kind.ANSWER, Kind.STATUS) if kind in true):
            assert 200 <= await status_of(stage.port, written(true[kind])) < 300
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_t3_no_byte_of_a_webhook_of_any_carrier_can_be_another(on_stage: OnStage, carrier: str, count: int) -> None:
    """Of its URL, its proofs and its body; Exotel vouches for no body."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing(**ringing_for(stage))
        before, requests = await stage.record(transfer_id), stage.rest_requests()
        choose, true = random.Random(carrier), [*true_webhooks(stage, call).values()]
        forged = [
            with_a_byte_changed(true[number % len(true)], choose, signs_body=carrier != "exotel")
            for number in range(count if true else 0)
        ]
        statuses = await statuses_of(stage.port, forged)
        assert {status for status in statuses if not 400 <= status < 500} == set()
        assert not forged or statuses.count(403) > count / 20  # the rest: no place at all, or no HTTP
        assert await stage.record(transfer_id) == before
        assert stage.rest_requests() == requests
        assert call.is_live
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


# --- T4: which URL ---


def test_t4_no_header_says_where_a_webhook_of_any_carrier_went(on_stage: OnStage, carrier: str) -> None:
    """With it the true one is taken all the same, and one for another place is not."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        said = stage.carrier.dialect.progress(call, "initiated", "initiated")
        if carrier != NO_WEBHOOKS:
            true = next(each for each in call.webhooks if each.kind is Kind.STATUS) if said else None
            true = true or true_webhooks(stage, call)[Kind.STATUS]
            for name, value in SPOOFED.items():
                spoofed = {name.replace("-", "_"): value}
                moved = written(true, url=elsewhere(true.url).replace(transfer_id, NOBODY), **spoofed)
                assert (name, await status_of(stage.port, moved)) == (name, 403)
                assert (name, await status_of(stage.port, written(true, **spoofed))) == (name, 204)
        await is_over(stage, call)

    on_stage(scenario, RINGS, dialect=CARRIERS[carrier]())


# --- T5: again ---


def test_t5_what_any_carrier_has_said_changes_nothing_when_it_comes_again(on_stage: OnStage, carrier: str) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.joined()
        before, requests, said = await stage.record(transfer_id), stage.rest_requests(), list(call.webhooks)
        for webhook in said * COPIES:
            again = await stage.carrier.replay(webhook)
            assert again.reply_status in (200, 204)
        assert call.phone is not None
        await call.phone.until_heard(call.phone.frames_heard + 3)
        assert [call.is_live, len(call.phones)] == [True, 1]
        assert await stage.record(transfer_id) == before
        assert stage.rest_requests() == requests
        assert (await stage.until(transfer_id, lambda _: True)).streams == 1
        call.hang_up()
        await stage.until_over(transfer_id)
        await stage.until_settled()
        record = await stage.record(transfer_id)
        for webhook in list(call.webhooks) * COPIES:
            await stage.carrier.replay(webhook)
        assert await stage.record(transfer_id) == record
        assert (await stage.until(transfer_id, lambda _: True)).state is State.DISCONNECTED
        assert stage.carrier.dials == 1

    on_stage(scenario, dialect=CARRIERS[carrier]())
