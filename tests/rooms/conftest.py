"""What the tests of rooms share: an event loop, the local server, and rooms of each kind with their other side."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from relay.dev.room_server import RoomServer
from relay.errors import RoomEnded
from relay.rooms.base import Participant, Room
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from relay.rooms.local import LocalRoom
from relay.rooms.loopback import LoopbackRoom
from tests.rooms.daily_play import Play
from tests.rooms.listener import Listener


@dataclass
class Stage:
    """A room to test, and its other side: somebody who is there before, may go, and may end it all."""

    room: Room
    other: Participant
    arrive: Callable[[], Awaitable[Participant]]
    depart: Callable[[Participant], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    is_present: Callable[[], bool]
    """Whether the other side sees the room's place taken."""


OpenStage: TypeAlias = Callable[[], AbstractAsyncContextManager[Stage]]


@asynccontextmanager
async def loopback_stage() -> AsyncIterator[Stage]:
    room = LoopbackRoom()
    other = Participant("1", "bot")
    room.enter(other)

    async def arrive() -> Participant:
        room.enter(Participant("2", "customer"))
        return room.participants["2"]

    async def depart(participant: Participant) -> None:
        room.depart(participant.participant_id)

    async def end() -> None:
        room.close(RoomEnded("the test has ended it"))

    yield Stage(room, other, arrive, depart, end, is_present=lambda: room.is_joined)
    await room.leave()


@asynccontextmanager
async def local_stage() -> AsyncIterator[Stage]:
    async with RoomServer(port=0) as server:
        url = server.room_url("stage")
        bot, room, late = LocalRoom(url, name="bot"), LocalRoom(url), LocalRoom(url, name="customer")
        await bot.join(Listener())
        places = {bot.participant_id: bot}

        async def arrive() -> Participant:
            await late.join(Listener())
            places[late.participant_id] = late
            return Participant(late.participant_id, "customer")

        async def depart(participant: Participant) -> None:
            await places[participant.participant_id].leave()

        async def end() -> None:
            await server.eject(room.participant_id)

        def is_present() -> bool:
            return len(server.rooms["stage"].seats) > len(places)

        yield Stage(room, Participant(bot.participant_id, "bot"), arrive, depart, end, is_present)
        for place in (room, late, bot):
            await place.leave()


@asynccontextmanager
async def daily_stage(backend: Backend) -> AsyncIterator[Stage]:
    with Play().running() as play:
        other = play.enter("bot")
        room = DailyRoom("https://relay.daily.co/stage", token=None, backend=backend, sdk=play.sdk)

        async def arrive() -> Participant:
            return play.enter("customer")

        async def depart(participant: Participant) -> None:
            play.depart(participant.participant_id)
            play.settle()

        async def end() -> None:
            play.eject()

        yield Stage(room, other, arrive, depart, end, is_present=lambda: bool(play.joined()))
        await room.leave()


def daily_virtual_stage() -> AbstractAsyncContextManager[Stage]:
    return daily_stage(Backend.VIRTUAL)


def daily_tracks_stage() -> AbstractAsyncContextManager[Stage]:
    return daily_stage(Backend.TRACKS)


@pytest.fixture(params=[loopback_stage, local_stage, daily_virtual_stage, daily_tracks_stage])
def open_stage(request: pytest.FixtureRequest) -> Any:
    opened: OpenStage = request.param
    return opened
