"""A bridge in another process, driven as transfers drive it, and every way in which its worker can fail it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge import worker_bridge
from relay.bridge.settings import BridgeSettings
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge.pooled import (
    NOTICED_S,
    QUICK,
    Pooled,
    a_connection,
    descriptor,
    descriptors,
    kill,
    order,
    pooled,
    state_of,
)
from tests.bridge.process import Told

Run = Callable[[Coroutine[Any, Any, None]], None]


async def until_told(told: Told, kind: type[ports.BridgeEvent], *, timeout_s: float = 5.0) -> None:
    await told.changes.until(lambda: kind in told.kinds(), kind.__name__, timeout_s=timeout_s)


def ends_as_lost(here: Pooled, told: Told, reason: Reason = Reason.WORKER_LOST) -> None:
    """The transfer was told so, once and last, and so was who counts."""
    assert told.kinds().count(ports.BridgeEnded) == 1
    last = told.events[-1]
    assert isinstance(last, ports.BridgeEnded)
    assert last.reason is reason
    ((_, ended),) = here.endings
    assert (ended.reason, ended.stats.faults.get("worker_lost")) == (reason, 1)
    assert here.pool.lost_count == 1


def test_what_is_asked_and_told_passes_both_ways(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire()
            await bridge.join()
            bridge.ring()
            assert bridge.send_digits("12#")
            bridge.admit()
            await until_told(told, ports.BothHeard)
            media, theirs = a_connection()
            bridge.hand_over(media)
            with theirs:
                assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b"taken: GET /media"
                assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b"", "no end of it is left here"
            await bridge.release(Reason.CANCELED_BY_API)
            assert told.events == [
                ports.RoomJoined(),
                ports.KeyPressed("r"),
                ports.KeyPressed("#"),
                ports.BothHeard(),
                ports.BridgeEnded(Reason.CANCELED_BY_API, "as asked"),
            ]
            assert [transfer_id for transfer_id, _ in here.statistics] == ["t-1"]
            ((transfer_id, ended),) = here.endings
            assert (transfer_id, ended.reason, ended.was_joined) == ("t-1", Reason.CANCELED_BY_API, True)
            assert here.pool.lost_count == 0

    run(test())


def test_bridge_that_ends_alone_is_told_once_and_release_changes_nothing(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire(how_it_goes_on="ends alone")
            await bridge.join()
            await here.until_ended()
            await asyncio.gather(*(bridge.release(Reason.CANCELED_BY_API) for _ in range(3)))
            assert not bridge.send_digits("12#"), "nobody is there who could send them"
            assert told.kinds() == [ports.RoomJoined, ports.BridgeEnded]
            assert here.endings[0][1].reason is Reason.CUSTOMER_LEFT
            assert here.pool.lost_count == 0

    run(test())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV], ids=lambda each: each.name)
def test_f44_worker_that_dies_is_told_within_a_second(run: Run, number: signal.Signals) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire()
            await bridge.join()
            bridge.admit()
            await until_told(told, ports.BothHeard)
            kill(bridge.pid, number)
            await until_told(told, ports.BridgeEnded, timeout_s=NOTICED_S)
            ends_as_lost(here, told)
            assert here.endings[0][1].was_joined
            assert here.endings[0][1].stats.faults == {"bad_message": 2, "worker_lost": 1}, "those it had reported, too"
            await bridge.release(Reason.WORKER_LOST)
            assert state_of(bridge.pid) == ""

    run(test())


@pytest.mark.parametrize(
    "how_it_goes_on",
    [
        *("dies on join", "aborts on join", "closes the pair", "leaves the pair to a child"),
        *("says garbage", "says something out of order"),
    ],
)
def test_f44_worker_that_breaks_while_joining_is_lost_and_gone(run: Run, how_it_goes_on: str) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire(how_it_goes_on=how_it_goes_on)
            async with asyncio.timeout(NOTICED_S):
                await bridge.join()  # returns: that it failed is told
            ends_as_lost(here, told)
            await bridge.release(Reason.WORKER_LOST)
            assert state_of(bridge.pid) == ""
            assert here.pool.process_count == 0

    run(test())


def test_f44_worker_that_dies_after_it_said_the_end_is_told_no_second_one(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire(how_it_goes_on="dies before it is over")
            await bridge.release(Reason.CUSTOMER_LEFT)
            assert told.events == [ports.BridgeEnded(Reason.CUSTOMER_LEFT, "as asked")]
            ends_as_lost(here, told, Reason.CUSTOMER_LEFT)

    run(test())


def test_f22_release_of_a_worker_that_hangs_is_bounded_and_kills_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_bridge, "RELEASE_MARGIN_S", 0.2)

    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire(how_it_goes_on="hangs in end")
            await bridge.join()
            async with asyncio.timeout(QUICK.notice_timeout_s + QUICK.close_timeout_s + 1):
                await asyncio.gather(*(bridge.release(Reason.CUSTOMER_LEFT) for _ in range(2)))
            ends_as_lost(here, told, Reason.CUSTOMER_LEFT)
            assert here.endings[0][1].stats.faults[worker_bridge.HELD_UP] == 1, "what held it up may be its room"
            assert state_of(bridge.pid) == ""

    run(test())


def test_worker_that_reports_nothing_is_given_up(run: Run) -> None:
    """It may hang in native code, with its process and its end of the pair as they should be."""

    async def test() -> None:
        async with pooled(settings=BridgeSettings(tick_s=0.05)) as here:
            bridge, told = await here.acquire(how_it_goes_on="is silent")
            await until_told(told, ports.BridgeEnded)
            ends_as_lost(here, told)
            assert worker_bridge.HELD_UP not in here.endings[0][1].stats.faults, "it was not to end"
            await bridge.release(Reason.WORKER_LOST)
            assert state_of(bridge.pid) == ""

    run(test())


def test_stopped_worker_is_given_up_and_gone(run: Run) -> None:
    async def test() -> None:
        async with pooled(settings=BridgeSettings(tick_s=0.05)) as here:
            bridge, told = await here.acquire()
            kill(bridge.pid, signal.SIGSTOP)
            await until_told(told, ports.BridgeEnded)
            await bridge.release(Reason.WORKER_LOST)
            ends_as_lost(here, told)

    run(test())


def test_worker_that_stays_after_its_last_word_is_killed_and_counts_no_longer(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.bridge.pooled_worker.EXIT_S", 0.1)

    async def test() -> None:
        async with pooled(workers_max=1) as here:
            bridge, told = await here.acquire(how_it_goes_on="stays")
            await bridge.join()
            await bridge.release(Reason.CUSTOMER_LEFT)
            assert (here.pool.count, here.pool.process_count, here.pool.lost_count) == (0, 1, 0)
            assert told.kinds() == [ports.RoomJoined, ports.BridgeEnded]
            other, _ = await here.acquire("t-2")
            await other.release(Reason.CANCELED_BY_API)

    run(test())


@pytest.mark.parametrize("when", ["dead", "over", "stopped"])
def test_connection_is_closed_here_whatever_becomes_of_the_worker(run: Run, when: str) -> None:
    async def test() -> None:
        async with pooled() as here:
            bridge, told = await here.acquire()
            await bridge.join()
            if when == "dead":
                kill(bridge.pid)
                await until_told(told, ports.BridgeEnded)
            elif when == "over":
                await bridge.release(Reason.CANCELED_BY_API)
            else:
                kill(bridge.pid, signal.SIGSTOP)
            before = descriptors()
            ends = []
            for _ in range(5):
                media, theirs = a_connection()
                ends.append(theirs)
                bridge.hand_over(media)
            assert descriptors() - before == {descriptor(end) for end in ends}
            for end in ends:
                end.close()
            if when == "stopped":
                kill(bridge.pid)
            await bridge.release(Reason.CANCELED_BY_API)

    run(test())


def test_worker_that_dies_with_the_connection_in_its_hands_closes_it(run: Run) -> None:
    """What is on its way in the pair is the kernel's to close."""

    async def test() -> None:
        async with pooled() as here:
            bridge, _ = await here.acquire()
            await bridge.join()
            kill(bridge.pid, signal.SIGSTOP)
            media, theirs = a_connection()
            bridge.hand_over(media)
            kill(bridge.pid)
            with theirs:
                assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b""
            await bridge.release(Reason.WORKER_LOST)

    run(test())


def test_listener_that_raises_does_not_end_a_call(run: Run) -> None:
    async def test() -> None:
        async with pooled() as here:
            told = Told()

            def broken(event: ports.BridgeEvent) -> None:
                told(event)
                raise KeyError(str(event))

            bridge = await here.pool.acquire("t-1", order(), held=False, on_event=broken)
            await bridge.join()
            bridge.ring()
            await until_told(told, ports.KeyPressed)
            await bridge.release(Reason.CANCELED_BY_API)
            assert here.pool.lost_count == 0

    run(test())
