"""Keys that a relay lets the agent's phone hear: by REST as relay's own controls ask for it, and who cannot."""

from __future__ import annotations

import aiohttp
import pytest

from relay.app.accounts import ACCOUNTS
from relay.app.settings import load_settings
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import ANSWERED
from relay.providers.control import HttpReply
from relay.providers.sends_dtmf import SendsDtmf
from tests.dev.carriers.cases import CASES
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run

HEARD = {"telnyx": ("12#w", "12#w"), "vonage": ("12#w", "12#p"), "jambonz": ("12#", "12#")}
"""What is asked for, and what the carrier plays."""


def control(carrier: SimulatedCarrier) -> SendsDtmf:
    env = {
        "RELAY_LOCAL_ROOMS": "http://127.0.0.1:8090",
        "RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123"}}',
        **carrier.dialect.settings(carrier.api_url, "+14155550100"),
    }
    made = ACCOUNTS[carrier.dialect.name].control(load_settings(env))
    assert isinstance(made, SendsDtmf)
    return made


async def send(by: SendsDtmf, call_id: str, digits: str) -> list[bool]:
    """Whether each request was taken."""
    taken = []
    async with aiohttp.ClientSession() as session:
        for request in by.send_dtmf(call_id, digits):
            async with session.request(
                request.method, request.url, headers=request.headers, data=request.body or None
            ) as response:
                reply = HttpReply(response.status, {}, await response.read())
            taken.append(by.read_dtmf(reply))
    return taken


@pytest.mark.parametrize("name", HEARD)
def test_the_phone_hears_what_relay_asks_for_by_rest(run: Run, name: str) -> None:
    async def whole() -> None:
        case, (digits, heard) = CASES[name], HEARD[name]
        async with SimulatedCarrier(dialect=case.make(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            here.document, here.subprotocols = case.document(here), case.subprotocols
            await dial(case, here)
            await here.until_media()
            call, by = carrier.calls[0], control(carrier)
            assert all(await send(by, call.sid, digits))
            assert call.keys_heard == heard
            call.hang_up()
            await carrier.until_idle()
            assert not any(await send(by, call.sid, digits[:1]))
            assert call.keys_heard == heard
            assert call.violations == []

    run(whole)


def test_keys_that_are_none_of_its_are_a_violation(run: Run) -> None:
    async def whole() -> None:
        case = CASES["telnyx"]
        async with SimulatedCarrier(dialect=case.make(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            await dial(case, here)
            await here.until_media()
            call = carrier.calls[0]
            for digits in ("E", "", None, 1):
                assert not call.hear(digits, "123")
            assert call.keys_heard == ""
            found = [each for each in call.violations if each.startswith("keys")]
            assert found == ["keys: expected some of 123, got others"] * 4

    run(whole)
