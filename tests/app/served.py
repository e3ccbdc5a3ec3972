"""The application as it is served, on a real store and a real coordinator; carrier and bridges are simulated."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from uvicorn.server import ServerState

from relay.app.admission import Admission, AdmittingBridges
from relay.app.bridging import Bridging, Releases
from relay.app.carrier_urls import CarrierUrls
from relay.app.http_app import create_app
from relay.app.http_protocol import BoundedHttp
from relay.app.media_upgrade import media_upgrade
from relay.app.metrics import Metrics
from relay.app.numbers import NumberPolicy
from relay.app.room_urls import RoomPolicy
from relay.app.services import Services
from relay.app.settings import Settings
from relay.bridge.messages import RoomSpec
from relay.bridge.pool import WorkerPool
from relay.dev.until import Changes
from relay.providers.twilio_control import TwilioControl
from relay.transfers.coordinator import Coordinator
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.news import Subscription
from relay.transfers.ports import PhoneEnded, PhoneNews, PhoneReport
from relay.transfers.record import TransferOrder
from relay.transfers.store import Answer, TransferStore
from tests.transfers.simulated import SimulatedBridges, SimulatedCarrier

ADMIN_KEY = "a" * 32
TRIGGER_KEY = "t" * 32
READ_KEY = "r" * 32
BILLING_NUMBER = "+14155550123"
ROOM = "https://example.daily.co/support-42"
END_S = 1.0
"""What requests that are being answered get, when the server ends."""
NOBODY = "tr_" + "0" * 32


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any


class WatchedStore(TransferStore):
    """
    The store, and who waits for it: for news of a transfer, or for a token to be used up.

    ``may_consume`` is open; a test that clears it keeps tokens from being used up until it sets it.
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        super().__init__(url, prefix=prefix)
        self.may_consume = asyncio.Event()
        self.may_consume.set()
        self._consuming = 0
        self._waiting: Counter[str] = Counter()
        self._changes = Changes()

    async def consume(self, transfer_id: str, *, token_sha256: str) -> Answer:
        self._consuming += 1
        self._changes.changed()
        try:
            await self.may_consume.wait()
            return await super().consume(transfer_id, token_sha256=token_sha256)
        finally:
            self._consuming -= 1
            self._changes.changed()

    async def until_consuming(self, count: int) -> None:
        await self._changes.until(lambda: self._consuming == count, f"{count} consuming", timeout_s=10)

    @asynccontextmanager
    async def news(self, transfer_id: str) -> AsyncIterator[Subscription]:
        async with super().news(transfer_id) as news:
            self._note(transfer_id, 1)
            try:
                yield news
            finally:
                self._note(transfer_id, -1)

    async def until_waiting(self, transfer_id: str, count: int) -> None:
        await self._changes.until(lambda: self._waiting[transfer_id] == count, f"{count} waiting", timeout_s=10)

    def _note(self, transfer_id: str, change: int) -> None:
        self._waiting[transfer_id] += change
        self._changes.changed()


@dataclass(frozen=True, slots=True)
class Served:
    """A service that listens."""

    app: FastAPI
    base_url: str
    http: aiohttp.ClientSession
    services: Services
    store: WatchedStore
    coordinator: Coordinator
    carrier: SimulatedCarrier
    bridges: SimulatedBridges
    releases: Releases

    @property
    def api_routes(self) -> list[APIRoute]:
        """All routes but that of the OpenAPI document itself, however FastAPI keeps included routers."""
        flat = [each for route in self.app.routes for each in getattr(route, "original_router", self.app).routes]
        return [route for route in flat if isinstance(route, APIRoute)]

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = ADMIN_KEY, **headers: str
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Authorization"] = f"Bearer {key}"
        content = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.http.request(method, self.base_url + path, headers=named, **content) as answer:
            text = await answer.text()
            json = await answer.json(content_type=None) if "json" in answer.content_type else None
            return Reply(answer.status, answer.headers.copy(), text, json)

    async def post(self, *, room_url: str = ROOM, headers: Mapping[str, str] | None = None, **body: Any) -> Reply:
        request = {"room_url": room_url, **({} if "to" in body else {"destination": "billing"}), **body}
        return await self.ask("POST", "/v1/transfers", request, **(headers or {}))

    async def make(self, **body: Any) -> str:
        """A transfer whose phone the carrier has been told to call; its id."""
        reply = await self.post(**body)
        assert reply.status == 201, reply.text
        transfer_id: str = reply.json["id"]
        await self.until_dialled(transfer_id)
        return transfer_id

    async def until_dialled(self, transfer_id: str) -> None:
        await self.carrier.until(lambda carrier: any(dial.transfer_id == transfer_id for dial in carrier.dials))

    async def report(self, transfer_id: str, news: PhoneNews) -> None:
        """The carrier's callback about the only call it has."""
        if isinstance(news, PhoneEnded):
            self.carrier.end("CA1")
        report = PhoneReport("CA1", news, type(news).__name__)
        await self.coordinator.report(transfer_id, "twilio", report)


def assert_problem(reply: Reply, status: int, kind: str) -> None:
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")
    assert reply.json["type"] == f"urn:relay:problem:{kind}"
    assert reply.json["status"] == status
    assert reply.json["title"]
    assert reply.json["detail"]


def settings_with(**changes: Any) -> Settings:
    given = {
        "api_keys": [
            {"key": ADMIN_KEY, "scopes": ["admin"]},
            {"key": TRIGGER_KEY, "scopes": ["trigger"]},
            {"key": READ_KEY, "scopes": ["read"]},
        ],
        "destinations": {
            "billing": {"to": BILLING_NUMBER},
            "sales": {
                "to": "+442071838750",
                "from": "+14155550111",
                "accept": "press_1",
                "ring_timeout_s": 12,
                "say": "Press 1 to take the call.",
            },
        },
        "daily_domains": ["example"],
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": "c" * 32,
        "twilio_from": "+14155550100",
        "public_url": "https://relay.example.com",
    }
    return Settings(**(given | changes))


def no_room(order: TransferOrder) -> RoomSpec:
    """Of a pool that nobody takes a worker from: bridges are simulated."""
    raise AssertionError(order)


@asynccontextmanager
async def serving(
    store_url: str, settings: Settings | None = None, coordinating: CoordinatorSettings | None = None
) -> AsyncIterator[Served]:
    """A service that listens on a port of its own, within the block."""
    settings = settings or settings_with()
    carrier, bridges, releases = SimulatedCarrier(), SimulatedBridges(), Releases()
    async with AsyncExitStack() as stack:
        store = WatchedStore(store_url, prefix=uuid.uuid4().hex)
        stack.push_async_callback(store.close)
        await store.open()
        metrics = Metrics()
        admission = Admission(on_refused=metrics.refused)
        coordinator = Coordinator(
            store,
            AdmittingBridges(bridges, admission),
            {"twilio": carrier},
            node_id="n1",
            settings=coordinating,
            on_change=metrics.changed,
        )
        services = Services(
            settings=settings,
            store=store,
            coordinator=coordinator,
            controls={"twilio": TwilioControl(account_sid="AC" + "0" * 32, auth_token="c" * 32)},
            urls=CarrierUrls("https://relay.example.com"),
            rooms=RoomPolicy(settings.daily_domains, settings.local_rooms),
            numbers=NumberPolicy(settings.allowed_numbers, settings.denied_numbers),
            metrics=metrics,
            admission=admission,
            bridging=Bridging(WorkerPool((), rooms=no_room, workers_max=1, spares=0), releases),
        )
        app = create_app(services)
        base_url = await stack.enter_async_context(listening(app, ws=media_upgrade(services)))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stack.push_async_callback(coordinator.shut_down, drain_timeout_s=0)
        yield Served(app, base_url, http, services, store, coordinator, carrier, bridges, releases)


@asynccontextmanager
async def listening(app: Any, *, ws: type[asyncio.Protocol] | None = None) -> AsyncIterator[str]:
    """
    The URL where an application is served, within the block; ``ws``: what serves WebSockets, if anything.

    As uvicorn's server does it, but for the tenths of a second that it sleeps before and while it ends.
    """
    config = uvicorn.Config(app, http=BoundedHttp, ws=ws or "none", lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHttp(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            _, slow = await asyncio.wait(state.tasks, timeout=END_S)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
        await server.wait_closed()
