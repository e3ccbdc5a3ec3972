"""A stand-in of relay's HTTP API on loopback: says what the test tells it to, and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiohttp import web

from relay.dev.until import Changes

T = TypeVar("T")
Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
FAILURE_S = 10.0  # a bound for what never comes; nothing is waited for by time
TRANSFER_ID = "tr_" + "0" * 32
AT = "2026-11-26T12:00:00.123Z"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end within a bound; no task may be left."""

    async def bounded() -> T:
        async with asyncio.timeout(FAILURE_S):
            result = await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return asyncio.run(bounded())


def transfer_json(state: str = "requested", **changes: object) -> dict[str, object]:
    """A transfer as the API tells it."""
    return {
        "id": TRANSFER_ID,
        "state": state,
        "reason": None,
        "retryable": None,
        "sentence": None,
        "reconnecting": False,
        "provider": "twilio",
        "provider_call_id": None,
        "provider_code": None,
        "destination": "billing",
        "to": "+*********23",
        "room_url": "https://acme.daily.co/room",
        "customer_id": None,
        "bot_id": None,
        "accept": "none",
        "ring_timeout_s": 30,
        "max_duration_s": 14400,
        "metadata": {},
        "created_at": AT,
        "updated_at": AT,
        "times": {"requested": AT},
        **changes,
    }


def event_json(number: int, state: str) -> dict[str, object]:
    """An entry of the event log as the API tells it."""
    return {
        "id": TRANSFER_ID,
        "version": number,
        "event": None,
        "state": state,
        "reason": None,
        "retryable": None,
        "sentence": None,
        "changes": {},
        "at": AT,
    }


def event_text(number: int, state: str, **changes: object) -> str:
    """An entry of the event log, as the event stream has it."""
    data = {**event_json(number, state), **changes}
    return f"id: {number}-0\nevent: {state}\ndata: {json.dumps(data)}\n\n"


def says(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answers with JSON, or with the bytes given."""

    async def answer(_: web.Request) -> web.StreamResponse:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(
            body=content, status=status, headers={"Content-Type": "application/json", **(headers or {})}
        )

    return answer


def refuses(status: int, name: str, *, retry_after: str | None = None, **members: object) -> Answer:
    """Answers with a problem document."""
    problem = {"type": f"urn:relay:problem:{name}", "title": name.title(), "status": status, "detail": "why", **members}
    return says(problem, status, {"Retry-After": retry_after} if retry_after else None)


async def breaks(request: web.Request) -> web.StreamResponse:
    """Drops the connection without an answer. aiohttp's client asks once more by itself where that is always safe."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaks_midway(request: web.Request) -> web.StreamResponse:
    """Drops the connection within its answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    return await breaks(request)


def streams(*texts: str, then: str = "ends") -> Answer:
    """An event stream of ``texts``; ``then`` it ends, breaks, or stays open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for text in texts:
            await response.write(text.encode())
        if then == "breaks":
            assert request.transport is not None
            request.transport.abort()
        elif then == "stays":
            await request.app[CLOSING].wait()
        return response

    return answer


async def is_silent(request: web.Request) -> web.StreamResponse:
    """Never answers."""
    await request.app[CLOSING].wait()
    return web.Response()


CLOSING = web.AppKey("closing", asyncio.Event)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class StandIn:
    """Answers each request of a kind with the next of its answers; the last one again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    _answers: dict[str, list[Answer]] = field(default_factory=dict)

    def on(self, line: str, *answers: Answer) -> None:
        """Answer ``line``, which is ``GET /v1/transfers``, like this from now on."""
        self._answers[line] = list(answers)

    def keys(self) -> list[str]:
        """The idempotency keys, as they came."""
        return [asked.headers["Idempotency-Key"] for asked in self.asked if "Idempotency-Key" in asked.headers]

    async def was_asked(self, line: str, times: int = 1) -> None:
        """Wait until ``line`` has come so often."""
        await self.changes.until(
            lambda: sum(asked.line == line for asked in self.asked) >= times, line, timeout_s=FAILURE_S
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        body = json.loads(content) if content else None
        asked = Asked(request.method, request.path, dict(request.query), request.headers, body)
        self.asked.append(asked)
        self.changes.changed()
        answers = self._answers.get(asked.line, [refuses(404, "not-found")])
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """Serve until the block ends."""
    relay = StandIn()
    app = web.Application()
    app[CLOSING] = asyncio.Event()
    app.router.add_route("*", "/{path:.*}", relay._answer)
    runner = web.AppRunner(app, shutdown_timeout=FAILURE_S)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    relay.url = f"http://{host}:{port}"
    try:
        yield relay
    finally:
        app[CLOSING].set()
        await runner.cleanup()
