"""What ends a worker, and what is left of it: nothing, and no secret in what it has logged."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import CloseCode

from relay.bridge.driver import DETAIL_MAX, _shortened
from relay.bridge.messages import (
    Assign,
    Configure,
    End,
    HandOver,
    Join,
    Ready,
    RoomSpec,
    Told,
    encode,
)
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.worker_processes import GONE_S, WorkerUnderTest, assigned, worker
from tests.bridge.worker_scene import Scene, closed, in_room, talking

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_when_the_front_is_gone_both_sides_are_said_goodbye_to(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            here.channel.close()
            async with asyncio.timeout(GONE_S):
                assert await closed(carrier) == CloseCode.GOING_AWAY
                await scene.until_alone()
                assert await here.exited() == 0

    run(in_room(test))


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def pipe_without_a_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("log", [full_disk, pipe_without_a_reader])
@pytest.mark.parametrize("is_told", [True, False], ids=["told to end", "left alone"])
def test_f45_worker_whose_log_takes_nothing_ends_its_call_as_any_other(
    run: Run, log: Callable[[], int], *, is_told: bool
) -> None:
    async def test(scene: Scene) -> None:
        stderr = log()
        async with worker(stderr_to=stderr) as here:
            os.close(stderr)
            carrier = await talking(here, scene)
            if is_told:
                here.channel.send(End(Reason.CANCELED_BY_API))
            else:
                here.channel.close()
            async with asyncio.timeout(GONE_S):
                assert await closed(carrier) == (CloseCode.NORMAL_CLOSURE if is_told else CloseCode.GOING_AWAY)
                await scene.until_alone()
                assert await here.exited() == 0

    run(in_room(test))


@pytest.mark.long
def test_when_the_front_is_gone_a_carrier_that_answers_no_goodbye_is_dropped(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await talking(here, scene)
            here.channel.close()
            assert await here.exited(within_s=GONE_S) in {0, 1}
            await scene.until_alone()

    run(in_room(test))


@pytest.mark.parametrize("is_ready", [True, False])
def test_spare_whose_front_is_gone_exits(run: Run, *, is_ready: bool) -> None:
    async def test() -> None:
        async with worker() as here:
            if is_ready:
                await here.until_ready()
                here.channel.close()
                assert await here.exited(within_s=GONE_S) == 0
            else:  # it may not have begun yet
                here.channel.close()
                assert await here.exited() == 0

    run(test())


@pytest.mark.long
def test_worker_whose_loop_is_blocked_is_gone_in_time_all_the_same(run: Run) -> None:
    async def test() -> None:
        async with worker(("-m", "tests.bridge.stuck_worker", "asleep")) as here:
            await stick(here)
            here.channel.close()
            assert await here.exited(within_s=GONE_S) == 1

    run(test())


def test_worker_that_native_code_holds_up_ends_itself_and_says_where(run: Run) -> None:
    async def test() -> None:
        async with worker(("-m", "tests.bridge.stuck_worker", "native")) as here:
            await stick(here)
            assert await here.exited() == 1
            assert await here.ear.until_over() == "the other end was closed"
            assert "in join" in here.logged.read_text()

    run(test())


async def stick(here: WorkerUnderTest) -> None:
    """Its loop has stopped."""
    await here.assign("http://127.0.0.1/rooms/blue")
    here.channel.send(Join())
    assert here.process.stdout is not None
    assert await asyncio.to_thread(here.process.stdout.readline) == b"stuck\n"


# What does not end it


def test_signals_are_the_fronts_business(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(here.process.pid, number)
            carrier.send(messages.dtmf("7"))
            assert await here.told(ports.KeyPressed) == ports.KeyPressed("7")
            here.channel.send(End(Reason.CANCELED_BY_API))
            await closed(carrier)
            assert await here.exited() == 0

    run(in_room(test))


# What only a defect does


@pytest.mark.parametrize(
    "said",
    [b"no message", b'[2,{"is":"Join"}]', encode(Configure()), encode(Ready(1)), encode(HandOver(b"", "twilio"))],
    ids=["no message", "another version", "out of order", "not a front's", "no descriptor"],
)
@pytest.mark.long
def test_message_that_cannot_be_taken_ends_the_worker_and_what_it_holds(run: Run, said: bytes) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            here.channel._pair.sendall(struct.pack(">I", len(said)) + said)
            assert await closed(carrier) == CloseCode.GOING_AWAY
            assert await here.exited(within_s=GONE_S) == 0
            assert await here.ear.until_over() == "the other end was closed"
            assert "pair_broken" in here.logged.read_text()
            await scene.until_alone()

    run(in_room(test))


def test_carrier_that_nobody_knows_is_let_go_of(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await here.assign(scene.url)
            ours, theirs = socket.socketpair()
            theirs.settimeout(0)
            here.channel.send(HandOver(b"GET / HTTP/1.1\r\n\r\n", "nobody"), ours.detach())
            assert await here.exited() == 0
            assert theirs.recv(1) == b""
            theirs.close()
            assert "message_not_handled" in here.logged.read_text()

    run(in_room(test))


def test_text_that_says_why_is_cut_to_what_can_be_sent() -> None:
    event = ports.BridgeEnded(Reason.ROOM_LOST, "\ud800" + "x" * 2000)
    told = _shortened(event)
    assert told == ports.BridgeEnded(Reason.ROOM_LOST, "\\ud800" + "x" * (DETAIL_MAX - 1))
    assert encode(Told(told))
    assert _shortened(ports.RoomJoined()) == ports.RoomJoined()


# Secrets

TOKEN = "room-token-canary-0123456789"  # noqa: S105 - of nobody
SECRET = "daily-key-canary-0123456789"  # noqa: S105 - of nobody


def test_t11_t12_no_token_is_in_a_workers_log_arguments_or_environment(run: Run) -> None:
    """The room's URL stands for an error's text that has the token in it."""

    async def test() -> None:
        async with worker() as here:
            await here.until_ready(Configure(log_level="debug", log_format="json", secrets=(SECRET,)))
            process = Path(f"/proc/{here.process.pid}")
            shown = [(process / name).read_bytes() for name in ("cmdline", "environ")]
            here.channel.send(assigned(f"http://127.0.0.1:1/rooms/{TOKEN}-{SECRET}", token=TOKEN))
            here.channel.send(Join())
            await here.told(ports.BridgeEnded)
            assert await here.exited() == 0
            shown.append(here.logged.read_bytes())
            assert b"room_unreachable" in shown[-1]
            assert all(shown)
            assert not [each for each in shown if TOKEN.encode() in each or SECRET.encode() in each]

    run(test())


def test_place_in_a_room_shows_no_token() -> None:
    room = RoomSpec(kind="daily", url="https://acme.daily.co/blue", token=TOKEN)
    assert TOKEN not in repr(Assign(transfer_id="t-1", room=room))
