"""Waiting: woken early, and for no longer than is fair."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from relay.transfers.clock import Patience, pause
from tests.transfers.clock import ManualClock


async def test_a_pause_lasts_until_its_time() -> None:
    timers, woken = ManualClock(), asyncio.Event()
    waiting = asyncio.create_task(pause(timers.call_later, 5, woken))
    await asyncio.sleep(0)
    timers.advance(4.9)
    await asyncio.sleep(0)
    assert not waiting.done()
    timers.advance(0.2)
    await waiting
    assert not woken.is_set()


async def test_patience_ends() -> None:
    with pytest.raises(TimeoutError):
        async with Patience(0.01):
            await asyncio.Event().wait()


async def test_what_is_in_time_is_not_disturbed() -> None:
    async with Patience(0.01):
        pass
    await asyncio.sleep(0)


async def test_an_answer_that_came_while_the_loop_stood_still_has_come_in_time() -> None:
    """It is in the socket when the loop wakes up, with the time-out long due."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        async with Patience(0.02):
            asyncio.get_running_loop().call_soon(_stand_still, theirs)
            assert await reader.readexactly(6) == b"answer"
    finally:
        writer.close()
        await writer.wait_closed()
        theirs.close()


async def test_an_answer_that_is_read_only_long_after_its_time_has_come_in_time_on_a_busy_loop() -> None:
    """The loop stands still for longer than the time-out, again and again: that is not the other side's silence."""
    answered = asyncio.Event()

    def be_busy(times: int) -> None:
        time.sleep(0.03)
        if times:
            asyncio.get_running_loop().call_soon(be_busy, times - 1)
        else:
            answered.set()

    async with Patience(0.02):
        asyncio.get_running_loop().call_soon(be_busy, 5)
        await answered.wait()


def _stand_still(peer: socket.socket) -> None:
    time.sleep(0.05)
    peer.sendall(b"answer")
