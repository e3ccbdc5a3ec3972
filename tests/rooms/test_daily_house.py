"""Several Daily rooms of tracks in one process, through one SDK: nobody hears anything of another."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from tests.rooms.daily_house import House
from tests.rooms.daily_play import Play
from tests.rooms.listener import Listener, level, run
from tests.signals import samples_of

SAID = {f"https://relay.daily.co/room-{number}": 1000 * (number + 1) for number in range(3)}
"""The sample that the customer of each room says all the time."""
TONES_HZ = (700, 1100, 1300)
"""What relay says in each, in whole periods of 10 ms."""
FRAMES = 50


def test_rooms_of_one_process_hear_nothing_of_each_other_also_when_one_is_left() -> None:
    async def scenario() -> None:
        plays = {url: Play(said=said.to_bytes(2, "little")) for url, said in SAID.items()}
        house = House(plays)
        with house.running():
            for play in plays.values():
                play.enter("customer")
            rooms = [DailyRoom(url, token=None, backend=Backend.TRACKS, sdk=house.sdk) for url in plays]
            listeners = [Listener(hz, ptime_ms=10) for hz in TONES_HZ]
            await asyncio.gather(*(room.join(ear) for room, ear in zip(rooms, listeners, strict=True)))
            await asyncio.gather(*(listener.has_heard(FRAMES) for listener in listeners))
            await rooms[0].leave()
            await asyncio.gather(*(listener.has_heard(2 * FRAMES) for listener in listeners[1:]))
            await asyncio.gather(*(room.leave() for room in rooms[1:]))
        for listener, said in zip(listeners, SAID.values(), strict=True):
            heard = samples_of(b"".join(pcm for _, pcm in listener.heard))
            assert set(np.unique(heard)) <= {0, said}, "silence before the first frame, and its own customer"
        for play, own_hz in zip(plays.values(), TONES_HZ, strict=True):
            frames = [frame for frame in play.heard if any(frame)]
            assert len(frames) > FRAMES
            for hz in TONES_HZ:
                wanted = pytest.approx(8000 if hz == own_hz else 0, abs=100)
                assert level(samples_of(b"".join(frames)), hz) == wanted

    run(scenario())
