"""Ten calls in Daily rooms in one process, by tracks of one SDK: nobody hears anything of another."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pytest
from websockets.frames import Opcode

from relay._codec import Decoder, Encoder
from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Dtmf
from relay.providers.twilio import TwilioAdapter
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from relay.rooms.device_clock import ManualClock
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import NEVER_TICKS
from tests.bridge.peers import RawPeer, relay
from tests.rooms.daily_house import House
from tests.rooms.daily_play import Manner, Play
from tests.rooms.daily_room import passes
from tests.rooms.daily_stand_in import AudioData
from tests.signals import Floats, dbfs, level_db, pcm, samples_of, tone

Run = Callable[[Coroutine[Any, Any, None]], None]

CALLS = 10
FRAMES = 50
SPOKEN_DBFS = -20.0
TONES_HZ = range(350, 350 + 150 * 2 * CALLS, 150)
"""One for each customer and each agent: whole periods in a block, the customers' also in a frame, and no overtones."""
CUSTOMERS_HZ, AGENTS_HZ = TONES_HZ[::2][:CALLS], TONES_HZ[1::2]
BLOCK_S = 0.1
UNHEARD_DBFS = -40.0
"""One frame of another in a block would be -34 dBFS."""


class Room(Play):
    """A room whose customer says a tone, when the test says so."""

    says = b""

    def _run_devices(self) -> None:
        """No time but the test's."""

    def render(self) -> None:
        """The customer's next 20 ms."""
        for client in self.joined():
            for participant_id, renderer in list(client.renderers.items()):
                renderer(participant_id, AudioData(self.says), "microphone")


class Call:
    """One customer, one agent, and the bridge between them."""

    def __init__(self, number: int, rooms: Mapping[str, Room], sdk: ModuleType, clock: ManualClock) -> None:
        self.url, self.room = list(rooms.items())[number]
        self.room.says = pcm(tone(CUSTOMERS_HZ[number], 16000, 320, amplitude=dbfs(SPOKEN_DBFS)))
        self.room.enter("customer")
        agent = pcm(tone(AGENTS_HZ[number], 8000, 160 * FRAMES, amplitude=dbfs(SPOKEN_DBFS)))
        self._agent = Encoder("pcmu", 8000, 8000).push(agent)
        self._read = asyncio.Event()
        self.heard_by_agent = b""
        self.bridge = Bridge(
            DailyRoom(self.url, token=None, backend=Backend.TRACKS, clock=clock, sdk=sdk),
            transfer_id=f"t-{number}",
            on_event=self._note,
            settings=NEVER_TICKS,
            clock=clock.now_ns,
        )

    async def begin(self, stack: AsyncExitStack) -> None:
        stack.enter_context(self.room.running())
        served = await stack.enter_async_context(relay(serve=lambda each: self.bridge.serve(each, TwilioAdapter())))
        await self.bridge.join_room()
        self.carrier = await RawPeer.connect(served)
        self.carrier.send(messages.start())
        self._listening = asyncio.create_task(self._listen())
        stack.push_async_callback(self._end)

    async def talk(self, frame: int) -> None:
        """Both say their next 20 ms, and the bridge has the agent's."""
        payload = self._agent[160 * frame : 160 * (frame + 1)]
        self.carrier.send(messages.media(frame + 1, payload), messages.dtmf("0"))
        self.room.render()
        await self._read.wait()
        self._read.clear()

    def _note(self, event: BridgeEvent) -> None:
        if isinstance(event, Dtmf):
            self._read.set()

    async def _listen(self) -> None:
        decoder = Decoder("pcmu", 8000, 8000)
        while (frame := await self.carrier.receive()).opcode is not Opcode.CLOSE:
            message: dict[str, Any] = orjson.loads(frame.data) if frame.opcode is Opcode.TEXT else {}
            if message.get("event") == "media":
                self.heard_by_agent += decoder.push(base64.b64decode(message["media"]["payload"]))

    async def _end(self) -> None:
        self.bridge.end(Reason.CANCELED_BY_API)
        await self._listening
        await self.carrier.close()
        await self.bridge.ended()


def loudest_dbfs(heard: bytes, rate_hz: int) -> dict[int, float]:
    """The level of each tone where it is loudest."""
    samples, size = samples_of(heard), round(rate_hz * BLOCK_S)
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    at = 2 * np.pi * np.arange(size) / rate_hz
    basis = np.stack([np.exp(-1j * at * hz) for hz in TONES_HZ], axis=1) * (2 / size)  # whole periods: orthogonal
    loudest: Floats = np.abs(blocks @ basis).max(axis=0)
    return {hz: level_db(float(value)) for hz, value in zip(TONES_HZ, loudest, strict=True)}


@pytest.mark.long
def test_ten_daily_calls_of_one_process_hear_nothing_of_each_other(run: Run) -> None:
    async def test() -> None:
        rooms = {f"https://relay.daily.co/room-{number}": Room(microphone=Manner.RUSHED) for number in range(CALLS)}
        sdk, clock = House(rooms).sdk, ManualClock()

        def settle() -> None:
            for room in rooms.values():
                room.settle()

        async with AsyncExitStack() as stack:
            calls = [Call(number, rooms, sdk, clock) for number in range(CALLS)]
            for call in calls:
                await call.begin(stack)
            for frame in range(FRAMES):
                await asyncio.gather(*(call.talk(frame) for call in calls))
                for _ in range(2):
                    clock.advance(10)
                    await asyncio.to_thread(settle)
                    await passes(2)
        for number, call in enumerate(calls):
            for heard, rate_hz, hz in (
                (b"".join(call.room.heard), 16000, AGENTS_HZ[number]),
                (call.heard_by_agent, 8000, CUSTOMERS_HZ[number]),
            ):
                assert len(heard) / 2 / rate_hz > 0.8 * FRAMES * 0.02
                loudest = loudest_dbfs(heard, rate_hz)
                assert abs(loudest.pop(hz) - SPOKEN_DBFS) < 1
                assert max(loudest.values()) < UNHEARD_DBFS, (number, hz, loudest)

    run(test())
