"""Callbacks come as their delivery says, signed, to where a public origin is reached."""

import asyncio
import itertools
import socket

import aiohttp
import pytest

from relay.dev.carrier_outcomes import Delivery
from relay.dev.carrier_webhooks import Courier, Kind, Origins, Sender, Webhook
from tests.dev.conftest import Run

STATUSES = ("initiated", "ringing", "in-progress", "completed")


def callback(status: str) -> Webhook:
    return Webhook(kind=Kind.STATUS, url="http://relay.test/status", form={"CallStatus": status}, headers={})


def brought(run: Run, delivery: Delivery, *, until: int = 4) -> list[str]:
    """What is brought of the first callbacks of a call; the last of all is the last if there are four."""
    came: list[str] = []

    async def bring(webhook: Webhook) -> None:
        await asyncio.sleep(0)  # answered later
        came.append(webhook.call_status)

    async def scenario() -> None:
        courier = Courier(bring, delivery)
        for number, status in enumerate(STATUSES[:until], start=1):
            courier.take(callback(status), is_last=number == until == len(STATUSES))
        await courier.idle()

    run(scenario)
    return came


def test_callbacks_come_in_order_and_once(run: Run) -> None:
    assert brought(run, Delivery()) == [*STATUSES]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))], ids=str)
def test_callbacks_come_in_the_order_of_any_permutation(run: Run, order: tuple[int, ...]) -> None:
    assert brought(run, Delivery(order=order)) == [STATUSES[number] for number in order]


def test_one_that_is_overtaken_is_held_back_until_it_was(run: Run) -> None:
    assert brought(run, Delivery(order=(0, 2, 1, 3)), until=2) == ["initiated"]
    assert brought(run, Delivery(order=(0, 2, 1, 3)), until=3) == ["initiated", "in-progress", "ringing"]


def test_a_call_with_fewer_callbacks_brings_those_that_it_has(run: Run) -> None:
    assert brought(run, Delivery(order=(5, 3, 4, 1, 0, 2))) == ["completed", "ringing", "initiated", "in-progress"]


def test_copies_come_one_after_the_other(run: Run) -> None:
    assert brought(run, Delivery(copies=2)) == [status for status in STATUSES for _ in range(2)]


def test_no_copies_are_no_callbacks(run: Run) -> None:
    assert brought(run, Delivery(copies=0)) == []


def test_a_late_one_is_not_waited_for(run: Run) -> None:
    came: list[Webhook] = []

    async def bring(webhook: Webhook) -> None:
        came.append(webhook)

    async def scenario() -> None:
        courier = Courier(bring, Delivery(late_s=0.03))
        courier.take(callback("initiated"))
        await courier.in_step()
        assert came == []
        await courier.idle()
        assert len(came) == 1

    run(scenario)


def test_a_courier_that_is_closed_brings_nothing_more(run: Run) -> None:
    came: list[Webhook] = []

    async def bring(webhook: Webhook) -> None:
        came.append(webhook)

    async def scenario() -> None:
        courier = Courier(bring, Delivery(late_s=60))
        courier.take(callback("initiated"))
        await courier.close()

    run(scenario)
    assert came == []


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://relay.test/answer/0?leg=1", "http://127.0.0.1:8080/answer/0?leg=1"),
        ("wss://relay.test/media/t0k3n", "ws://127.0.0.1:8080/media/t0k3n"),
        ("https://relay.test:8443/answer", "https://relay.test:8443/answer"),
        ("http://relay.test/answer", "http://relay.test/answer"),
        ("ws://127.0.0.1:9/media", "ws://127.0.0.1:9/media"),
    ],
)
def test_a_public_origin_is_reached_where_it_is_said_to_be(url: str, local: str) -> None:
    origins = Origins()
    origins.reach("https://relay.test/", "http://127.0.0.1:8080/")
    assert origins.local(url) == local


def test_a_relay_that_is_not_there_is_an_error_and_not_raised(run: Run) -> None:
    async def scenario() -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))  # and does not listen
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/status"
            sent = await send(url)
        assert (sent.reply_status, sent.is_accepted) == (0, False)
        assert "Cannot connect" in sent.error

    async def send(url: str) -> Webhook:
        async with aiohttp.ClientSession() as session:
            sender = Sender(session, Origins(), auth_token="simulated")  # noqa: S106 -- of nothing
            return await sender.send(sender.signed(Kind.STATUS, url, {"CallStatus": "busy"}))

    run(scenario)


def test_nothing_of_a_call_shows_in_the_repr_of_a_webhook() -> None:
    webhook = Webhook(kind=Kind.STATUS, url="http://relay.test", form={"To": "+15550100001"}, headers={"X": "secret"})
    assert "1555" not in repr(webhook)
    assert "secret" not in repr(webhook)
