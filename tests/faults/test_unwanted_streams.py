"""Whoever picks up a phone that Exotel could not be kept from ringing is hung up on, by the end of its stream."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.client import RelayClient
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.carriers.exotel import Exotel
from relay.dev.room_server import RoomServer
from relay.transfers.reasons import Reason
from tests.app.process import ServiceProcess, started

NUMBER = "+14155550123"
PICKS_UP_S = 8.0
"""By then a service that was killed has been started again."""


class Exchange:
    """
    A service that dials with Exotel, as a process that can be started again where it was.

    Args:
        carrier: Exotel.
        rooms: where it goes.
        store_url: its store.
        folder: where it is started.
    """

    def __init__(self, carrier: SimulatedCarrier, rooms: RoomServer, store_url: str, folder: Path) -> None:
        account = carrier.dialect.settings(carrier.api_url, NUMBER)
        self._env = {
            **{name.removeprefix("RELAY_"): value for name, value in account.items()},
            "LISTEN": "127.0.0.1:0",
            "REDIS_URL": store_url,
            "REDIS_PREFIX": uuid.uuid4().hex,
            "LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port}",
            "DESTINATIONS": f'{{"billing": {{"to": "{NUMBER}"}}}}',
            "WORKER_SPARES": "0",
        }
        self._folder = folder
        self._room_url = rooms.room_url("blue")
        self._carrier = carrier

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[ServiceProcess, RelayClient]]:
        async with started(self._folder, self._env) as process:
            base_url = str((await process.until("serving"))["url"])
            self._env["LISTEN"] = base_url.removeprefix("http://")
            async with RelayClient(base_url) as relay:
                yield process, relay

    async def ringing(self, relay: RelayClient) -> str:
        """A transfer whose phone rings."""
        transfer = await relay.transfer(room_url=self._room_url, destination="billing")
        await (await self._carrier.until_call()).until(lambda call: call.status == "ringing")
        return transfer.transfer_id


async def hung_up(carrier: SimulatedCarrier) -> SimulatedCall:
    """The only call, when the end of its stream has ended it."""
    (call,) = carrier.calls
    await call.until(lambda call: call.phone is not None and call.phone.closed is not None, timeout_s=20)
    await carrier.until_idle()
    assert call.phone is not None
    assert call.phone.closed is not None
    assert (call.phone.closed.code, call.phone.frames_heard, call.violations) == (1000, 0, [])
    return call


async def ended(process: ServiceProcess) -> str:
    """All that it has logged."""
    process.process.send_signal(signal.SIGTERM)
    await process.ended()
    return "".join(process.lines)


async def test_phone_that_exotel_lets_ring_is_hung_up_when_it_is_answered(store_url: str, tmp_path: Path) -> None:
    script = Outcome(callee=Answers(after_s=2.0))
    async with SimulatedCarrier(dialect=Exotel(), script=script) as carrier, RoomServer("127.0.0.1", 0) as rooms:
        exchange = Exchange(carrier, rooms, store_url, tmp_path)
        async with exchange.run() as (service, relay):
            assert (await relay.cancel(await exchange.ringing(relay))).reason is Reason.CANCELED_BY_API
            assert carrier.live_calls
            await hung_up(carrier)
            assert "upgrade_dismissed" in await ended(service)


@pytest.mark.long
async def test_f30_phone_that_exotel_lets_ring_is_hung_up_by_the_next_service(store_url: str, tmp_path: Path) -> None:
    """That knows none of the tokens; the password in the stream's URL is an HMAC by Exotel's API token."""
    script = Outcome(callee=Answers(after_s=PICKS_UP_S))
    async with SimulatedCarrier(dialect=Exotel(), script=script) as carrier, RoomServer("127.0.0.1", 0) as rooms:
        exchange = Exchange(carrier, rooms, store_url, tmp_path)
        async with exchange.run() as (service, relay):
            transfer_id = await exchange.ringing(relay)
            service.process.kill()
            await service.ended()
        async with exchange.run() as (service, relay):
            await hung_up(carrier)
            assert (await relay.get(transfer_id)).reason is Reason.NODE_LOST
            assert "upgrade_dismissed" in await ended(service)
