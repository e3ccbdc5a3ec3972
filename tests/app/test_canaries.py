"""Secrets and phone numbers leave no trace of a request: not in logs, not in answers, not in Redis."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from structlog.testing import capture_logs

from relay.transfers.ports import PhoneAnswered
from tests.app.conftest import RunServed
from tests.app.served import ADMIN_KEY, BILLING_NUMBER, READ_KEY, ROOM, TRIGGER_KEY, Served, settings_with

TO, FROM, DENIED = "+14155550188", "+14155550177", "+19005550166"
ROOM_TOKEN = "eyJcanary.room.token"  # noqa: S105 - opens nothing
IDEMPOTENCY_KEY = "idempotency-canary"
SUMMARY = "the customer's canary story"
NUMBERS = {number.removeprefix("+") for number in (TO, FROM, DENIED, BILLING_NUMBER)}
SECRETS = {ADMIN_KEY, READ_KEY, TRIGGER_KEY, ROOM_TOKEN, *NUMBERS, "wrong-key-canary"}


async def whole_story(served: Served) -> list[str]:
    """All kinds of requests, good and bad, with canaries in each place that takes them; what was answered."""
    body: Any = {"to": TO, "from": FROM, "room_token": ROOM_TOKEN, "metadata": {"summary": SUMMARY}}
    key = {"Idempotency-Key": IDEMPOTENCY_KEY}
    made = await served.post(headers=key, **body)
    assert made.status == 201
    path = f"/v1/transfers/{made.json['id']}"
    await served.until_dialled(made.json["id"])
    replies = [
        made,
        await served.post(headers=key, **body),
        await served.post(headers=key, **{**body, "to": TO[:-1] + "9"}),
        await served.post(**body),
        await served.post(to=DENIED),
        await served.post(**{**body, "from": TO + "x", "room_token": ROOM_TOKEN + " "}),
        await served.post(**{**body, TO: TO, ROOM_TOKEN: ROOM_TOKEN, "metadata": {TO: {TO: TO}}}),
        await served.post(room_url=f"{ROOM}?t={ROOM_TOKEN}"),
        await served.ask("POST", "/v1/transfers", f'{{"to": "{TO}", "room_token": {ROOM_TOKEN}'.encode()),
        await served.ask("GET", f"/v1/transfers/{TO}?wait_s={TO}&until={TO}", Last_Event_ID=TO),
        await served.ask("GET", path, key="wrong-key-canary"),
        await served.ask("GET", path, key=TRIGGER_KEY),
        await served.ask("GET", f"/{TO}/{ROOM_TOKEN}"),
        await served.ask("GET", path),
        await served.ask("GET", "/v1/transfers"),
        await served.ask("GET", "/v1/destinations", key=READ_KEY),
    ]
    await served.report(made.json["id"], PhoneAnswered())
    served.bridges.last.connect("CA1")
    replies += [
        await served.ask("GET", f"{path}?wait_s=10"),
        await served.ask("DELETE", path),
        await served.ask("GET", f"{path}/events"),
        await served.ask("GET", "/metrics"),
        await served.ask("GET", "/openapi.json"),
    ]
    assert {201, 401, 403, 404, 409, 422, 200} <= {reply.status for reply in replies}
    return [f"{reply.headers} {reply.text}" for reply in replies]


async def everything_in(redis: Redis) -> str:
    """All keys and all values, as text."""
    read: dict[Any, Callable[[Any], Awaitable[Any]]] = {
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"stream": redis.xrange,
        b"string": redis.get,
        b"zset": lambda key: redis.zrange(key, 0, -1),
    }
    return repr([(key, await read[await redis.type(key)](key)) async for key in redis.scan_iter()])


def test_no_secret_and_no_number_is_left_anywhere(run_served: RunServed, store_url: str) -> None:
    async def scenario(served: Served) -> None:
        with capture_logs() as logged:
            answers = await whole_story(served)
        async with Redis.from_url(store_url) as redis:
            stored = await everything_in(redis)
        lines = [json.dumps(line, default=str) for line in logged]
        assert len(lines) >= len(answers)
        assert "support-42" in stored
        for secret in SECRETS:
            assert [line for line in lines if secret in line] == []
            assert [answer for answer in answers if secret in answer] == []
            assert secret not in stored
        for private in (SUMMARY, IDEMPOTENCY_KEY, ROOM):
            assert [line for line in lines if private in line] == []
        assert IDEMPOTENCY_KEY not in stored
        assert served.bridges.made[0].order.room_token == ROOM_TOKEN

    run_served(scenario, settings_with(allowed_numbers=["+1415"]))


def test_what_a_request_made_does_not_show_it_in_its_repr(run_served: RunServed) -> None:
    """Objects end up in log lines and tracebacks."""

    async def scenario(served: Served) -> None:
        body: Any = {"to": TO, "from": FROM, "room_token": ROOM_TOKEN}
        await served.make(**body)
        shown = repr((served.bridges.last.order, served.carrier.dials))
        assert [secret for secret in SECRETS if secret in shown] == []

    run_served(scenario, settings_with(allowed_numbers=["+1415"]))
