"""What an agent hears last, and how little time that takes."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest
from websockets.frames import Frame, Opcode

from relay.bridge.events import Ended, Ending
from relay.bridge.room_to_agent import LAST_MARK
from relay.errors import RoomDenied
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import Case, bridged

Run = Callable[[Coroutine[Any, Any, None]], None]

NOTICE_FRAMES = 15


async def heard_last(case: Case) -> list[str]:
    """Read the events that the carrier gets from the first ``clear`` on, until the connection is being closed."""
    events: list[str] = []
    while (frame := await case.carrier.receive()).opcode is not Opcode.CLOSE:
        if frame.opcode is Opcode.TEXT:
            events += _events(frame)
    return events[events.index("clear") :] if "clear" in events else []


def _events(frame: Frame) -> list[str]:
    message = orjson.loads(frame.data)
    return [message["event"] + (":" + message["mark"]["name"] if message["event"] == "mark" else "")]


@pytest.mark.parametrize("reason", [Reason.CUSTOMER_LEFT, Reason.ROOM_ENDED, Reason.CANCELED_BY_API])
def test_f10_agent_hears_a_notice_in_place_of_what_is_left_and_then_the_end(run: Run, reason: Reason) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(reason)
            assert await heard_last(case) == ["clear", *["media"] * NOTICE_FRAMES, f"mark:{LAST_MARK}", "media"]

    run(test())


def test_f10_it_is_over_as_soon_as_the_carrier_says_that_it_was_played(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(Reason.CUSTOMER_LEFT)
            begun_s = time.monotonic()
            while (frame := await case.carrier.receive()).opcode is not Opcode.TEXT or _events(frame) != [
                f"mark:{LAST_MARK}"
            ]:
                assert Ending not in case.kinds()
            case.carrier.send(messages.mark(LAST_MARK))
            await case.changes.until(lambda: Ending in case.kinds(), "ending", timeout_s=5)
            assert time.monotonic() - begun_s < 0.3
            assert case.bridge.stats(0).faults == {}

    run(test())


def test_f10_carrier_that_never_says_so_is_not_waited_for(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(Reason.CUSTOMER_LEFT)
            begun_s = time.monotonic()
            await case.changes.until(lambda: Ending in case.kinds(), "ending", timeout_s=5)
            assert 0.35 < time.monotonic() - begun_s < 0.8

    run(test())


def test_f13_whoever_drives_it_can_hang_up_before_carrier_and_room_let_go(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(Reason.CUSTOMER_LEFT, "gone")
            await case.changes.until(lambda: Ending in case.kinds(), "ending", timeout_s=5)
            assert case.events[-1] == Ending(Reason.CUSTOMER_LEFT, "gone", was_joined=True)
            ended = await case.ended()
            assert case.kinds()[-2:] == [Ending, Ended]
            assert ended.stats.faults == {"close_timeout": 1}  # this carrier does not answer

    run(test())


def test_f18_agent_who_answered_before_the_room_could_not_be_joined_hears_it(run: Run) -> None:
    async def test() -> None:
        broken = functools.partial(LoopbackRoom, join_error=RoomDenied("expired"))
        async with bridged(broken, join=False) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            with pytest.raises(RoomDenied):
                await case.bridge.join_room()
            assert (await heard_last(case)).count("media") == NOTICE_FRAMES + 1
            assert (await case.ended()).reason is Reason.ROOM_DENIED

    run(test())


@pytest.mark.parametrize("reason", [Reason.DECLINED, Reason.VOICEMAIL])
def test_who_declined_and_a_machine_hear_nothing_more(run: Run, reason: Reason) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(reason)
            assert await heard_last(case) == []

    run(test())


def test_carrier_that_hangs_up_meanwhile_cuts_it_short(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.bridge.end(Reason.CUSTOMER_LEFT)
            begun_s = time.monotonic()
            case.carrier.send(messages.stop())
            await case.changes.until(lambda: Ending in case.kinds(), "ending", timeout_s=5)
            assert time.monotonic() - begun_s < 0.3
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


def test_notice_that_cannot_be_made_keeps_nobody_on_the_phone(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            leg = case.bridge._legs.current
            assert leg is not None
            leg.room_to_agent._encoder = None  # type: ignore[union-attr] # there is a stream; a defect
            case.bridge.end(Reason.CUSTOMER_LEFT)
            ended = await case.ended()
            assert ended.reason is Reason.CUSTOMER_LEFT
            assert ended.stats.faults["teardown_failed"] == 1

    run(test())
