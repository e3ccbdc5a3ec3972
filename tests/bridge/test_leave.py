"""Leaving a room takes no longer than it may, whatever the room does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from relay.bridge.faults import Faults
from relay.bridge.leave import leave
from relay.rooms.loopback import LoopbackRoom

Run = Callable[[Coroutine[Any, Any, None]], None]


class Stuck(LoopbackRoom):
    async def leave(self) -> None:
        await asyncio.Event().wait()


class Broken(LoopbackRoom):
    async def leave(self) -> None:
        raise ZeroDivisionError


def faults_of(run: Run, make_room: Callable[[], LoopbackRoom]) -> dict[str, int]:
    faults = Faults(structlog.get_logger())

    async def test() -> None:
        await leave(make_room(), timeout_s=0.05, faults=faults)

    run(test())
    return dict(faults.counts)


def test_f22_room_that_hangs_or_fails_is_noted_and_left_behind(run: Run) -> None:
    assert faults_of(run, LoopbackRoom) == {}
    assert faults_of(run, Stuck) == {"leave_timeout": 1}
    assert faults_of(run, Broken) == {"teardown_failed": 1}
