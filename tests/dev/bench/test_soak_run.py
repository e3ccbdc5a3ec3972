"""A soak's readings: one that fails is noted, and the others go on."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import aiohttp

from relay.dev.bench.soak import Course, _Run
from tests.dev.bench.test_soak_report import PLAN, SAMPLE


class Reads:
    """Fails the first time."""

    def __init__(self) -> None:
        self.samples: list[object] = []

    async def take(self, *_: object) -> object:
        self.samples.append(None)
        if len(self.samples) == 1:
            raise aiohttp.ServerDisconnectedError
        return SAMPLE


def test_reading_that_fails_is_noted_and_the_next_is_taken() -> None:
    course = Course(PLAN)

    async def scenario() -> list[object]:
        parts: dict[str, Any] = dict.fromkeys(("service", "carrier", "rooms"))
        callers = cast("Any", SimpleNamespace(done=0))
        run = _Run(course, **parts, callers=callers, sampler=cast("Any", Reads()), store_url="")
        return [await run._read(), await run._read()]

    assert asyncio.run(scenario()) == [None, SAMPLE]
    assert "ServerDisconnectedError" in course.unread[0]
