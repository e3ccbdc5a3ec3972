"""The page on going live: what is on it can be used as it is, and does what it says."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import aiohttp
import pytest
import uvloop
from redis import Redis
from redis.exceptions import NoPermissionError

from relay.app.accounts import ACCOUNTS
from relay.app.bridging import bridging
from relay.app.machine import Machine
from relay.app.machine_watch import watching
from relay.app.metrics import Metrics
from relay.app.room_urls import RoomPolicy
from relay.app.service import running
from relay.app.settings import Settings, load_settings
from relay.client import RelayClient, State
from relay.dev.carrier import ACCOUNT_SID, AUTH_TOKEN, SimulatedCarrier
from relay.dev.carriers.vonage_tokens import private_key
from relay.dev.room_server import RoomServer
from relay.transfers.reasons import Reason
from relay.transfers.record import digest
from relay.transfers.states import Event
from relay.transfers.store import Answer, TransferStore
from tests.app.valkey import running_valkey
from tests.docs import proxies
from tests.docs.shell_pages import ROOT, free_ports
from tests.transfers.stores import new_transfer

PAGE = (ROOT / "docs" / "going-live.md").read_text()
KEY = "k" * 32
PUBLIC_URL = f"https://{proxies.NAME}"
NETWORK = "203.0.113.0/24"
SECRET = "s" * 43
FAILURE_S = 60.0  # a bound for what never comes

StartProxy: TypeAlias = Callable[[str, str, Path], AbstractContextManager[str]]

needs_nginx = pytest.mark.skipif(proxies.NGINX is None, reason="no nginx here (Debian: apt install nginx-light)")
needs_caddy = pytest.mark.skipif(proxies.CADDY is None, reason="no caddy here")


def samples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def sample(language: str) -> str:
    (found,) = samples(language)
    return str(found)


# Proxies


@needs_nginx
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here, to make a certificate")
def test_nginx_takes_its_sample(tmp_path: Path) -> None:
    certificate, key = proxies.certified(tmp_path)
    text = sample("nginx").replace("listen 443", f"listen 127.0.0.1:{free_ports(1)[0]}")
    text = re.sub(r"(ssl_certificate +)\S+;", rf"\g<1>{certificate};", text)
    conf = proxies.write_nginx_conf(tmp_path, re.sub(r"(ssl_certificate_key +)\S+;", rf"\g<1>{key};", text))
    assert proxies.NGINX is not None
    checked = subprocess.run([proxies.NGINX, "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


@needs_caddy
def test_caddy_takes_its_sample_and_would_write_it_so(tmp_path: Path) -> None:
    assert proxies.CADDY is not None
    (tmp_path / "Caddyfile").write_text(sample("caddyfile"))
    for command in (["validate", "--adapter", "caddyfile", "--config"], ["fmt", "--diff"]):
        checked = subprocess.run(
            [proxies.CADDY, *command, str(tmp_path / "Caddyfile")],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(tmp_path)},
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


PROXIES = [
    pytest.param(proxies.nginx, "nginx", marks=needs_nginx, id="nginx"),
    pytest.param(proxies.caddy, "caddyfile", marks=needs_caddy, id="caddy"),
]


@pytest.mark.parametrize(("start", "language"), PROXIES)
def test_a_whole_transfer_goes_through_the_proxy_and_no_log_has_its_token(
    start: StartProxy, language: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with SimulatedCarrier() as carrier, RoomServer(port=0) as rooms, AsyncExitStack() as serving:
            service = await serving.enter_async_context(running(live_settings(carrier, rooms, tmp_path)))
            with start(sample(language), service.base_url.removeprefix("http://"), tmp_path) as url:
                carrier.reach(PUBLIC_URL, url)
                await follow_a_transfer(url, rooms.room_url("blue"))
                await carrier.until_idle()
                (call,) = carrier.calls
                assert call.violations == []
                await ask_for_what_is_not_served(url)
                await serving.aclose()
                (token,) = re.findall(r"/media/([\w-]{43})", call.answer_documents[0])
                await open_media(url, token)  # what nobody answers is an error that is logged
            logs = proxies.logs(tmp_path)
            assert [name for name, log in logs.items() if token in log] == []
            assert "/v1/transfers" in "".join(logs.values()) or language == "caddyfile", "expected logs of requests"

    run(scenario())


@pytest.mark.parametrize(("start", "language"), PROXIES)
def test_t6_exotels_urls_are_for_its_networks_only(start: StartProxy, language: str, tmp_path: Path) -> None:
    """We are none of them; if we were, relay would be asked."""
    folders = [tmp_path / "strangers", tmp_path / "exotels"]
    for folder in folders:
        folder.mkdir()

    async def asked(base_url: str, text: str, folder: Path) -> list[int]:
        statuses = []
        with start(text, base_url.removeprefix("http://"), folder) as url:
            async with aiohttp.ClientSession() as session:
                for carrier in ("exotel", "twilio"):
                    path = f"/carriers/{carrier}/tr_{'0' * 32}/status/{SECRET}"
                    async with session.post(url + path) as answer:
                        statuses.append(answer.status)
        assert [name for name, log in proxies.logs(folder).items() if SECRET in log] == []
        return statuses

    async def scenario() -> None:
        async with (
            SimulatedCarrier() as carrier,
            RoomServer(port=0) as rooms,
            running(live_settings(carrier, rooms, tmp_path)) as service,
        ):
            strangers = await asked(service.base_url, sample(language), folders[0])
            exotels = await asked(service.base_url, sample(language).replace(NETWORK, "127.0.0.0/8"), folders[1])
        assert (strangers, exotels) == ([403, 403], [404, 403])  # relay has no Exotel here, and no such proof

    run(scenario())


def run(scenario: Coroutine[None, None, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(FAILURE_S):
            await scenario

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def follow_a_transfer(url: str, room_url: str) -> None:
    """Through the proxy: a long poll that waits, a stream that is not kept back, and an end."""
    async with RelayClient(url, api_key=KEY) as relay:
        transfer = await relay.transfer(room_url=room_url, destination="billing")
        assert (await relay.wait(transfer.transfer_id, timeout_s=FAILURE_S)).state is State.JOINED
        states = []
        async for event in relay.events(transfer.transfer_id):
            states.append(event.state)
            if event.state is State.JOINED:  # and nothing more comes until this
                assert (await relay.cancel(transfer.transfer_id)).reason is Reason.CANCELED_BY_API
        assert states[-1] is State.DISCONNECTED


async def ask_for_what_is_not_served(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path, status in (("/metrics", 404), ("/readyz", 404), ("/openapi.json", 404), ("/healthz", 200)):
            async with session.get(url + path) as answer:
                assert (path, answer.status) == (path, status)
        async with session.post(f"{url}/v1/transfers", data=b"x" * 70_000) as answer:
            assert answer.status == 413


async def open_media(url: str, token: str) -> None:
    """As the carrier would, with no success."""
    async with aiohttp.ClientSession() as session:
        path = f"/carriers/twilio/tr_{'0' * 32}/media/{token}"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url + path)


def live_settings(carrier: SimulatedCarrier, rooms: RoomServer, folder: Path) -> Settings:
    return load_settings(
        {
            "RELAY_LISTEN": "127.0.0.1:0",
            "RELAY_PUBLIC_URL": PUBLIC_URL,
            "RELAY_API_KEYS": KEY,
            "RELAY_LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port}",
            "RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123"}}',
            "RELAY_TWILIO_API_URL": carrier.api_url,
            "RELAY_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "RELAY_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "RELAY_TWILIO_FROM": "+14155550100",
        },
        folder,
    )


# The service


CARRIERS = {name: text for name in ACCOUNTS for text in samples("toml") if text.startswith(f"{name}_")}
SILENT = {name for name, account in ACCOUNTS.items() if not account.kind.capabilities.can_say}


@pytest.mark.parametrize("carrier", ACCOUNTS)
def test_the_configuration_is_one_with_each_carrier(carrier: str, tmp_path: Path) -> None:
    *accounts, whole = samples("toml")
    assert len(accounts) == len(ACCOUNTS)
    twilio = CARRIERS["twilio"]
    assert twilio in whole
    (tmp_path / "private.key").write_text(private_key())
    account = CARRIERS[carrier].replace("/etc/relay", str(tmp_path))
    text = whole.replace(twilio, account)
    (tmp_path / "relay.toml").write_text(re.sub(r"(?m)^say = .*\n", "", text) if carrier in SILENT else text)
    settings = load_settings({}, tmp_path)
    assert settings.redis_url is not None
    assert settings.providers == (carrier,)


@pytest.mark.parametrize("carrier", ACCOUNTS)
def test_each_carrier_has_a_section_that_says_what_it_needs(carrier: str) -> None:
    account = ACCOUNTS[carrier]
    section = PAGE.split(f"\n### {account.title}\n")[1].partition("\n### ")[0].partition("\n## ")[0]
    assert [setting for setting in account.needed if f"{setting} = " not in section] == []
    named = re.findall(rf"`({carrier}_\w*[a-z])`", section)
    assert [setting for setting in named if setting not in Settings.model_fields] == []
    if carrier != "twilio":
        assert ("no `say`" in section) == (carrier in SILENT)


# Redis


@pytest.fixture(scope="module")
def acl_urls() -> Iterator[tuple[str, str]]:
    """Of one Valkey: the URL for the page's user, and the one for everybody."""
    rule = sample("acl").split()
    (password,) = (word[1:] for word in rule if word.startswith(">"))
    with running_valkey() as url:
        with Redis.from_url(url) as redis:
            assert redis.execute_command("ACL", "SETUSER", *rule[1:])
        yield url.replace("unix://", f"unix://relay:{password}@"), url


def test_relay_may_do_all_that_it_does(acl_urls: tuple[str, str]) -> None:
    async def scenario() -> None:
        store = TransferStore(acl_urls[0])
        await store.open()
        try:
            assert store.is_available
            await use_everything(store)
        finally:
            await store.close()

    run(scenario())
    with Redis.from_url(acl_urls[1]) as redis:
        refused = {entry["object"] for entry in redis.acl_log()}
    assert refused <= {"client|setinfo"}, "which redis-py asks for, does without, and Redis 7.0 cannot allow"


def test_relay_may_do_nothing_else(acl_urls: tuple[str, str]) -> None:
    with Redis.from_url(acl_urls[0]) as redis:
        for command in (
            ("FLUSHALL",),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
            ("SET", "others", "1"),
            ("GET", "others"),
        ):
            with pytest.raises(NoPermissionError):
                redis.execute_command(*command)


async def use_everything(store: TransferStore) -> None:
    """Every script and every command of the store at least once."""
    transfer_id, token = f"tr_{'1' * 32}", digest("token")
    await store.create(new_transfer(transfer_id=transfer_id))
    applied = await store.apply(transfer_id, Event.DIALED, epoch=1, event_id="e1", changes={"provider_call_id": "CA1"})
    assert applied.answer is Answer.OK
    minted = await store.mint(transfer_id, epoch=1, stream=0, token_sha256=token, ttl_s=10)
    assert (minted, await store.consume(transfer_id, token_sha256=token)) == (Answer.OK, Answer.OK)
    await store.claim_request("key", fingerprint="f", transfer_id=transfer_id, ttl_s=10)
    await store.release_request("key", transfer_id=transfer_id)
    await store.claim_room("room", transfer_id=transfer_id, ttl_s=10)
    assert await store.take_over_room("room", holder=transfer_id, transfer_id=transfer_id, ttl_s=10)
    await store.release_room("room", transfer_id=transfer_id, node="n1")
    assert not (await store.leases.renew("n1")).was_held
    assert await store.leases.dead(["n1"]) == await store.leases.in_hand("n1") == []
    await store.leases.strike_off("n1", [transfer_id])
    await store.leases.end("n1")
    for _ in range(2):
        await store.take_allowance("key", per_minute=1, per_day=1, attempt="1")
    await store.give_allowance_back("key", attempt="1")
    assert [each.transfer_id for each in await store.recent(5)] == [transfer_id]
    assert len(await store.events(transfer_id)) == 2
    assert await store.ping()
    assert await store.wait(transfer_id, lambda transfer: transfer.streams == 1, timeout_s=FAILURE_S)


# What to watch


def test_the_metrics_on_the_page_are_those_of_the_service() -> None:
    async def all_metrics() -> Metrics:
        metrics = Metrics()
        metrics.watch("relay_transfers_live", "", lambda: 0)
        metrics.watch("relay_store_available", "", lambda: 1)
        metrics.watch("relay_tasks", "", lambda: 1)
        metrics.watch("relay_log_lines_lost", "", lambda: 0)
        metrics.watch("relay_asterisk_heard", "", lambda: 1)
        settings = Settings(worker_spares=0)
        async with aiohttp.ClientSession() as session:
            with watching(metrics, Machine()):
                async with bridging(settings, rooms=RoomPolicy([]), session=session, metrics=metrics):
                    return metrics

    metrics = uvloop.run(all_metrics())
    counted = {f"{each.name}_total" if each.type == "counter" else each.name for each in metrics.registry.collect()}
    assert set(re.findall(r"`(relay_[a-z_]+)`", PAGE)) == counted


@pytest.mark.parametrize("event", ["phone_may_be_alive", "webhook_refused", "upgrade_refused"])
def test_the_events_on_the_page_are_logged(event: str) -> None:
    assert f"`{event}`" in PAGE
    assert any(f'"{event}"' in source.read_text() for source in (ROOT / "relay").rglob("*.py"))


def test_the_reasons_on_the_page_are_reasons() -> None:
    grown = re.findall(r"nobody's wish grow: (.*?) \|", PAGE)
    assert {Reason(name) for name in re.findall(r"`(\w+)`", grown[0])} < set(Reason)
