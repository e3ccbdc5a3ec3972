"""T12, T13: whichever carrier it is, nothing of its account, its streams and its proofs comes out of the process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest
import uvloop
from redis.asyncio import Redis

from relay.app.settings import Settings, load_settings
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.by_name import CARRIERS
from relay.dev.carriers.dialect import Dialect
from relay.dev.room_server import RoomServer
from tests.app.valkey import running_valkey
from tests.e2e.person import Person
from tests.threats.canaries import (
    ADMIN,
    AGENT,
    ENV,
    OURS,
    REDIS_PASSWORD,
    ROOM_TOKEN,
    SUMMARY,
    leaks,
    redis_url,
    spellings,
    stored,
)
from tests.threats.raw import status_of, upgrade
from tests.threats.test_t12_process import AS_USERS_DO, started

ACCOUNTS: Final[dict[str, dict[str, str]]] = {
    "twilio": {"secret": "canary-twilio-token-2d6f"},
    "plivo": {"secret": "canary-plivo-token-77b20c000000000000000"},
    "signalwire": {"secret": "PTcanary-token-0b1e", "signing_key": "PSK_canary_key_51aa"},
    "telnyx": {"secret": "KEYcanary-telnyx-key-4c3d"},
    "vonage": {"signing_key": "canary-vonage-signature-secret-8f8f"},
    "exotel": {"api_key": "canary-exotel-key-1a2b", "secret": "canary-exotel-token-3c4d"},
    "jambonz": {"secret": "canary-jambonz-key-5e6f", "signing_key": "canary-jambonz-secret-7a8b"},
    "asterisk": {"secret": "canary-ari-password-9c0d"},
}
"""What stands out of each carrier's account."""
OPENS: Final = re.compile(r"(?:/media/|[?&,]token=)([\w-]{43})")
PROOF: Final = re.compile(r"/(?:status|detection|answer/[0-9]+)/([\w-]{43})")
DIAL_BREAKS: Final = """
from relay.__main__ import main
from relay.app.accounts import ACCOUNTS

kind = ACCOUNTS["{carrier}"].kind
dial = kind.dial

def broken(self, order):
    request = dial(self, order)
    asked = f"{{order.to}} {{order.media_url}} {{request.url}} {{dict(request.headers)}} {{request.body!r}}"
    raise RuntimeError(f"{{asked}} {{vars(self)}}")

kind.dial = broken
main()
"""

each = pytest.mark.parametrize(
    "carrier", [pytest.param(name, marks=[] if name == "exotel" else [pytest.mark.long]) for name in CARRIERS]
)


@dataclass
class Run:
    """What a service has put out, and what of it must not be there."""

    settings: Settings
    printed: str
    answered: str
    stored: str
    made: set[str]
    """Tokens, passwords and proofs that there were only in this run."""

    def leaks(self) -> dict[str, set[str]]:
        texts = {"log": self.printed, "answers": self.answered, "Redis": self.stored}
        secrets = {*self.settings.secrets(), *self.made}
        found = {
            where: {secret for secret in secrets if any(spelling in text for spelling in spellings(secret))}
            | leaks(text, is_callers=where != "log")
            for where, text in texts.items()
        }
        return {where: names for where, names in found.items() if names}


def env_of(carrier: SimulatedCarrier, rooms: RoomServer) -> dict[str, str]:
    account = carrier.dialect.settings(carrier.api_url, OURS)
    kept = {name: value for name, value in ENV.items() if not name.startswith("TWILIO_")}
    return {
        **kept,
        **{name.removeprefix("RELAY_"): value for name, value in account.items()},
        "LISTEN": "127.0.0.1:0",
        "LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port}",
        "DESTINATIONS": orjson.dumps({"billing": {"to": AGENT}}).decode(),
    }


async def attacks(base_url: str, transfer_id: str, carrier: SimulatedCarrier, http: aiohttp.ClientSession) -> None:
    """A stranger comes to the URLs that the carrier was given, without what the carrier has to show."""
    (call,) = carrier.calls
    name = carrier.dialect.name
    at, port = f"/carriers/{name}/{transfer_id}", urlsplit(base_url).port or 0
    for path in (f"{at}/status", f"{at}/status/{'canary-' * 6}x", f"{at}/answer/0", f"{at}/detection"):
        async with http.post(base_url + path, json={"CallSid": call.sid, "token": ROOM_TOKEN}) as reply:
            assert 400 <= reply.status < 500
    for token in made_by(carrier):
        assert 400 <= await status_of(port, upgrade(f"{at}/media/{token}")) < 500
        assert (
            400 <= await status_of(port, upgrade(f"/carriers/{name}/media?transfer={transfer_id}&token={token}")) < 500
        )


def made_by(carrier: SimulatedCarrier) -> set[str]:
    """What was made for its calls, as the carrier was told it."""
    made: set[str] = set()
    for call in carrier.calls:
        urls = [call.order.answer_url, call.order.status_url, call.order.detection_url or "", *call.answer_documents]
        urls += [phone._websocket._uri.resource_name for phone in call.phones]
        urls += [call.order.stream.url] if call.order.stream is not None else []
        made |= {found for url in urls for pattern in (OPENS, PROOF) for found in pattern.findall(url)}
        if call.order.stream is not None:
            made |= {value.rpartition(" ")[2] for value in call.order.stream.headers.values()}
    return made


async def run(carrier_name: str, folder: Path, url: str, *arguments: str, is_joined: bool = True) -> Run:
    """A service in which a transfer is made, and which is then asked to stop."""
    dialect: Dialect = cast("Any", CARRIERS[carrier_name])(**ACCOUNTS[carrier_name])
    async with (
        Redis.from_url(url) as redis,
        RoomServer("127.0.0.1", 0) as rooms,
        SimulatedCarrier(dialect=dialect) as carrier,
        aiohttp.ClientSession() as http,
    ):
        await redis.config_set("requirepass", REDIS_PASSWORD)
        env = env_of(carrier, rooms) | {"REDIS_URL": redis_url(url)}
        settings = load_settings({f"RELAY_{name}": value for name, value in env.items()}, folder)
        customer = await Person.enter(rooms.room_url("call"), "customer")
        answers: list[str] = []

        async def ask(method: str, path: str, body: Any = None, key: str = ADMIN) -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            async with http.request(method, base_url + path, json=body, headers=headers) as reply:
                answers.append(f"{reply.status} {dict(reply.headers)} {await reply.text()}")
                return await reply.json() if "json" in reply.content_type else None

        async with started(folder, env, *arguments) as process:
            base_url = orjson.loads(await process.until_line('"serving"'))["url"]
            if isinstance(dialect, Asterisk):  # it is told in its own configuration where relay is
                dialect.relay_url = base_url
            body = {"room_token": ROOM_TOKEN, "metadata": {"summary": SUMMARY}, "destination": "billing"}
            made = await ask("POST", "/v1/transfers", {**body, "room_url": rooms.room_url("call")})
            path = f"/v1/transfers/{made['id']}"
            if is_joined:
                assert (await ask("GET", f"{path}?wait_s=10&until=joined"))["state"] == "joined"
                await attacks(base_url, made["id"], carrier, http)
            else:
                await process.until_line('"dial_broke"')
            for asked in ("/v1/transfers", "/metrics", "/readyz"):
                await ask("GET", asked)
            await ask("GET", path, key=dialect.secret.strip().replace("\n", ""))
            await ask("DELETE", path)
            process.process.terminate()
            output = await process.rest()
        await customer.leave()
        async with Redis.from_url(redis_url(url)) as authorised:
            return Run(settings, output, "\n".join(answers), await stored(authorised), made_by(carrier))


@each
def test_t12_t13_no_canary_of_a_carrier_comes_out(carrier: str, tmp_path: Path) -> None:
    with running_valkey() as url:
        came = uvloop.run(run(carrier, tmp_path, url, *AS_USERS_DO))
    assert came.leaks() == {}
    assert came.made, "expected a token at least"
    assert '"upgrade_refused"' in came.printed


@each
def test_t12_t13_a_defect_that_quotes_all_of_a_carrier_prints_no_canary(carrier: str, tmp_path: Path) -> None:
    program = DIAL_BREAKS.format(carrier=carrier)
    with running_valkey() as url:
        came = uvloop.run(run(carrier, tmp_path, url, "-c", program, "serve", is_joined=False))
    assert came.leaks() == {}
    assert "RuntimeError: " in came.printed
