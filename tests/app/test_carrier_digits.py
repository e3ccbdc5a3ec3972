"""Keys by a carrier's REST: one request after the other, and what comes of an answer that is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from relay.providers.control import CarrierControl
from relay.providers.exotel_control import ExotelControl
from relay.providers.jambonz_control import JambonzControl
from relay.providers.plivo_control import PlivoControl
from tests.app.accounts import PUBLIC, counted
from tests.app.stand_in_rest import Answer, StandInRest, reply, reset

CALL = "1a6f9c34-0000-4000-8000-000000000001"


def always() -> bool:
    return True


def jambonz(api_url: str) -> CarrierControl:
    return JambonzControl(base_url=api_url, account_sid=CALL, api_key="key", webhook_secret="secret")  # noqa: S106


def plivo(api_url: str) -> CarrierControl:
    return PlivoControl(auth_id="MA" + 18 * "0", auth_token="token", api_url=api_url)  # noqa: S106


def exotel(api_url: str) -> CarrierControl:
    return ExotelControl(account_sid="one", api_key="key", api_token="token", api_url=api_url)  # noqa: S106


def asked(
    answer: Answer, asking: Callable[[CarrierAccount], Awaitable[Any]], make: Callable[[str], CarrierControl] = jambonz
) -> tuple[Any, list[tuple[str, bytes]], Metrics]:
    async def scenario() -> tuple[Any, list[tuple[str, bytes]], Metrics]:
        metrics = Metrics()
        async with StandInRest() as rest, carrier_session() as session:
            rest.answer = answer
            account = CarrierAccount(make(rest.url), session, CarrierUrls(PUBLIC), metrics=metrics, timeout_s=5.0)
            came = await asking(account)
            return came, [(each.method, each.body) for each in rest.requests], metrics

    return uvloop.run(scenario())


def test_each_key_is_asked_for_when_the_one_before_it_was_taken() -> None:
    came, requests, metrics = asked(reply(202), lambda account: account.send_digits(CALL, "1#", goes_on=always))
    assert came is True
    assert requests == [("PUT", b'{"dtmf":{"digit":"1"}}'), ("PUT", b'{"dtmf":{"digit":"#"}}')]
    assert counted(metrics) == {("send_dtmf", "2xx"): 2.0}


@pytest.mark.parametrize("answer", [reply(500), reply(404), reply(302, Location="/"), reset])
def test_none_is_asked_for_after_one_that_was_not(answer: Answer) -> None:
    came, requests, _ = asked(answer, lambda account: account.send_digits(CALL, "123", goes_on=always))
    assert came is False
    assert len(requests) == 1


def test_none_is_asked_for_when_the_transfer_is_no_longer_joined() -> None:
    joined = iter([True, True, False])
    came, requests, _ = asked(
        reply(202), lambda account: account.send_digits(CALL, "1234", goes_on=lambda: next(joined))
    )
    assert came is False
    assert len(requests) == 2


def test_of_a_call_that_is_none_nothing_is_asked() -> None:
    came, requests, _ = asked(reply(202), lambda account: account.send_digits("../x", "1", goes_on=always))
    assert (came, requests) == (False, [])


def test_a_carrier_without_such_requests_is_asked_nothing() -> None:
    came, requests, _ = asked(reply(202), lambda account: account.send_digits(CALL, "1", goes_on=always), plivo)
    assert (came, requests) == (False, [])


@pytest.mark.parametrize(
    ("make", "way", "taken", "refused"),
    [(jambonz, "rest", "12#*A", "1w"), (plivo, "stream", "12#wWD", "1p"), (exotel, "no", "", "1")],
)
def test_what_can_be_sent_is_what_the_carrier_has(
    make: Callable[[str], CarrierControl], way: str, taken: str, refused: str
) -> None:
    async def look(account: CarrierAccount) -> tuple[str, str | None, str | None]:
        return account.sends_digits, account.refuses_digits(taken or "1"), account.refuses_digits(refused)

    (found, first, second), requests, _ = asked(reply(500), look, make)
    assert (found, first is None, requests) == (way, bool(taken), [])
    assert second is not None
    assert second.startswith("1 to 32 of " if taken else "a carrier that can send keys")
