"""What tests of the Daily room share: a room of a play, joined, and a loop that runs when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from relay.rooms.base import Participant
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from relay.rooms.daily_callbacks import Crossing
from relay.rooms.device_clock import DeviceClock
from tests.rooms.daily_play import Play
from tests.rooms.listener import Listener

URL = "https://relay.daily.co/support-42"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJyIjoic3VwcG9ydC00MiJ9.c2lnbmF0dXJl"  # noqa: S105 - it opens nothing


def room_of(
    play: Play, *, token: str | None = TOKEN, backend: Backend = Backend.VIRTUAL, clock: DeviceClock | None = None
) -> DailyRoom:
    """A place in the play's room, not joined."""
    return DailyRoom(URL, token=token, backend=backend, clock=clock, sdk=play.sdk)


@asynccontextmanager
async def joined(
    play: Play, *, backend: Backend = Backend.VIRTUAL, clock: DeviceClock | None = None
) -> AsyncIterator[tuple[DailyRoom, Listener, Participant]]:
    """The room with its listener and one other, and left at the end."""
    with play.running():
        other = play.enter("customer")
        room, listener = room_of(play, backend=backend, clock=clock), Listener(ptime_ms=10)
        await room.join(listener)
        try:
            yield room, listener, other
        finally:
            await room.leave()


class HandLoop:
    """As much of an event loop as a crossing needs; what crosses waits for ``run``."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []
        self.is_closed = False

    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        """As the loop's."""
        if self.is_closed:
            raise RuntimeError("Event loop is closed")
        self.waiting.append(call)

    def run(self) -> None:
        """What has crossed so far, not what that brings about."""
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


def crossing_by_hand() -> tuple[HandLoop, Crossing]:
    """A crossing, and the loop it leads to."""
    loop: Any = HandLoop()
    return loop, Crossing(loop)


async def passes(turns: int = 1) -> None:
    """Let the loop run what is ready, so many times."""
    for _ in range(turns):
        await asyncio.sleep(0)
