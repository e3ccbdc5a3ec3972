"""The whole service with each of the carriers that it has settings for."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from relay.app.accounts import ACCOUNTS
from relay.app.ari import AriAccount
from relay.app.carriers import CarrierAccount
from relay.app.service import running
from tests.app.simulated_ari import PASSWORD, USER, SimulatedAri
from tests.app.test_accounts import SIMULATED
from tests.app.test_service import run, settings_for

NO_TWILIO = dict.fromkeys(ACCOUNTS["twilio"].needed)


def settings_of(name: str, **changes: Any) -> Any:
    return settings_for(**{**NO_TWILIO, **SIMULATED[name], **changes})


@pytest.mark.parametrize("name", list(ACCOUNTS))
def test_a_service_starts_with_any_carrier_and_serves_it_alone(name: str) -> None:
    async def scenario() -> None:
        async with running(settings_of(name)) as service, aiohttp.ClientSession() as http:
            assert list(service.services.controls) == [name]
            assert type(service.services.controls[name]) is ACCOUNTS[name].kind
            for other in ACCOUNTS:
                url = f"{service.base_url}/carriers/{other}/tr_{'0' * 32}/status"
                async with http.post(url, data=b"{}") as answer:
                    assert (other, answer.status) == (other, 403 if other == name else 404)

    run(scenario())


def test_a_service_has_all_carriers_at_once() -> None:
    async def scenario() -> None:
        together = {setting: value for name in ACCOUNTS for setting, value in SIMULATED[name].items()}
        async with running(settings_for(**together, default_provider="plivo")) as service:
            carriers = service.services.coordinator._carriers
            assert list(carriers) == list(ACCOUNTS)
            at_dial = {name for name, carrier in carriers.items() if carrier.opens_stream_at_dial}
            assert at_dial == {"telnyx", "exotel"}
            once = {name for name, carrier in carriers.items() if not carrier.reopens_stream}
            assert once == {"telnyx", "exotel", "vonage"}
            assert {name for name, carrier in carriers.items() if not carrier.tells_ringing} == {"telnyx", "exotel"}
            assert {name for name, each in carriers.items() if not isinstance(each, CarrierAccount)} == {"asterisk"}

    run(scenario())


async def readiness(base_url: str) -> tuple[int, bool | None]:
    """The answer of ``/readyz``, and what it says of Asterisk."""
    async with aiohttp.ClientSession() as http, http.get(f"{base_url}/readyz") as answer:
        return answer.status, (await answer.json())["parts"].get("asterisk")


def test_a_service_that_has_other_carriers_is_ready_without_its_asterisk() -> None:
    async def scenario() -> None:
        both = {**NO_TWILIO, **SIMULATED["asterisk"], **SIMULATED["plivo"]}
        async with running(settings_for(**both, default_provider="plivo")) as service:
            assert await readiness(service.base_url) == (200, None)

    run(scenario())


def test_a_service_listens_to_its_asterisk_for_as_long_as_it_runs() -> None:
    async def scenario() -> None:
        async with SimulatedAri() as ari:
            account = {"asterisk_ari_url": ari.url, "asterisk_ari_user": USER, "asterisk_ari_password": PASSWORD}
            async with running(settings_of("asterisk", **account)) as service:
                carrier = service.services.coordinator._carriers["asterisk"]
                assert isinstance(carrier, AriAccount)
                await carrier.until_heard()
                assert ari.connections == 1
                assert await readiness(service.base_url) == (200, True)
                ari.statuses["events"] = 503
                await ari.go_deaf()
                await ari.until_asked("GET", "events", count=3)
                assert await readiness(service.base_url) == (503, False)
            assert not carrier.is_heard

    run(scenario())
