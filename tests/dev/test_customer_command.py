"""The customer as a command: a real process in a real room, until a signal or until the room is gone."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import wave
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from relay.dev.room_server import RoomServer
from relay.rooms.local import LocalRoom
from tests.rooms.listener import RATE_HZ, Listener, level
from tests.signals import samples_of

COMMAND = [sys.executable, "-m", "relay", "dev", "customer"]
FAILURE_S = 60.0  # a bound for what never comes: where much else runs, a process takes seconds to start


def run(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, FAILURE_S))


@asynccontextmanager
async def customer(room_url: str, *options: str) -> AsyncIterator[Process]:
    """The command, once it is in the room."""
    process = await asyncio.create_subprocess_exec(*COMMAND, room_url, *options, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"In the room as customer\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_the_customer_is_heard_and_records_what_is_heard(tmp_path: Path, number: signal.Signals) -> None:
    wav = tmp_path / "customer.wav"

    async def scenario() -> None:
        async with RoomServer(port=0) as server, customer(server.room_url("x"), "--record", str(wav)) as process:
            room, listener = LocalRoom(server.room_url("x"), name="agent"), Listener(1000)
            (other,) = await room.join(listener)
            assert other.name == "customer"
            assert np.std(await listener.hears(100)) > 100
            await room.leave()
            assert process.stdout is not None
            assert [await process.stdout.readline() for _ in range(2)] == [b"agent came\n", b"agent left: left\n"]
            process.send_signal(number)
            _, errors = await process.communicate()
            assert (process.returncode, errors) == (0, b"")

    run(scenario())
    with wave.open(str(wav)) as file:
        samples = samples_of(file.readframes(file.getnframes()))
    loud = samples[np.abs(samples) > 4000]
    whole = samples[np.argmax(np.abs(samples) > 4000) :][: RATE_HZ // 2]
    assert len(loud) > RATE_HZ // 2
    assert level(whole, 1000) == pytest.approx(8000, rel=0.02)


@pytest.mark.long
def test_a_room_that_is_gone_is_told_and_is_1() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server, customer(server.room_url("x")) as process:
            (participant_id,) = server.rooms["x"].seats
            await server.eject(participant_id)
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert b"The room is gone: " in errors

    run(scenario())


@pytest.mark.long
def test_a_room_that_cannot_be_joined_is_one_line_and_2() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            url = server.room_url("x").replace("/rooms/", "/room/")
            process = await asyncio.create_subprocess_exec(*COMMAND, url, stdout=PIPE, stderr=PIPE)
            output, errors = await process.communicate()
            assert (process.returncode, output) == (2, b"")
            assert errors.decode().splitlines()[0].startswith(f"Cannot join {url}: ")
            assert len(errors.splitlines()) == 1

    run(scenario())
