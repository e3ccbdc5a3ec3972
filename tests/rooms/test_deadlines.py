"""Calls at moments: never early, in order, one timer for all; without a timerfd they are the loop's."""

import asyncio
import gc
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.rooms.deadlines import Deadlines, LoopWaker, TimerfdWaker, shared_deadlines
from tests.rooms.descriptors import none_free, timerfds
from tests.rooms.listener import run
from tests.rooms.moved_waker import MovedWaker

MS_NS = 1_000_000
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="a timerfd is Linux's alone")


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
@pytest.mark.parametrize("waker", [pytest.param(TimerfdWaker, marks=on_linux), LoopWaker])
def test_no_call_is_early(new_loop: Callable[[], asyncio.AbstractEventLoop], waker: Any) -> None:
    """Uvloop's timers alone may be 1 ms early."""

    async def scenario() -> None:
        deadlines, done = Deadlines(wakers=(waker,)), asyncio.Event()
        begin_ns = time.monotonic_ns()
        moments_ns = [begin_ns + number * 130_000 for number in range(100)]
        called = list[tuple[int, int]]()
        for at_ns in reversed(moments_ns):
            deadlines.call_at(at_ns, lambda now_ns, at_ns=at_ns: called.append((at_ns, now_ns)))  # type: ignore[misc] # the default binds it
        deadlines.call_at(moments_ns[-1], lambda _: done.set())
        await done.wait()
        assert [at_ns for at_ns, _ in called] == moments_ns
        assert all(at_ns <= now_ns <= time.monotonic_ns() for at_ns, now_ns in called)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


def test_of_two_at_one_moment_the_first_set_is_called_first() -> None:
    waker, called = MovedWaker(), list[str]()
    for name in "abc":
        waker.deadlines.call_at(waker.now_ns + MS_NS, lambda _, name=name: called.append(name))  # type: ignore[misc] # the default binds it
    waker.wake()
    assert called == ["a", "b", "c"]


def test_what_is_set_within_a_waking_waits_for_the_next_even_if_it_is_due() -> None:
    """Else a call that sets its like would keep the loop for itself."""
    waker, called = MovedWaker(), list[int]()

    def again(now_ns: int) -> None:
        called.append(now_ns)
        waker.deadlines.call_at(0, again)

    waker.deadlines.call_at(0, again)
    for _ in range(3):
        waker.wake()
    assert len(called) == len(waker.wakings_ns) == 3


def test_a_canceled_one_is_not_called_nor_one_canceled_within_the_waking() -> None:
    waker, called = MovedWaker(), list[int]()
    first = waker.deadlines.call_at(waker.now_ns + MS_NS, called.append)
    waker.deadlines.call_at(waker.now_ns + 2 * MS_NS, lambda _: last.cancel())
    last = waker.deadlines.call_at(waker.now_ns + 2 * MS_NS, called.append)
    first.cancel()
    first.cancel()
    waker.wake(late_ns=MS_NS)
    last.cancel()
    assert called == []
    assert not waker.is_open


def test_canceled_ones_neither_pile_up_nor_wake() -> None:
    waker, called = MovedWaker(), list[int]()
    for wait_ms in range(1, 1000):
        waker.deadlines.call_at(waker.now_ns + wait_ms * MS_NS, called.append).cancel()
        waker.deadlines.call_at(waker.now_ns + 2000 * MS_NS, called.append).cancel()
        if wait_ms == 1:
            waker.deadlines.call_at(waker.now_ns + 1000 * MS_NS, called.append)
    assert len(waker.deadlines._heap) < 100
    while waker.is_open:
        waker.wake()
    assert len(called) == 1
    assert len(waker.wakings_ns) <= 2  # it may have been set for the first that was canceled


def test_the_waker_is_set_once_a_waking_and_closed_when_nobody_waits() -> None:
    waker = MovedWaker()
    begin_ns = waker.now_ns
    for wait_ms in (5, 7, 3, 5):
        waker.deadlines.call_at(begin_ns + wait_ms * MS_NS, lambda _: None)
    while waker.is_open:
        waker.wake()
    assert [(at_ns - begin_ns) // MS_NS for at_ns in waker.sets_ns] == [5, 3, 5, 7]
    waker.deadlines.call_at(begin_ns, lambda _: None)
    assert waker.is_open


def test_one_that_raises_is_reported_and_disturbs_no_other() -> None:
    async def scenario() -> None:
        reported = list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        done = asyncio.Event()
        shared_deadlines().call_at(0, lambda now_ns: 1 // (now_ns - now_ns))  # type: ignore[arg-type] # raises
        shared_deadlines().call_at(0, lambda _: done.set())
        await done.wait()
        assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]

    run(scenario())


@on_linux
def test_without_a_descriptor_it_goes_on_with_timers_of_the_loop_and_says_so_once() -> None:
    async def scenario() -> None:
        deadlines = Deadlines()
        with capture_logs() as logs, none_free():
            for _ in range(3):
                done = asyncio.Event()
                deadlines.call_at(time.monotonic_ns() + MS_NS, lambda _, done=done: done.set())  # type: ignore[misc] # the default binds it
                await done.wait()
        assert [(each["event"], "Too many open files" in each["error"]) for each in logs] == [
            ("deadlines.no_timerfd", True)
        ]
        deadlines.call_at(time.monotonic_ns() + MS_NS, lambda _: done.set())
        assert timerfds() == before + 1  # it is tried again, once nobody has waited
        done.clear()
        await done.wait()

    before = timerfds()
    run(scenario())
    assert timerfds() == before


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_timer_of_a_loop_that_is_closed_does_not_keep_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> "weakref.ref[asyncio.AbstractEventLoop]":
        deadlines.call_at(deadlines.now_ns() + 1_000_000 * MS_NS, lambda _: None)
        return weakref.ref(asyncio.get_running_loop())

    deadlines = Deadlines(wakers=(LoopWaker,))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        loop = runner.run(scenario())
    del runner
    gc.collect()
    assert loop() is None


@on_linux
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_loop_that_is_closed_while_they_wait_gives_the_descriptor_back(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> Any:
        return shared_deadlines().call_at(time.monotonic_ns() + 1_000_000 * MS_NS, lambda _: None)

    gc.collect()
    before = timerfds()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        late = runner.run(scenario())
        assert timerfds() == before + 1
    del runner
    gc.collect()
    assert timerfds() == before
    late.cancel()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        late = runner.run(scenario())
    late.cancel()
    assert timerfds() == before
