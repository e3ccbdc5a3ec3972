"""What surrounds every request: the bound on bodies, the log line, the count, and the answer where a route breaks."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import structlog
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from relay.app.http_app import BODY_MAX_BYTES
from relay.transfers.record import digest
from tests.app.conftest import RunServed
from tests.app.served import ADMIN_KEY, NOBODY, Served

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}


async def in_pieces(size_bytes: int) -> AsyncIterator[bytes]:
    for start in range(0, size_bytes, 1000):
        yield b" " * min(1000, size_bytes - start)


@pytest.mark.parametrize("path", ["/v1/transfers", f"/carriers/twilio/{NOBODY}/status"])
@pytest.mark.parametrize("make_body", [lambda size_bytes: b" " * size_bytes, in_pieces], ids=["announced", "in pieces"])
def test_a_body_that_is_too_large_is_refused(
    run_served: RunServed, path: str, make_body: Callable[[int], bytes | AsyncIterator[bytes]]
) -> None:
    async def scenario(served: Served) -> None:
        for size_bytes, is_refused in [(BODY_MAX_BYTES, False), (BODY_MAX_BYTES + 1, True), (10**6, True)]:
            url = served.base_url + path
            async with served.http.post(url, data=make_body(size_bytes), headers=HEADERS) as answer:
                assert (size_bytes, answer.status == 413) == (size_bytes, is_refused)
                if is_refused:
                    assert answer.content_type == "application/problem+json"
                    assert answer.headers["Connection"] == "close"

    run_served(scenario)


def lines_of(logged: list[Any]) -> list[Any]:
    return [line for line in logged if line["event"] == "http_request"]


def test_a_request_is_one_line_without_path_query_and_headers(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        with capture_logs() as logged:
            await served.ask("GET", f"/v1/transfers/{NOBODY}?wait_s=0&secret=s3cret", Cookie="s3cret")
            await served.ask("POST", f"/carriers/twilio/{NOBODY}/answer/0?secret=s3cret", b"secret=s3cret")
            await served.ask("GET", "/s3cret", key="s3cret" * 4)
            await served.ask("PROPFIND", "/v1/transfers", key=None)
        shown = [(line["method"], line["route"], line["status"], line["key_id"]) for line in lines_of(logged)]
        key_id = digest(ADMIN_KEY)[:8]
        assert shown == [
            ("GET", "/v1/transfers/{transfer_id}", 404, key_id),
            ("POST", "/carriers/{provider}/{transfer_id}/answer/{stream}", 403, None),
            ("GET", "unmatched", 404, None),
            ("other", "/v1/transfers", 405, None),
        ]
        assert all(line["duration_ms"] >= 0 for line in lines_of(logged))
        assert "s3cret" not in str(logged)
        assert NOBODY not in str(lines_of(logged))

    run_served(scenario)


def test_what_is_asked_all_the_time_is_logged_for_debugging_only(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        with capture_logs() as logged:
            for path in ("/healthz", "/readyz", "/metrics", "/v1/destinations"):
                await served.ask("GET", path)
        assert [line["log_level"] for line in lines_of(logged)] == ["debug", "debug", "debug", "info"]

    run_served(scenario)


def test_a_route_that_breaks_is_logged_once_and_gives_nothing_away(
    run_served: RunServed, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(served: Served) -> None:
        @served.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("s3cret")

        with capture_logs() as logged:
            reply = await served.ask("GET", "/broken")
        assert (reply.status, reply.json["type"]) == (500, "urn:relay:problem:internal-error")
        assert "s3cret" not in reply.text + str(reply.headers)
        assert [(line["event"], line.get("route")) for line in logged] == [
            ("request_broke", "/broken"),
            ("http_request", "/broken"),
        ]
        assert logged[0]["exc_info"] is True
        assert logged[1]["status"] == 500
        assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []

    run_served(scenario)


def test_an_answer_that_breaks_halfway_is_cut_and_logged_once(
    run_served: RunServed, caplog: pytest.LogCaptureFixture
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broke")

    async def scenario(served: Served) -> None:
        @served.app.get("/half")
        async def broken() -> StreamingResponse:
            return StreamingResponse(half())

        with capture_logs() as logged, pytest.raises(aiohttp.ClientPayloadError):
            await served.ask("GET", "/half")
        assert "request_broke" not in {line["event"] for line in logged}
        assert [record.message.strip() for record in caplog.records] == ["Exception in ASGI application"]

    run_served(scenario)


def test_waiting_requests_do_not_count_as_slow_ones(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        await served.ask("GET", f"/v1/transfers/{transfer_id}?wait_s=0.01")
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        await served.ask("GET", f"/v1/transfers/{transfer_id}/events")
        await served.ask("PROPFIND", "/v1/transfers")
        counted = (await served.ask("GET", "/metrics")).text
        assert 'method="DELETE",route="/v1/transfers/{transfer_id}",status="200"' in counted
        assert 'method="other",route="/v1/transfers",status="405"' in counted
        assert 'method="GET",route="/v1/transfers/{transfer_id}"' not in counted
        assert 'route="/v1/transfers/{transfer_id}/events"' not in counted
        assert transfer_id not in counted

    run_served(scenario)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/v1/transfers/", "/healthz/", "//evil.example.com/.."])
def test_nothing_is_served_or_redirected_that_is_not_documented(run_served: RunServed, path: str) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.ask("GET", path)).status == 404

    run_served(scenario)


def test_only_http_is_measured_and_bounded(run_served: RunServed) -> None:
    """Uvicorn gives WebSockets to a class of ours; what reaches the application all the same is refused by FastAPI."""

    async def scenario(served: Served) -> None:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        scope = {"type": "websocket", "path": "/v1/transfers", "headers": [], "query_string": b"", "subprotocols": []}
        with capture_logs() as logged:
            await served.app({**scope, "scheme": "ws", "root_path": ""}, receive, send)
        assert sent == ["websocket.close"]
        assert lines_of(logged) == []

    run_served(scenario)


def test_the_openapi_document_is_complete(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        document = (await served.ask("GET", "/openapi.json", key=None)).json
        assert document["info"]["title"] == "relay"
        operations = [each for methods in document["paths"].values() for each in methods.values()]
        assert len({each["operationId"] for each in operations}) == len(operations) >= 9
        assert all(each["summary"] and each["tags"] and each["responses"] for each in operations)
        assert not any(path.startswith("/carriers") for path in document["paths"])
        schemas = document["components"]["schemas"]
        assert {"TransferJson", "TransferRequest", "TransferEventJson", "ProblemDocument"} <= schemas.keys()
        assert "HTTPValidationError" not in schemas
        text = structlog.processors.JSONRenderer()(None, "", {"document": document})
        referenced = {part.split('"')[0] for part in str(text).split("#/components/schemas/")[1:]}
        assert referenced <= schemas.keys()

    run_served(scenario)
