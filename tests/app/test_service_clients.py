"""The whole service with clients that wait, or never end, when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from urllib.parse import urlsplit

import aiohttp
import pytest

from relay.app.service import LINGER_S, running
from tests.app.test_service import run, settings_for, status, store_one
from tests.threats.raw import connected


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
