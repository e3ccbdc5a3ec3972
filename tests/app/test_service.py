"""The whole service in one process: how it starts, what it needs, and that nothing of it is left when it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import time
import uuid
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvloop
from redis.asyncio import Redis
from structlog.testing import capture_logs

from relay.app.admission import HOLD_S, Reading, Shortage
from relay.app.service import LINGER_S, Service, running
from relay.app.settings import Settings
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import NO_ANSWER
from relay.dev.room_server import RoomServer
from relay.errors import ConfigurationError, StoreUnavailable
from relay.transfers.reasons import Reason
from relay.transfers.record import new_transfer_id
from relay.transfers.states import State
from relay.transfers.store import TransferStore
from tests.app.served import BILLING_NUMBER
from tests.app.valkey import running_valkey, url_of
from tests.faults.held import Held, warm_up
from tests.threats.raw import connected
from tests.transfers.stores import new_transfer

READY_WITHIN_S = 2.0
TEST_MAX_S = 40.0


def settings_for(**changes: Any) -> Settings:
    """A service on any port, which would call through a carrier that is not there."""
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "local_rooms": "http://127.0.0.1:1",
        "destinations": {"billing": {"to": BILLING_NUMBER}},
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": "c" * 32,
        "twilio_from": "+14155550100",
        "twilio_api_url": "http://127.0.0.1:1",
        "worker_spares": 0,
    }
    return Settings(**(given | changes))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """See that the service has let go of everything it had: tasks, threads, descriptors."""

    async def whole() -> None:
        await warm_up()
        await asyncio.to_thread(lambda: None)  # the loop keeps its thread
        before = Held.now()
        async with asyncio.timeout(TEST_MAX_S):
            await scenario
        await before.let_go()

    uvloop.run(whole())


async def status(service: Service, path: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(service.base_url + path) as answer:
        return answer.status


async def until_ready(service: Service) -> None:
    async with asyncio.timeout(READY_WITHIN_S):
        while await status(service, "/readyz") != 200:
            pass


def is_listening(base_url: str) -> bool:
    parts = urlsplit(base_url)
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((parts.hostname, parts.port)):
        return True
    return False


async def store_one(store: TransferStore) -> str:
    """A transfer that another node has."""
    its_id = new_transfer_id(int(time.time() * 1000), uuid.uuid4().bytes[:10])
    transfer = new_transfer(transfer_id=its_id, owner="another", room_url="http://127.0.0.1:1/rooms/blue")
    return (await store.create(transfer)).transfer_id


# --- The start ---


def test_a_service_without_redis_brings_a_store_of_its_own_and_takes_it_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="relay-"))  # pytest's own are too long for the path of a socket
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    async def scenario() -> None:
        async with running(settings_for()) as service:
            assert await status(service, "/readyz") == 200
            assert await store_one(service.services.store)
            assert service.services.store.is_available
        assert not is_listening(service.base_url)

    run(scenario())
    folder.rmdir()  # which is empty


def test_a_service_with_a_redis_keeps_its_transfers_there(store_url: str) -> None:
    async def scenario() -> None:
        prefix = uuid.uuid4().hex
        async with running(settings_for(redis_url=store_url, redis_prefix=prefix)) as service:
            transfer_id = await store_one(service.services.store)
            assert await status(service, f"/v1/transfers/{transfer_id}") == 200
        async with Redis.from_url(store_url) as redis:
            keys = [key.decode() async for key in redis.scan_iter(match=f"{prefix}:*")]
        assert f"{prefix}:{{{transfer_id}}}" in keys

    run(scenario())


def test_f36_a_service_is_too_busy_from_where_its_settings_say(store_url: str) -> None:
    async def scenario() -> None:
        settings = settings_for(redis_url=store_url, max_cpu_percent=50, max_loop_lag_ms=500)
        async with running(settings) as service:
            for now_s in (0.0, HOLD_S):
                service.services.admission.note(now_s, Reading(cpu_share=0.51, loop_lag_ms=501))
            assert set(service.services.admission.short_of) == {Shortage.CPU, Shortage.LOOP}

    run(scenario())


def test_f23_a_service_without_its_redis_starts_and_becomes_ready_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "valkey.sock"
        async with running(settings_for(redis_url=url_of(path))) as service:
            assert (await status(service, "/healthz"), await status(service, "/readyz")) == (200, 503)
            with contextlib.ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, running_valkey(path))
                await until_ready(service)

    run(scenario())


def test_a_port_that_is_taken_is_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigurationError) as told, capture_logs() as logged:
                await running(settings_for(listen=f"127.0.0.1:{port}")).__aenter__()
        (problem,) = told.value.problems
        assert problem.name == "RELAY_LISTEN"
        assert f"127.0.0.1:{port}" in problem.got
        assert logged == []

    run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_does_not_start_leaves_no_port_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.app.embedded_store.valkey_binary", lambda: Path("/bin/false"))

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match="/bin/false ended"):
            await running(settings_for(listen=address)).__aenter__()
        assert not is_listening(f"http://{address}")

    run(scenario())


def test_a_service_may_listen_on_ipv6(store_url: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")

    async def scenario() -> None:
        async with running(settings_for(listen="[::1]:0", redis_url=store_url)) as service:
            assert service.base_url.startswith("http://[::1]:")
            assert await status(service, "/healthz") == 200
            url = service.services.urls.media("twilio", "tr_0", "token")
            assert url.startswith(service.base_url.replace("http:", "ws:") + "/carriers/")

    run(scenario())


# --- Transfers ---


@pytest.mark.parametrize("public_url", [None, "https://relay.example.com"])
def test_a_carrier_comes_back_to_the_public_url_or_to_where_the_service_listens(
    store_url: str, public_url: str | None
) -> None:
    async def scenario() -> None:
        async with RoomServer("127.0.0.1", 0) as rooms, SimulatedCarrier(script=NO_ANSWER) as carrier:
            its = {
                "local_rooms": f"http://127.0.0.1:{rooms.port}",
                "twilio_account_sid": carrier.account_sid,
                "twilio_auth_token": carrier.auth_token,
                "twilio_api_url": carrier.api_url,
            }
            settings = settings_for(redis_url=store_url, redis_prefix=uuid.uuid4().hex, public_url=public_url, **its)
            async with running(settings) as service, aiohttp.ClientSession() as http:
                carrier.reach("https://relay.example.com", service.base_url)
                body = {"room_url": rooms.room_url("blue"), "destination": "billing"}
                async with http.post(f"{service.base_url}/v1/transfers", json=body) as answer:
                    assert answer.status == 201
                call = await carrier.until_call()
                await call.until(lambda call: call.status == "ringing" and len(call.callbacks_sent) > 1)
                assert call.order.answer_url.startswith(f"{public_url or service.base_url}/carriers/twilio/tr_")
                assert call.violations == []
            assert carrier.live_calls == [], "a service that ends leaves no phone ringing"

    run(scenario())


def test_a_room_of_no_configured_domain_is_refused_and_nothing_is_begun(store_url: str) -> None:
    async def scenario() -> None:
        settings = settings_for(redis_url=store_url, redis_prefix=uuid.uuid4().hex, daily_domains=["example"])
        async with running(settings) as service, aiohttp.ClientSession() as http:
            body = {"room_url": "https://another.daily.co/support", "destination": "billing"}
            async with http.post(f"{service.base_url}/v1/transfers", json=body) as answer:
                refused = await answer.json(content_type=None)
            assert (answer.status, refused["type"]) == (422, "urn:relay:problem:room-refused")
            assert service.services.coordinator.live_count == 0
            assert await service.services.store.recent(10) == []

    run(scenario())


def test_f30_a_service_ends_what_the_one_before_it_has_left(store_url: str) -> None:
    """Also those whose phone it does not know."""

    async def scenario() -> None:
        settings = settings_for(redis_url=store_url, redis_prefix=uuid.uuid4().hex)
        store = TransferStore(store_url, prefix=settings.redis_prefix)
        await store.open()
        left = [await store_one(store) for _ in range(3)]
        async with running(settings):
            for transfer_id in left:
                transfer = await store.wait(transfer_id, lambda transfer: transfer.is_terminal, timeout_s=10)
                assert transfer is not None
                assert (transfer.state, transfer.reason) == (State.FAILED, Reason.NODE_LOST)
        await store.close()

    run(scenario())


# --- The end ---


def test_a_service_that_is_asked_to_stop_is_not_ready_and_ends(store_url: str) -> None:
    async def scenario() -> None:
        async with running(settings_for(redis_url=store_url)) as service:
            service.stop()
            await service.until_stopped()
            assert (await status(service, "/healthz"), await status(service, "/readyz")) == (200, 503)

    run(scenario())


class HangsUpNever:
    """A coordinator whose carrier does not end a call."""

    live_count = 1

    def __init__(self) -> None:
        self.asked_s: list[float] = []

    async def shut_down(self, *, drain_timeout_s: float) -> None:
        self.asked_s.append(drain_timeout_s)
        await asyncio.Event().wait()


@pytest.mark.parametrize(("stops", "bounds_s"), [(1, 0.3), (2, 0.1)])
def test_a_carrier_that_hangs_up_never_is_waited_for_no_longer_than_the_rest(
    monkeypatch: pytest.MonkeyPatch, stops: int, bounds_s: float
) -> None:
    """Behind the time of calls, if they had it, and once: not again when all the rest is ended."""
    monkeypatch.setattr("relay.app.service.HURRY_S", 0.1)
    settings = settings_for().model_copy(update={"drain_timeout_s": 0.2})
    coordinator = HangsUpNever()

    async def scenario() -> None:
        service = Service(cast("Any", SimpleNamespace(coordinator=coordinator, settings=settings)), "")
        for _ in range(stops):
            service.stop()
        with capture_logs() as logged:
            began_s = time.monotonic()
            await service.until_stopped()
            await service.end()
            took_s = time.monotonic() - began_s
        assert took_s > bounds_s - 0.01
        assert coordinator.asked_s == [0.2, 0]
        assert [line["event"] for line in logged] == ["draining", "phones_may_be_alive"]

    run(scenario())


def test_clients_that_wait_are_told_when_the_service_ends(store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of a transfer of another node, of which this one has nothing to tell."""

    async def scenario() -> None:
        settings = settings_for(redis_url=store_url, redis_prefix=uuid.uuid4().hex)
        async with aiohttp.ClientSession() as http:
            async with running(settings) as service:
                await service.services.store.leases.renew("another")
                url = f"{service.base_url}/v1/transfers/{await store_one(service.services.store)}"
                waiting = asyncio.create_task(http.get(f"{url}?wait_s=60"))
                events = await http.get(f"{url}/events")
                assert (await events.content.readuntil(b"requested")).startswith(b"retry:")
                assert await status(service, "/readyz") == 200
                assert not waiting.done()
                began_s = time.monotonic()
            took_s = time.monotonic() - began_s
            answer = await waiting
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert b"event: " not in await events.content.read()
        assert took_s < LINGER_S / 2
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []

    run(scenario())


def test_a_client_that_never_ends_its_request_is_not_waited_for_long(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.app.service.LINGER_S", 1)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            async with running(settings_for(redis_url=store_url)) as service:
                client = await stack.enter_async_context(connected(urlsplit(service.base_url).port or 0))
                client.send(b"POST /v1/transfers HTTP/1.1\r\nHost: relay\r\nContent-Length: 100\r\n\r\n{")
                assert await status(service, "/healthz") == 200
                began_s = time.monotonic()
            assert 1 <= time.monotonic() - began_s < 2

    run(scenario())
