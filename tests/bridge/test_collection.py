"""What a call leaves to the garbage collector: nothing as long as it goes on, and nothing it cannot free at its end."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from tests.bridge import messages
from tests.bridge.case import Case, bridged

Run = Callable[[Coroutine[Any, Any, None]], None]

FRAMES_PER_S = 50
FRAMES_PER_READ = 5


@contextmanager
def only_cycles(found: list[Any]) -> Iterator[None]:
    """No collection within the block; ``found`` is what then was only in cycles, and nobody's any longer."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
    finally:
        gc.set_debug(0)
        gc.enable()
        found += gc.garbage
        gc.garbage.clear()


async def speak(case: Case, *, first: int, frames: int) -> None:
    """So many frames both ways; the carrier reads every tenth of a second, the watchdogs look once a second."""
    leg = case.bridge._legs.current
    assert leg is not None
    heard = 0
    for count in range(1, frames + 1):
        leg.connection.data_received(Frame(Opcode.TEXT, messages.media(first + count)).serialize(mask=True))
        case.clock.advance(20)
        if count % FRAMES_PER_S == 0:
            case.bridge.check(case.clock.now_ns())
        while count % FRAMES_PER_READ == 0 and heard < count:
            heard += b'"media"' in (await case.carrier.receive()).data
            case.carrier.flush()  # pongs


@pytest.mark.parametrize("frames", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_frames_both_ways_leave_nothing_in_cycles(run: Run, frames: int) -> None:
    """So a collection during a call finds nothing, and a call causes none: what is made is freed at once."""

    async def scenario() -> None:
        async with bridged() as case:
            await case.talk()
            heard_before = case.bridge.stats(case.clock.now_ns(), whole_call=True)
            found = list[Any]()
            with only_cycles(found):
                await speak(case, first=6, frames=frames)
            heard = case.bridge.stats(case.clock.now_ns(), whole_call=True)
            assert found == []
            for before, after in (
                (heard_before.agent_to_room, heard.agent_to_room),
                (heard_before.room_to_agent, heard.room_to_agent),
            ):
                assert before is not None
                assert after is not None
                assert after.frames - before.frames == frames

    run(scenario())


def test_a_bridge_that_has_ended_can_be_collected_whole(run: Run) -> None:
    async def scenario() -> None:
        async with bridged() as case:
            await case.talk()
            leg = case.bridge._legs.current
            assert leg is not None
            parts = [weakref.ref(each) for each in (case.bridge, leg, leg.connection, leg.agent_to_room, case.room)]
        del case, leg
        gc.collect()
        assert [type(each()) for each in parts] == [type(None)] * len(parts)
        assert gc.garbage == []

    run(scenario())
