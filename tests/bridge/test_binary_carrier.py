"""Whole bridges over a carrier of binary audio in long messages: control beside it, pauses, faults, and wideband."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import structlog
from websockets.frames import Frame, Opcode

from relay.bridge.agent_leg import FAULT_MAX
from relay.bridge.events import Ended, Ending, Joined
from relay.bridge.outbox import Outbox
from relay.bridge.settings import BridgeSettings
from relay.providers.base import MediaAdapter
from relay.rooms.loopback import LoopbackRoom, Recording
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import NEVER_TICKS, Case, S, bridged
from tests.bridge.made_up import CLEAR, FULL, READY, START, STOP, BinaryAdapter, fault
from tests.signals import pcm, tone, tone_dbfs

Run = Callable[[Coroutine[Any, Any, None]], None]
NEVER_AGAIN = BridgeSettings(tick_s=1000, close_timeout_s=0.2, leave_timeout_s=0.2, reconnect_timeout_s=0)


class Binary:
    """A bridge and its carrier."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.heard: list[Frame] = []
        """What the carrier was sent, but for control frames."""

    async def exchange(self, text: bytes = b"", *, said: bytes = b"") -> None:
        """Send a text or a binary message, if any; return when the bridge has read it, with what it sent till then."""
        if text:
            self.case.carrier.send(text)
        if said:
            self.case.carrier.send_binary(said)
        for _ in range(2):  # the library answers a ping before it gives out what came with it
            self.case.carrier.send_frames(Frame(Opcode.PING, b"read"))
            while (frame := await self.case.carrier.receive()).opcode is not Opcode.PONG:
                if frame.opcode is not Opcode.PING:
                    self.heard.append(frame)

    async def talk(self, messages: list[bytes]) -> None:
        """The agent says a message every 100 ms."""
        for message in messages:
            await self.exchange(said=message)
            self.case.clock.advance(100)
        await self.exchange()

    @property
    def audio(self) -> bytes:
        return b"".join(bytes(frame.data) for frame in self.heard if frame.opcode is Opcode.BINARY)

    @property
    def outbox(self) -> Outbox:
        leg = self.case.bridge._legs.latest
        assert leg is not None
        assert leg.room_to_agent is not None
        return leg.room_to_agent.outbox


@contextlib.asynccontextmanager
async def binary(
    make_room: Callable[..., LoopbackRoom] = LoopbackRoom,
    *,
    settings: BridgeSettings = NEVER_TICKS,
    new_adapter: Callable[[], MediaAdapter] = BinaryAdapter,
) -> AsyncIterator[Binary]:
    """A bridge whose carrier's stream has started."""
    async with bridged(make_room, settings=settings, new_adapter=new_adapter) as case:
        carrier = Binary(case)
        await carrier.exchange(START)
        yield carrier


SILENCE = [bytes(3200)] * 5


def test_it_is_joined_by_binary_audio_and_ended_by_text(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.talk(SILENCE)
            assert carrier.case.kinds()[-1] is Joined
            assert {len(frame.data) for frame in carrier.heard if frame.opcode is Opcode.BINARY} == {3200}
            carrier.case.carrier.send(STOP)
            assert (await carrier.case.ended()).reason is Reason.AGENT_HUNG_UP

    run(test())


def test_joined_waits_until_a_message_is_whole(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.exchange(said=bytes(9600))
            carrier.case.clock.advance(80)
            assert Joined not in carrier.case.kinds()
            carrier.case.clock.advance(20)
            assert carrier.case.kinds()[-1] is Joined

    run(test())


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
@pytest.mark.parametrize("room_rate_hz", [16000, 48000])
def test_both_hear_a_tone_at_its_level_at_every_rate(run: Run, rate_hz: int, room_rate_hz: int) -> None:
    """Of 6 kHz, which no narrowband call has, where the stream is wideband."""
    frequency_hz = 1000 if rate_hz == 8000 else 6000

    async def test() -> None:
        in_room = Recording()
        make_room = functools.partial(LoopbackRoom, rate_hz=room_rate_hz, microphone=in_room)
        async with binary(make_room, new_adapter=lambda: BinaryAdapter(rate_hz)) as carrier:
            carrier.case.room.say(pcm(tone(frequency_hz, room_rate_hz, 3 * room_rate_hz, amplitude=8000)))
            said = pcm(tone(frequency_hz, rate_hz, 3 * rate_hz, amplitude=8000))
            size = rate_hz // 5
            await carrier.talk([said[at : at + size] for at in range(0, len(said), size)])
            stats = carrier.case.bridge.stats(carrier.case.clock.now_ns())
            wanted_dbfs = tone_dbfs(said, rate_hz, frequency_hz)
            assert tone_dbfs(in_room.pcm, room_rate_hz, frequency_hz) == pytest.approx(wanted_dbfs, abs=0.5)
            assert tone_dbfs(carrier.audio, rate_hz, frequency_hz) == pytest.approx(wanted_dbfs, abs=0.5)
            assert stats.agent_to_room is not None
            assert stats.agent_to_room.playout.concealed_ms == 0
            assert stats.faults == {}

    run(test())


def test_bad_messages_of_either_kind_are_borne_for_a_while(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            for _ in range(10):
                case.carrier.send_binary(bytes(160))
                case.carrier.send(b"no JSON")
            await case.read_by_bridge()
            assert case.bridge.stats(0).faults == {"bad_message": 20}
            assert Ended not in case.kinds()
            case.carrier.send_binary(bytes(160))
            ended = await case.ended()
            assert ended.reason is Reason.PROVIDER_ERROR
            assert "twilio message: expected text, got 160 bytes of binary" in ended.detail

    run(test())


def test_full_carrier_gets_nothing_until_it_is_ready_again(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.talk(SILENCE)
            await carrier.exchange(FULL)
            before = len(carrier.heard)
            await carrier.talk(SILENCE)
            assert len(carrier.heard) == before
            stats = carrier.case.bridge.stats(carrier.case.clock.now_ns()).room_to_agent
            assert stats is not None
            assert (stats.pauses, stats.frames_dropped) == (1, 20)
            while carrier.outbox.queued_ms() > 101:  # noqa: ASYNC110 - the kernel has no event for an acknowledgement
                await asyncio.sleep(0)
            await carrier.exchange(READY)
            assert len(carrier.heard) == before + 1  # what was held
            await carrier.talk(SILENCE)
            assert len(carrier.heard) >= before + 5
            assert carrier.outbox.paused_since_ns is None
            assert Ended not in carrier.case.kinds()

    run(test())


def test_full_carrier_is_cleared_as_what_fills_it_would_be_heard_too_late(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.talk(SILENCE)
            carrier.heard.clear()
            with structlog.testing.capture_logs() as logged:
                await carrier.exchange(FULL)
                await carrier.exchange(FULL)  # says nothing new
            assert [bytes(frame.data) for frame in carrier.heard] == list(CLEAR)
            assert [each["event"] for each in logged] == ["carrier_buffer_cleared"]
            stats = carrier.case.bridge.stats(carrier.case.clock.now_ns()).room_to_agent
            assert stats is not None
            assert (stats.pauses, stats.clears) == (1, 1)
            await carrier.exchange(READY)
            await carrier.talk(SILENCE)
            assert {frame.opcode for frame in carrier.heard[len(CLEAR) :]} >= {Opcode.BINARY}

    run(test())


def test_full_carrier_that_cannot_clear_gets_what_was_held_when_it_is_ready(run: Run) -> None:
    async def test() -> None:
        async with binary(new_adapter=functools.partial(BinaryAdapter, clear=False)) as carrier:
            await carrier.talk(SILENCE)
            carrier.heard.clear()
            await carrier.exchange(FULL)
            await carrier.talk(SILENCE)
            assert carrier.heard == []
            while carrier.outbox.queued_ms() > 101:  # noqa: ASYNC110 - the kernel has no event for an acknowledgement
                await asyncio.sleep(0)
            await carrier.exchange(READY)
            assert len(carrier.heard) == 1

    run(test())


def test_carrier_that_is_full_for_ever_is_lost_in_5_s(run: Run) -> None:
    async def test() -> None:
        async with binary(settings=NEVER_AGAIN) as carrier:
            await carrier.talk(SILENCE)
            await carrier.exchange(FULL)
            for _ in range(5):
                await carrier.exchange(FULL)  # to say so again does not put it off
                await carrier.talk(SILENCE[:1])
                carrier.case.clock.advance(900)
                carrier.case.bridge.check(carrier.case.clock.now_ns())
                assert Ending not in carrier.case.kinds()
            carrier.case.clock.advance(100)
            carrier.case.bridge.check(carrier.case.clock.now_ns())
            ended = await carrier.case.ended()
            assert ended.reason is Reason.MEDIA_LOST
            assert ended.detail == "the carrier's buffer was full for 5 s"

    run(test())


def test_full_carrier_is_cleared_and_told_nothing_last(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.talk(SILENCE)
            await carrier.exchange(FULL)
            carrier.heard.clear()
            carrier.case.bridge.clear()
            await carrier.exchange()
            assert [(frame.opcode, bytes(frame.data)) for frame in carrier.heard] == [
                (Opcode.TEXT, each) for each in CLEAR
            ]
            carrier.case.bridge.end(Reason.CUSTOMER_LEFT)
            assert (await carrier.case.carrier.receive()).opcode is Opcode.CLOSE

    run(test())


def test_pause_before_the_start_is_nobodys(run: Run) -> None:
    async def test() -> None:
        async with bridged(new_adapter=BinaryAdapter) as case:
            carrier = Binary(case)
            await carrier.exchange(FULL)
            await carrier.exchange(START)
            assert carrier.outbox.paused_since_ns is None

    run(test())


def test_fault_of_the_carrier_is_counted_and_logged_and_nothing_else(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            await carrier.talk(SILENCE)
            with structlog.testing.capture_logs() as logged:
                await carrier.exchange(fault("x" * 1000))
            assert [(each["event"], each["detail"]) for each in logged] == [("carrier_fault", "x" * FAULT_MAX)]
            await carrier.talk(SILENCE)
            assert carrier.case.bridge.stats(0).faults == {"carrier_fault": 1}
            assert Ended not in carrier.case.kinds()

    run(test())


def test_carrier_whose_messages_cannot_be_made_is_refused_at_its_start(run: Run) -> None:
    async def test() -> None:
        async with bridged(new_adapter=functools.partial(BinaryAdapter, message_ms=2000)) as case:
            case.carrier.send(START)
            ended = await case.ended()
            assert ended.reason is Reason.PROVIDER_ERROR
            assert ended.detail.startswith("made-up frame rule: expected one for frames of 640 bytes, got a multiple")

    run(test())


def test_nothing_is_read_of_a_leg_that_is_over(run: Run) -> None:
    async def test() -> None:
        async with binary() as carrier:
            leg = carrier.case.bridge._legs.current
            assert leg is not None
            leg.stop()
            await carrier.exchange(said=bytes(3200))
            assert leg.agent_to_room.frames == 0
            leg.text_received(messages.start(), S)
            assert carrier.case.bridge.stats(0).faults == {}
            await asyncio.sleep(0)

    run(test())
