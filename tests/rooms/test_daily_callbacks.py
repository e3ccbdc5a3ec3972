"""Threads cross to the loop once, in order, and not after the loop or the room has closed."""

import asyncio
import threading

import pytest
import structlog

from relay.rooms.daily_callbacks import Crossing, SdkThread
from tests.rooms.daily_room import crossing_by_hand
from tests.rooms.listener import run


def test_calls_arrive_on_the_loops_thread_in_their_order() -> None:
    async def scenario() -> None:
        crossing, told, done = Crossing(asyncio.get_running_loop()), list[tuple[int, int]](), asyncio.Event()

        def tell() -> None:
            for number in range(100):
                crossing.call(lambda number=number: told.append((number, threading.get_ident())))  # type: ignore[misc]
            crossing.call(done.set)

        threading.Thread(target=tell).start()
        await done.wait()
        assert told == [(number, threading.get_ident()) for number in range(100)]

    run(scenario())


def test_a_completion_counts_once_however_often_it_comes() -> None:
    loop, crossing = crossing_by_hand()
    told = list[int]()
    completion = crossing.once(told.append)
    completion(1)
    completion(2)
    loop.run()
    completion(3)
    loop.run()
    assert told == [1]


def test_what_is_under_way_when_it_is_shut_does_not_arrive() -> None:
    loop, crossing = crossing_by_hand()
    told = list[int]()
    crossing.call(told.append, 1)
    crossing.shut()
    crossing.call(told.append, 2)
    assert len(loop.waiting) == 1
    loop.run()
    assert told == []


def test_a_callback_after_the_loop_has_closed_is_dropped_and_raises_nothing() -> None:
    loop, crossing = crossing_by_hand()
    loop.is_closed = True
    crossing.call(lambda: None)
    crossing.once(lambda: None)()


def test_a_callback_that_raises_is_logged_and_the_next_one_comes() -> None:
    loop, crossing = crossing_by_hand()
    told = list[int]()
    crossing.call(lambda: 1 // 0)
    crossing.call(told.append, 1)
    with structlog.testing.capture_logs() as logged:
        loop.run()
    assert told == [1]
    assert [each["event"] for each in logged] == ["daily.callback_failed"]


def test_blocking_calls_run_in_order_in_one_other_thread() -> None:
    async def scenario() -> None:
        thread = SdkThread(asyncio.get_running_loop(), name="test")
        idents = await asyncio.gather(*(thread.run(threading.get_ident) for _ in range(3)))
        assert len(set(idents)) == 1
        assert threading.get_ident() not in idents
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0)
        thread.end()

    run(scenario())


def test_a_call_runs_also_when_nobody_waits_any_longer_and_may_outlive_the_loop() -> None:
    gate, ran = threading.Event(), threading.Event()

    async def scenario() -> None:
        thread = SdkThread(asyncio.get_running_loop(), name="test")
        held = thread.run(gate.wait)
        held.cancel()
        thread.run(ran.set).cancel()
        thread.end()

    run(scenario())
    gate.set()
    assert ran.wait(10)
