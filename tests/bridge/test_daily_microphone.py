"""A Daily room whose microphone takes nothing: its way while we are alone, maybe; with an agent on the line a loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Dtmf, Joined
from relay.bridge.settings import BridgeSettings
from relay.providers.twilio import TwilioAdapter
from relay.rooms.device_clock import ManualClock
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer, relay
from tests.rooms.daily_play import Manner, Play
from tests.rooms.daily_room import passes, room_of

Run = Callable[[Coroutine[Any, Any, None]], None]
PATIENT = BridgeSettings(tick_s=1000, media_timeout_s=1000, customer_grace_s=1000, close_timeout_s=0.2)
RINGS_S = 30
BOUND_S = 10
"""``room_timeout_s``."""


class Call:
    """A bridge into the room of a play, on a clock that the test moves, and the carrier that may connect to it."""

    def __init__(self, play: Play, connect: Callable[[], Coroutine[Any, Any, RawPeer]], bridge: Bridge) -> None:
        self.play = play
        self.bridge = bridge
        self._connect = connect
        self.events: list[BridgeEvent] = []
        self.pressed = asyncio.Event()
        self.carrier: RawPeer | None = None

    def note(self, event: BridgeEvent) -> None:
        self.events.append(event)
        if isinstance(event, Dtmf):
            self.pressed.set()

    async def answer(self) -> None:
        """The agent is there, and has been read."""
        self.carrier = await self._connect()
        self.carrier.send(messages.start(), *map(messages.media, range(1, 6)), messages.dtmf("0"))
        await self.pressed.wait()

    async def passes_s(self, seconds: int, clock: ManualClock) -> bool:
        """Whether the bridge goes on after so long, in which it looks every second."""
        for _ in range(seconds):
            for _ in range(10):
                clock.advance(100)
                await asyncio.to_thread(self.play.settle)
                await passes(2)
            self.bridge.check(clock.now_ns())
        return self.bridge._teardown is None


@asynccontextmanager
async def calling(play: Play, clock: ManualClock) -> AsyncIterator[Call]:
    bridge = Bridge(
        room_of(play, clock=clock),
        transfer_id="t-1",
        on_event=lambda event: call.note(event),  # noqa: PLW0108 - there is no call yet
        settings=PATIENT,
        clock=clock.now_ns,
    )
    with play.running():
        async with relay(serve=lambda connection: bridge.serve(connection, TwilioAdapter())) as served:
            call = Call(play, lambda: RawPeer.connect(served), bridge)
            await bridge.join_room()
            try:
                yield call
            finally:
                bridge.end(Reason.CANCELED_BY_API)
                if call.carrier is not None:
                    await call.carrier.close()
                await bridge.ended()


@pytest.mark.parametrize("manner", [Manner.EMPTY, Manner.NEVER])
def test_f21_microphone_that_never_begins_is_lost_when_there_is_an_agent_to_hear_and_somebody_who_would(
    run: Run, manner: Manner
) -> None:
    async def test() -> None:
        play, clock = Play(microphone=manner, speaker=Manner.EMPTY), ManualClock()
        async with calling(play, clock) as call:
            assert await call.passes_s(RINGS_S, clock)
            await call.answer()
            assert await call.passes_s(2 * BOUND_S, clock)
            play.enter("customer")
            assert await call.passes_s(BOUND_S, clock)
            assert not await call.passes_s(2, clock)
            assert (await call.bridge.ended()).reason is Reason.ROOM_LOST

    run(test())


def test_f21_microphone_that_begins_after_the_agent_has_answered_is_a_call(run: Run) -> None:
    async def test() -> None:
        play, clock = Play(microphone=Manner.EMPTY, speaker=Manner.RUSHED), ManualClock()
        play.enter("customer")
        async with calling(play, clock) as call:
            assert await call.passes_s(RINGS_S, clock)
            await call.answer()
            assert await call.passes_s(BOUND_S // 2, clock)
            assert not any(isinstance(event, Joined) for event in call.events)
            play.microphone = Manner.RUSHED
            assert await call.passes_s(2 * BOUND_S, clock)
            assert any(isinstance(event, Joined) for event in call.events)

    run(test())
