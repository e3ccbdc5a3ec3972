"""The whole service on this machine, for attackers: real sockets and a real store; carrier and rooms are simulated."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
from redis.asyncio import Redis

from relay.app.service import Service, running
from relay.app.settings import Settings, load_settings
from relay.dev.carrier import AUTH_TOKEN, SimulatedCarrier
from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_outcomes import ANSWERED, Answers, Outcome, Script
from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from relay.dev.carrier_webhooks import Kind
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.dialect import Dialect
from relay.dev.person import Person
from relay.dev.room_server import RoomServer
from relay.transfers.record import Transfer
from relay.transfers.states import State
from tests.app.served import ADMIN_KEY, BILLING_NUMBER, READ_KEY, TRIGGER_KEY, Reply

FORM_TYPE: Final = "application/x-www-form-urlencoded; charset=UTF-8"
PUBLIC: Final = "https://relay.example.com"
FROM: Final = "+14155550100"
TIMEOUT_S: Final = 10.0
RINGS: Final = Outcome(callee=Answers(after_s=3600))
"""It rings until somebody hangs up: what the carrier would do next is the test's to do, or to forge."""


@dataclass
class Stage:
    """A service that serves, and all that it works with."""

    service: Service
    carrier: SimulatedCarrier
    rooms: RoomServer
    http: aiohttp.ClientSession
    redis: Redis
    prefix: str
    key: str = ADMIN_KEY
    """What the API is asked with."""
    answers: list[str] = field(default_factory=list)
    """Status, headers and body of everything that was answered to ``ask``."""
    people: list[Person] = field(default_factory=list)
    _numbers: Iterable[int] = field(default_factory=itertools.count)

    @property
    def base_url(self) -> str:
        """Where the service listens."""
        return self.service.base_url

    @property
    def port(self) -> int:
        """Of that."""
        return urlsplit(self.base_url).port or 0

    # The API

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Reply:
        """Ask the service something, with ``self.key`` if not another; bytes are sent as they are, else JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named.setdefault("Authorization", f"Bearer {key or self.key}")
        content = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self.http.request(
            method, self.base_url + path, headers=named, allow_redirects=False, **content
        ) as answer:
            text = await answer.text()
            self.answers.append(f"{answer.status} {dict(answer.headers)} {text}")
            json = await answer.json(content_type=None) if "json" in answer.content_type else None
            return Reply(answer.status, answer.headers.copy(), text, json)

    def room_url(self) -> str:
        """A room that nobody else uses."""
        return self.rooms.room_url(f"room-{next(iter(self._numbers))}")

    async def request(self, **body: Any) -> Reply:
        """Ask for a transfer: into a room of its own, to billing, unless told otherwise."""
        whom = {} if "to" in body else {"destination": "billing"}
        return await self.ask("POST", "/v1/transfers", {"room_url": self.room_url(), **whom, **body})

    async def transfer(self, **body: Any) -> tuple[str, SimulatedCall]:
        """A transfer and its call, which the carrier has placed, and relay knows of."""
        made = await self.request(**body)
        assert made.status == 201, made.text
        transfer_id = made.json["id"]
        await self.carrier.until(lambda _: self._calls_of(transfer_id) != [], "a call")
        await self.until(transfer_id, lambda transfer: transfer.provider_call_id is not None)
        return transfer_id, self._calls_of(transfer_id)[0]

    async def ringing(self, **body: Any) -> tuple[str, SimulatedCall]:
        """
        A transfer whose phone rings and goes on ringing (``RINGS``), and all that the carrier has said of it is taken.

        From here on nothing changes of its record unless somebody does something.
        """
        transfer_id, call = await self.transfer(**body)

        def is_said(call: SimulatedCall) -> bool:
            said = [each for each in call.webhooks if each.kind is Kind.STATUS]
            return call.status == "ringing" and len(said) == call.told

        await call.until(is_said, "all callbacks answered")
        if self.carrier.dialect.traits.tells_ringing:
            await self.until(transfer_id, lambda transfer: transfer.state is State.RINGING)
        return transfer_id, call

    async def enter(self, room_url: str) -> None:
        """A customer comes into a room."""
        self.people.append(await Person.enter(room_url, "customer"))

    async def joined(self, **body: Any) -> tuple[str, SimulatedCall]:
        """A transfer in which customer and agent hear each other."""
        await self.enter(body.setdefault("room_url", self.room_url()))
        transfer_id, call = await self.transfer(**body)
        await self.until(transfer_id, lambda transfer: transfer.state is State.JOINED)
        return transfer_id, call

    async def end(self, transfer_id: str) -> None:
        """Cancel a transfer, or hang up."""
        assert (await self.ask("DELETE", f"/v1/transfers/{transfer_id}")).status == 200

    async def until(self, transfer_id: str, met: Any) -> Transfer:
        """The transfer, once it is ``met``."""
        transfer = await self.service.services.store.wait(transfer_id, met, timeout_s=TIMEOUT_S)
        assert transfer is not None
        assert met(transfer), transfer
        return transfer

    async def until_over(self, transfer_id: str) -> Transfer:
        """The transfer, once it is over."""
        return await self.until(transfer_id, lambda transfer: transfer.is_terminal)

    async def until_settled(self) -> None:
        """Return when no transfer is left, its phones and its bridges included."""
        await self.carrier.until_idle()
        while tasks := list(self.service.services.coordinator._tasks.values()):
            await asyncio.wait(tasks, timeout=TIMEOUT_S)

    def _calls_of(self, transfer_id: str) -> list[SimulatedCall]:
        return [
            call
            for call in self.carrier.calls
            if transfer_id in f"{call.order.answer_url} {call.order.status_url} {call.order.call_id}"
        ]

    # The carrier's side

    async def post(self, url: str, form: Mapping[str, str], *, signature: str | None = None, **headers: str) -> Reply:
        """
        Post a carrier's webhook, signed by it unless told otherwise.

        Args:
            url: public, as it is signed.
            form: what it says.
            signature: another one; empty: none.
            headers: more.
        """
        if signature is None:
            signature = signature_of(url, form.items(), auth_token=self.carrier.auth_token)
        signed = {SIGNATURE_HEADER.replace("-", "_"): signature} if signature else {}
        path = urlsplit(url)._replace(scheme="", netloc="").geturl()
        given = {"Content_Type": FORM_TYPE, **signed, **headers}
        return await self.ask("POST", path, urlencode(form).encode(), key=None, **given)

    async def token(self, transfer_id: str, call: SimulatedCall, *, stream: int = 0) -> str | None:
        """The token that the carrier gets if it says that the call was answered; None: it is to hang up."""
        url = self.service.services.urls.answer("twilio", transfer_id, stream)
        document = await self.post(url, call.form("in-progress"))
        assert document.status == 200
        found = ET.fromstring(document.text.encode()).find(".//Stream")  # noqa: S314 - relay's own
        return None if found is None else found.attrib["url"].rpartition("/")[2]

    def media_url(self, transfer_id: str, token: str) -> str:
        """The public URL of a media stream."""
        return self.service.services.urls.media("twilio", transfer_id, token)

    # What it came to

    async def record(self, transfer_id: str) -> Any:
        """All that is stored of a transfer, but for how long."""
        key = f"{self.prefix}:{{{transfer_id}}}"
        keys = sorted([each async for each in self.redis.scan_iter(match=f"*{transfer_id}*")])
        assert keys, key
        return [(each, await typed(self.redis, each)) for each in keys]

    def rest_requests(self) -> float:
        """How many requests the service has sent to the carrier."""
        name = "relay_carrier_request_seconds_count"
        metrics = self.service.services.metrics.registry.collect()
        return sum(each.value for metric in metrics for each in metric.samples if each.name == name)


async def typed(redis: Redis, key: bytes) -> Any:
    """A key's value, whatever its type."""
    readers: dict[Any, Callable[[], Awaitable[Any]]] = {
        b"none": lambda: asyncio.sleep(0),  # it has just expired
        b"hash": lambda: redis.hgetall(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"set": lambda: redis.smembers(key),
        b"stream": lambda: redis.xrange(key),
        b"string": lambda: redis.get(key),
        b"zset": lambda: redis.zrange(key, 0, -1, withscores=True),
    }
    return await readers[await redis.type(key)]()


@asynccontextmanager
async def stage(
    store_url: str,
    script: Script = ANSWERED,
    env: Mapping[str, str] = MappingProxyType({}),
    *,
    prepare: Callable[[Settings], None] = lambda _: None,
    dialect: Dialect | None = None,
) -> AsyncIterator[Stage]:
    """
    The service and what is around it, within the block.

    Args:
        store_url: a server that others may use as well.
        script: what phones do.
        env: more of the service's environment, without ``RELAY_``; empty: less.
        prepare: what is done before the service starts.
        dialect: which carrier there is; Twilio unless given.
    """
    prefix = uuid.uuid4().hex
    auth_token = env.get("TWILIO_AUTH_TOKEN", AUTH_TOKEN) if dialect is None else dialect.secret
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(RoomServer("127.0.0.1", 0))
        carrier = await stack.enter_async_context(
            SimulatedCarrier(dialect=dialect, script=script, auth_token=auth_token)
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = environment_of(rooms, carrier) | {"REDIS_URL": store_url, "REDIS_PREFIX": prefix} | {**env}
        given = {f"RELAY_{name}": value for name, value in environment.items() if value}
        settings = load_settings(given, cwd=folder)
        prepare(settings)
        service = await stack.enter_async_context(running(settings))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        redis = await stack.enter_async_context(Redis.from_url(store_url))
        carrier.reach(PUBLIC, service.base_url)
        if isinstance(dialect, Asterisk):  # it is told in its own configuration where relay is
            dialect.relay_url = PUBLIC
        on_it = Stage(service, carrier, rooms, http, redis, prefix)
        try:
            yield on_it
        finally:
            for person in on_it.people:
                await person.leave()


def environment_of(rooms: RoomServer, carrier: SimulatedCarrier) -> dict[str, str]:
    """What a service needs that works with these two."""
    account = carrier.dialect.settings(carrier.api_url, FROM)
    if carrier.dialect.name == "twilio":
        account = {**account, "RELAY_TWILIO_AUTH_TOKEN": carrier.auth_token}
    return {
        "LISTEN": "127.0.0.1:0",
        "PUBLIC_URL": PUBLIC,
        "API_KEYS": f"{ADMIN_KEY},trigger:{TRIGGER_KEY},read:{READ_KEY}",
        "LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port}",
        "DESTINATIONS": f'{{"billing": {{"to": "{BILLING_NUMBER}"}}}}',
        **{name.removeprefix("RELAY_"): value for name, value in account.items()},
        "TRANSFERS_PER_MINUTE": "100000",
        "TRANSFERS_PER_DAY": "1000000",
        "MAX_TRANSFERS": "1000",
        "CUSTOMER_GRACE_S": "60",  # an attack may take as long, with nobody in the room
        "ANSWER_TIMEOUT_S": "60",
        "RING_TIMEOUT_S": "120",
    }
