"""Several bridges in one worker process: each is driven, ends and breaks by itself, and nothing passes between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import CloseCode

from relay.bridge import driver
from relay.bridge import worker as worker_module
from relay.bridge.in_process import InProcessBridge
from relay.bridge.messages import SEAT_FROM_FRONT, SEAT_FROM_WORKER, Configure, End, HandOver, Join, Over
from relay.dev.room_server import RoomServer
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer
from tests.bridge.worker_processes import GONE_S, WorkerUnderTest, assigned, front, worker
from tests.bridge.worker_scene import Scene, closed, scene, talking

Run = Callable[[Coroutine[Any, Any, None]], None]
Call = tuple[WorkerUnderTest, Scene, RawPeer]


@contextlib.asynccontextmanager
async def calls(count: int = 2) -> AsyncIterator[list[Call]]:
    """Calls in one process, whose sides hear each other, each in a room of its own."""
    async with RoomServer(port=0) as server, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(worker())
        seats = [first.seat() for _ in range(count - 1)]
        scenes = [await stack.enter_async_context(scene(server, f"room-{n}")) for n in range(count)]
        yield [(here, its, await talking(here, its)) for here, its in zip((first, *seats), scenes, strict=True)]
        for seat in seats:
            seat.channel.close()


async def works(call: Call) -> None:
    """A key passes."""
    here, _, carrier = call
    carrier.send(messages.dtmf("7"))
    assert await here.told(ports.KeyPressed) == ports.KeyPressed("7")


def test_a_call_that_ends_leaves_the_others_and_the_last_takes_the_process_along(run: Run) -> None:
    async def test() -> None:
        async with calls(3) as three:
            while len(three) > 1:
                here, its, carrier = three.pop(0)  # the first pair is no other than the rest
                here.channel.send(End(Reason.CUSTOMER_LEFT))
                assert await closed(carrier) == CloseCode.NORMAL_CLOSURE
                assert (await here.first(Over)).ended.was_joined
                assert await here.ear.until_over() == "the other end was closed"
                await its.until_alone()
                for other in three:
                    await works(other)
            ((last, _, carrier),) = three
            carrier.send(messages.stop())
            await closed(carrier)
            assert (await last.first(Over)).ended.reason is Reason.AGENT_HUNG_UP
            assert await last.exited() == 0

    run(test())


@pytest.mark.parametrize("how", ["given up", "cannot be handled"])
def test_a_call_whose_pair_is_over_says_goodbye_and_the_other_goes_on(run: Run, how: str) -> None:
    async def test() -> None:
        async with calls() as ((here, its, carrier), other):
            if how == "given up":
                here.channel.close()
            else:
                here.channel.send(HandOver(b"", "nobody"), os.open(os.devnull, os.O_RDONLY))
            assert await closed(carrier) == CloseCode.GOING_AWAY
            await its.until_alone()
            await works(other)
            other[0].channel.send(End(Reason.CANCELED_BY_API))
            await closed(other[2])
            assert await other[0].exited() == 0

    run(test())


def test_f30_when_the_front_is_gone_each_call_says_goodbye_before_the_process_is_gone(run: Run) -> None:
    async def test() -> None:
        async with calls(3) as three:
            for here, _, _ in three:
                here.channel.close()
            async with asyncio.timeout(GONE_S):
                goodbyes = await asyncio.gather(*(closed(carrier) for _, _, carrier in three))
                assert goodbyes == [CloseCode.GOING_AWAY] * 3
                await asyncio.gather(*(its.until_alone() for _, its, _ in three))
                assert await three[0][0].exited() == 0

    run(test())


def test_a_seat_that_is_not_used_keeps_the_process_up_until_it_is_closed(run: Run) -> None:
    async def test() -> None:
        async with worker() as here:
            seat = here.seat()
            await here.until_ready()
            here.channel.close()
            seat.channel.send(assigned("http://127.0.0.1:1/rooms/blue"))
            seat.channel.send(End(Reason.BUSY))
            assert (await seat.first(Over)).ended.reason is Reason.BUSY
            assert await here.exited() == 0

    run(test())


class Panic(BaseException):
    """As native code ends what it was called by: no Exception."""


class Shared:
    """As much of a process as a bridge needs."""

    def make_ready(self, configuration: Configure) -> None: ...
    def seat(self, pair: socket.socket) -> None: ...
    def keep_secret(self, text: str) -> None: ...


def test_a_call_that_breaks_ends_its_pair_at_once_and_then_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def panic(_: InProcessBridge) -> None:
        raise Panic

    monkeypatch.setattr(InProcessBridge, "join", panic)

    async def test() -> None:
        channel, ear, theirs = front(SEAT_FROM_WORKER)
        its = driver.Driver(theirs, Shared(), incoming=SEAT_FROM_FRONT)
        channel.send(assigned("http://127.0.0.1:1/rooms/blue"))
        channel.send(Join())
        with pytest.raises(Panic):
            await its.over()
        assert await ear.until_over() == "the other end was closed"
        assert its._bridge is not None
        ended = await its._bridge._bridge.ended()
        assert ended.reason is Reason.INTERNAL_ERROR
        await asyncio.gather(*its._tasks)

    run(test())


def test_a_process_is_ended_from_behind_when_all_its_pairs_are_closed_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, said = threading.Event(), list[str]()

    def leave(code: int) -> None:
        said.append(f"exit {code}")
        ended.set()

    monkeypatch.setattr(os, "_exit", leave)
    pairs = [socket.socketpair() for _ in range(3)]
    watched = [theirs.fileno() for _, theirs in pairs]
    threading.Thread(target=worker_module._exit_behind, args=(watched, 0.0), daemon=True).start()
    for number in (1, 0, 2):
        said.append(f"close {number}")
        pairs[number][0].close()
    assert ended.wait(5)
    assert said == ["close 1", "close 0", "close 2", "exit 1"]
    for _, theirs in pairs:
        theirs.close()


TOKENS = [f"room-token-canary-{number}" for number in range(3)]


def test_t11_no_token_of_any_call_of_a_process_is_in_its_log(run: Run) -> None:
    """The room's URL stands for an error's text that has the token of this call, or of one before, in it."""

    async def test() -> None:
        async with worker() as here:
            seats = [here, here.seat(), here.seat()]
            await here.until_ready(Configure(log_level="debug", log_format="json"))
            *given, minted = TOKENS
            for seat, token in zip(seats, (*given, None), strict=True):
                seat.channel.send(assigned(f"http://127.0.0.1:1/rooms/{'-'.join(TOKENS)}", token=token))
            for seat, token in zip(reversed(seats), (minted, None, None), strict=True):
                seat.channel.send(Join(token))
                await seat.told(ports.BridgeEnded)
            assert await here.exited() == 0
            logged = here.logged.read_text()
            assert logged.count('"bridge_ended"') == 3
            assert not [token for token in TOKENS if token in logged]

    run(test())
