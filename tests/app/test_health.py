"""Whether the service lives and is ready, and its metrics."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import uvloop

from relay.app.bridging import LEAKS_MAX
from relay.bridge.worker_bridge import LEAKED
from tests.app.conftest import RunServed
from tests.app.served import Served, serving
from tests.app.test_bridging import ended_with
from tests.app.valkey import running_valkey, url_of

READY_WITHIN_S = 2.0
READY_PARTS = dict.fromkeys(
    ("store", "open", "loop", "cpu", "memory", "tasks", "descriptors", "workers", "rooms"), True
)


def test_a_service_that_can_take_requests_is_ready(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.ask("GET", "/healthz", key=None)).json == {"status": "ok"}
        ready = await served.ask("GET", "/readyz", key=None)
        assert (ready.status, ready.json) == (200, {"ready": True, "parts": READY_PARTS})

    run_served(scenario)


def test_a_service_whose_rooms_do_not_let_go_is_not_ready(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        for _ in range(LEAKS_MAX):
            served.releases.note(ended_with(**{LEAKED: 1}))
        ready = await served.ask("GET", "/readyz", key=None)
        assert (ready.status, ready.json) == (503, {"ready": False, "parts": READY_PARTS | {"rooms": False}})

    run_served(scenario)


def test_a_service_that_shuts_down_lives_and_is_not_ready(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        await served.coordinator.shut_down(drain_timeout_s=0)
        assert (await served.ask("GET", "/healthz", key=None)).status == 200
        ready = await served.ask("GET", "/readyz", key=None)
        assert (ready.status, ready.json) == (503, {"ready": False, "parts": READY_PARTS | {"open": False}})

    run_served(scenario)


def test_f23_redis_down_at_start(tmp_path: Path) -> None:
    """The service starts, says what is missing, and becomes ready by itself."""
    socket = tmp_path / "valkey.sock"

    async def scenario() -> None:
        async with serving(url_of(socket)) as served:
            assert (await served.ask("GET", "/healthz", key=None)).status == 200
            ready = await served.ask("GET", "/readyz", key=None)
            assert (ready.status, ready.json["parts"]) == (503, READY_PARTS | {"store": False})
            for method, path in [("GET", "/v1/transfers"), ("GET", "/v1/transfers/tr_" + "0" * 32)]:
                assert (await served.ask(method, path)).status == 503
            refused = await served.post()
            assert (refused.status, refused.json["type"]) == (503, "urn:relay:problem:store-unavailable")
            assert int(refused.headers["Retry-After"]) >= 1
            assert str(socket) not in refused.text
            assert served.carrier.dials == []
            with ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, running_valkey(socket))
                async with asyncio.timeout(READY_WITHIN_S):
                    while (await served.ask("GET", "/readyz", key=None)).status != 200:
                        pass
                assert (await served.post()).status == 201
                await served.coordinator.shut_down(drain_timeout_s=0)
                await served.store.close()

    uvloop.run(scenario())


def test_metrics_are_in_prometheus_text_format(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        await served.ask("GET", "/v1/destinations")
        reply = await served.ask("GET", "/metrics")
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        route = 'method="GET",route="/v1/destinations",status="200"'
        assert f"relay_http_request_seconds_count{{{route}}} 1.0" in reply.text

    run_served(scenario)
