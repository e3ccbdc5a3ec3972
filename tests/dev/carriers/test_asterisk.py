"""A call with Asterisk: over ARI, its events over a WebSocket, its media asked for when it was answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import ANSWERED, BUSY, NO_ANSWER, NO_LINE, NO_SUCH_NUMBER, REJECTED, Script
from relay.dev.carriers.asterisk import MEDIA_PASSWORD, MEDIA_USER, PASSWORD, USER, Asterisk
from tests.dev.carriers.cases import basic
from tests.dev.carriers.stand_in import StandIn
from tests.dev.conftest import Run

CALL, MEDIA, BRIDGE = "tr_1", "tr_1-media", "tr_1-bridge"
DIAL = {
    "endpoint": "PJSIP/+14155550123@trunk",
    "app": "relay",
    "callerId": "+14155550100",
    "timeout": "30",
    "channelId": CALL,
}
EXTERNAL = {
    "channelId": MEDIA,
    "app": "relay",
    "external_host": "relay",
    "transport": "websocket",
    "encapsulation": "none",
    "format": "ulaw",
    "transport_data": "f(json)v(transfer=tr_1,token=t0k3n)",
}


class Ari:
    """What a relay does there."""

    def __init__(self, here: StandIn, listener: aiohttp.ClientWebSocketResponse) -> None:
        self.here = here
        self._listener = listener

    async def ask(self, method: str, path: str, **query: str) -> tuple[int, Any]:
        status, body, _ = await self.here.ask(method, f"/ari/{path}", params=query, headers=basic(USER, PASSWORD))
        return status, body

    async def until(self, event: str, channel_id: str = CALL) -> dict[str, Any]:
        """The next event of this kind about that channel."""
        async with asyncio.timeout(10):
            while True:
                told: dict[str, Any] = await self._listener.receive_json()
                if (told["type"], told["channel"]["id"]) == (event, channel_id):
                    return told


def played(run: Run, script: Script, scenario: Callable[[SimulatedCarrier, Ari], Awaitable[None]]) -> None:
    async def whole() -> None:
        dialect = Asterisk()
        async with SimulatedCarrier(dialect=dialect, script=script) as carrier, StandIn(carrier) as here:
            dialect.relay_url, here.subprotocols = here.url, ("media",)
            async with listening(here) as ari:
                await scenario(carrier, ari)
                await carrier.until_idle()

    run(whole)


@asynccontextmanager
async def listening(here: StandIn) -> AsyncIterator[Ari]:
    url = f"{here.carrier.api_url}/ari/events?app=relay&subscribeAll=false"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=basic(USER, PASSWORD)) as listener:
        yield Ari(here, listener)


async def with_media(ari: Ari) -> None:
    """Dial, and give the call its media when it was answered."""
    status, body = await ari.ask("POST", "channels", **DIAL)
    assert (status, body["id"], body["state"]) == (200, CALL, "Down")
    await ari.until("StasisStart")
    assert (await ari.ask("POST", "bridges", type="mixing", bridgeId=BRIDGE))[0] == 200
    assert (await ari.ask("POST", "channels/externalMedia", **EXTERNAL))[0] == 200
    await ari.until("StasisStart", MEDIA)
    assert (await ari.ask("POST", f"bridges/{BRIDGE}/addChannel", channel=f"{CALL},{MEDIA}"))[0] == 204


def test_the_media_of_a_call_is_opened_with_credentials_and_the_calls_own_query(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        await with_media(ari)
        media = await ari.here.until_media()
        assert media.headers["Authorization"] == basic(MEDIA_USER, MEDIA_PASSWORD)["Authorization"]
        assert (media.path, media.subprotocol) == ("/carriers/asterisk/media?transfer=tr_1&token=t0k3n", "media")
        assert json.loads(media.messages[0])["channel_id"] == MEDIA
        carrier.calls[0].hang_up()
        assert (await ari.until("ChannelDestroyed"))["cause"] == 16
        assert carrier.calls[0].violations == []

    played(run, ANSWERED, scenario)


def test_a_stream_that_ends_leaves_the_call_and_another_can_be_asked_for(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        await with_media(ari)
        media = await ari.here.until_media()
        assert media.socket is not None
        await media.socket.close()
        await ari.until("ChannelDestroyed", MEDIA)
        assert carrier.calls[0].is_live
        assert (await ari.ask("POST", "channels/externalMedia", **EXTERNAL))[0] == 200
        await ari.until("StasisStart", MEDIA)
        assert (await ari.ask("POST", f"bridges/{BRIDGE}/addChannel", channel=f"{CALL},{MEDIA}"))[0] == 204
        assert len(carrier.calls[0].phones) == 2
        assert (await ari.ask("DELETE", f"channels/{CALL}", reason="normal"))[0] == 204
        await ari.until("ChannelDestroyed")
        assert (await ari.ask("DELETE", f"channels/{CALL}", reason="normal"))[0] == 404
        assert (await ari.ask("DELETE", f"bridges/{BRIDGE}"))[0] == 204
        assert (await ari.ask("GET", "bridges"))[1] == []

    played(run, ANSWERED, scenario)


def test_media_and_bridges_are_left_over_until_they_are_ended(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        assert carrier.left_over == []
        await with_media(ari)
        assert carrier.left_over == [f"channel {MEDIA}", f"bridge {BRIDGE}"]
        carrier.calls[0].hang_up()
        await carrier.until(lambda carrier: carrier.left_over == [f"bridge {BRIDGE}"])
        assert (await ari.ask("DELETE", f"bridges/{BRIDGE}"))[0] == 204
        assert carrier.left_over == []

    played(run, ANSWERED, scenario)


def test_the_application_names_its_channels(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        await with_media(ari)
        status, application = await ari.ask("GET", "applications/relay")
        assert (status, application["channel_ids"]) == (200, [CALL, MEDIA])
        assert (await ari.ask("GET", "applications/other"))[0] == 404
        carrier.calls[0].hang_up()

    played(run, ANSWERED, scenario)


@pytest.mark.parametrize(("script", "cause"), [(BUSY, 17), (REJECTED, 21), (NO_SUCH_NUMBER, 1), (NO_LINE, 34)])
def test_a_call_that_nobody_answers_has_its_cause(run: Run, script: Script, cause: int) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        await ari.ask("POST", "channels", **DIAL)
        assert (await ari.until("ChannelDestroyed"))["cause"] == cause

    played(run, script, scenario)


def test_a_call_that_rings_is_listed_and_ended(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        await ari.ask("POST", "channels", **DIAL)
        assert (await ari.until("ChannelStateChange"))["channel"]["state"] == "Ringing"
        assert [(each["id"], each["state"]) for each in (await ari.ask("GET", "channels"))[1]] == [(CALL, "Ringing")]
        assert (await ari.ask("POST", "channels", **DIAL))[0] == 409
        assert (await ari.ask("DELETE", f"channels/{CALL}"))[0] == 204
        assert (await ari.ask("GET", f"channels/{CALL}"))[0] == 404

    played(run, NO_ANSWER, scenario)


def test_what_is_wrong_is_refused_or_a_violation(run: Run) -> None:
    async def scenario(carrier: SimulatedCarrier, ari: Ari) -> None:
        status, _, _ = await ari.here.ask("GET", "/ari/channels")
        assert status == 401
        assert (await ari.ask("POST", "channels", **(DIAL | {"endpoint": "SIP/1"})))[0] == 400
        assert (await ari.ask("POST", "channels/externalMedia", **(EXTERNAL | {"transport": "udp"})))[0] == 400
        assert (await ari.ask("POST", "channels/externalMedia", **EXTERNAL))[0] == 404
        assert (await ari.ask("POST", "bridges/none/addChannel", channel=CALL))[0] == 404
        assert carrier.violations != []

    played(run, ANSWERED, scenario)
