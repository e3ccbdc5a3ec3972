"""A carrier's stream that breaks is waited for, once both were heard; the newest connection is the one that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from websockets.frames import CloseCode, Opcode

from relay.bridge.events import BridgeEvent, Dtmf, Ended, Ending, Joined, MediaBack, MediaLost, MediaStarted, RoomJoined
from relay.bridge.settings import BridgeSettings
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import NEVER_TICKS, Case, S, bridged
from tests.bridge.peers import RawPeer
from tests.signals import samples_of

Run = Callable[[Coroutine[Any, Any, None]], None]

WAITS = BridgeSettings(tick_s=1000, close_timeout_s=0.2, leave_timeout_s=0.2, room_timeout_s=10_000)


async def until(case: Case, kind: type[BridgeEvent], count: int = 1) -> None:
    await case.changes.until(lambda: case.kinds().count(kind) >= count, f"{count} {kind.__name__}", timeout_s=5)


async def talk_again(case: Case, carrier: RawPeer) -> None:
    """Another stream, over which both are heard."""
    started = case.kinds().count(MediaStarted)
    case.carrier = carrier
    carrier.send(messages.start())
    await until(case, MediaStarted, started + 1)
    carrier.send(*(messages.media(chunk) for chunk in range(1, 6)))
    await case.read_by_bridge()
    case.clock.advance(100)


async def until_closed(carrier: RawPeer) -> None:
    """Read the server's frames until the one that closes."""
    while (await carrier.receive()).opcode is not Opcode.CLOSE:
        pass


def frames_sent(case: Case) -> int:
    """To the agent, over all streams."""
    sent = case.bridge.stats(0).room_to_agent
    assert sent is not None
    return sent.frames


def assert_comfort_noise(case: Case) -> None:
    heard = [case.bridge.microphone_due(case.clock.now_ns()) for _ in range(10)]
    levels = [max(np.abs(samples_of(frame))) for frame in heard]
    assert 20 < min(levels) <= max(levels) < 60


def test_f14_stream_that_need_not_come_back_ends_the_call_with_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=replace(WAITS, reconnect_timeout_s=0)) as case:
            await case.talk()
            await case.carrier.close()
            ended = await case.bridge.ended()
            assert (ended.reason, ended.was_joined) == (Reason.MEDIA_LOST, True)
            assert MediaLost not in case.kinds()

    run(test())


def test_f14_stream_that_breaks_is_waited_for_and_another_takes_its_place(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=WAITS) as case:
            await case.talk()
            await case.carrier.close()
            await until(case, MediaLost)
            case.clock.advance(500)
            await talk_again(case, await case.connect())
            assert [kind for kind in case.kinds() if kind is not Dtmf] == [
                *(RoomJoined, MediaStarted, Joined, MediaLost, MediaStarted, MediaBack)
            ]
            case.bridge.check(case.clock.now_ns() + 9 * S)
            case.bridge.check(case.clock.now_ns() + 11 * S)  # the new stream is silent now, which is another loss
            assert case.bridge._teardown is None
            assert case.kinds()[-1] is MediaLost

    run(test())


def test_f14_counts_go_on_over_all_streams(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            sent = frames_sent(case)
            await case.carrier.close()
            await until(case, MediaLost)
            between = case.bridge.stats(0)
            assert between.agent_to_room is not None
            assert between.agent_to_room.frames == between.agent_to_room.playout.frames_received == 5
            assert between.room_to_agent is not None
            assert (between.room_to_agent.frames, between.room_to_agent.carrier_buffer_ms) == (frames_sent(case), 0)
            carrier = await case.connect()
            assert frames_sent(case) == sent
            await talk_again(case, carrier)
            case.bridge.end(Reason.CANCELED_BY_API)
            await carrier.close()
            stats = (await case.ended()).stats
            assert stats.agent_to_room is not None
            assert stats.agent_to_room.frames == stats.agent_to_room.playout.frames_received == 10
            assert stats.agent_to_room.wait.max_ms > 0
            assert frames_sent(case) == 2 * sent

    run(test())


def test_f14_room_hears_comfort_noise_meanwhile(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            await case.carrier.close()
            await until(case, MediaLost)
            assert_comfort_noise(case)

    run(test())


def test_f14_room_hears_comfort_noise_again_when_the_next_stream_breaks_half_heard(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            await case.carrier.close()
            await until(case, MediaLost)
            case.carrier = await case.connect()
            case.carrier.send(messages.start(), *(messages.media(chunk) for chunk in range(1, 6)))
            await case.read_by_bridge()
            now_ns = case.clock.now_ns()
            for tick in range(5):  # the microphone's, and none of the speaker's
                case.bridge.microphone_due(now_ns + tick * 10_000_000)
            await case.carrier.close()
            await case.until_detached()
            assert_comfort_noise(case)
            assert MediaBack not in case.kinds()

    run(test())


def test_f14_another_stream_that_does_not_come_ends_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=WAITS) as case:
            await case.talk()
            lost_ns = case.clock.now_ns()
            await case.carrier.close()
            await until(case, MediaLost)
            case.bridge.check(lost_ns + 10 * S)
            assert case.bridge._teardown is None
            case.bridge.check(lost_ns + 10 * S + 1)
            ended = await case.ended()
            assert (ended.reason, ended.was_joined) == (Reason.MEDIA_LOST, True)

    run(test())


def test_f15_another_stream_that_is_never_heard_does_not_make_it_longer(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=WAITS) as case:
            await case.talk()
            lost_ns = case.clock.now_ns()
            await case.carrier.close()
            await until(case, MediaLost)
            for _ in range(2):  # the second of them breaks, too: nobody is told again
                case.carrier = await case.connect()
                case.carrier.send(messages.start())
                await case.read_by_bridge()
                await case.carrier.close()
                await case.until_detached()
            case.bridge.check(lost_ns + 10 * S + 1)
            assert (await case.ended()).reason is Reason.MEDIA_LOST
            assert case.kinds().count(MediaLost) == 1
            assert MediaBack not in case.kinds()

    run(test())


@pytest.mark.parametrize("sends", ["nothing", "start"])
def test_f14_before_both_are_heard_a_break_ends_it(run: Run, sends: str) -> None:
    async def test() -> None:
        async with bridged() as case:
            if sends == "start":
                case.carrier.send(messages.start())
                await case.started.wait()
            await case.carrier.close()
            ended = await case.ended()
            assert (ended.reason, ended.was_joined) == (Reason.MEDIA_LOST, False)

    run(test())


@pytest.mark.parametrize("how", ["stop", "close"])
@pytest.mark.long
def test_f12_agent_who_hangs_up_is_not_waited_for(run: Run, how: str) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            if how == "stop":
                case.carrier.send(messages.stop())
            else:
                case.carrier.protocol.send_close(CloseCode.NORMAL_CLOSURE)
                case.carrier.flush()
            assert (await case.ended()).reason is Reason.AGENT_HUNG_UP
            assert MediaLost not in case.kinds()

    run(test())


def test_t2_newest_connection_takes_a_live_ones_place(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            first, second = case.carrier, await case.connect()
            await until_closed(first)
            assert case.kinds()[-1] is MediaLost
            await talk_again(case, second)
            first.send(messages.stop())  # the old one has nothing to say any longer
            await first.close()
            await case.read_by_bridge()
            assert case.kinds()[-2:] == [MediaBack, Dtmf]
            assert case.bridge.stats(0).faults["second_connection"] == 1

    run(test())


def test_f15_watchdog_of_the_stream_ends_the_stream_only(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=replace(WAITS, media_timeout_s=3, reconnect_timeout_s=20)) as case:
            await case.talk()
            heard_ns = case.clock.now_ns()
            case.bridge.check(heard_ns + 4 * S)
            assert case.events[-1] == MediaLost("no audio from the carrier for 3 s")
            await talk_again(case, await case.connect())
            assert case.kinds()[-1] is MediaBack

    run(test())


def test_customer_who_leaves_meanwhile_ends_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(settings=replace(NEVER_TICKS, customer_grace_s=0)) as case:
            await case.talk()
            await case.carrier.close()
            await until(case, MediaLost)
            case.room.depart("c-1")
            assert (await case.ended()).reason is Reason.CUSTOMER_LEFT

    run(test())


def test_end_waits_for_the_old_connection_to_be_closed(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            first = case.carrier
            case.carrier = await case.connect()
            case.bridge.end(Reason.CANCELED_BY_API)
            await asyncio.wait_for(case.bridge.ended(), 5)
            assert case.kinds()[-2:] == [Ending, Ended]
            await until_closed(first)

    run(test())
