"""Sets everything up: the service as it ships, and around it a simulated carrier, a local room and those in it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TextIO

from relay.app.service import running
from relay.app.settings import Settings, load_settings
from relay.client import Event, RelayClient, TransferEvent
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.dialect import Dialect
from relay.dev.demo.evidence import AskedAgain, Span
from relay.dev.demo.people import CUSTOMER, DESTINATION, Bot
from relay.dev.demo.timeline import Timeline, Who
from relay.dev.person import Person
from relay.dev.phone_playout import FRAME_BYTES
from relay.dev.room_server import RoomServer
from relay.dev.until import Changes

ROOM: Final = "demo"
AGENT_NUMBER: Final = "+14155550123"
RELAY_NUMBER: Final = "+14155550100"
ACCEPT_TIMEOUT_S: Final = 3
CUSTOMER_GRACE_S: Final = 0.5
WORKERS_READY_S: Final = 10


@dataclass(frozen=True, slots=True)
class Voices:
    """What the agent says, at 8 kHz, again and again, and the customer, at 16 kHz, once."""

    agent: bytes
    customer: bytes


class Stage:
    """
    Where a scenario is played.

    Args:
        timeline: what happens is noted there.
        carrier, rooms, relay: the running stand-ins, and a client of the running service.
        customer, bot: those in the room.
    """

    def __init__(
        self,
        timeline: Timeline,
        *,
        carrier: SimulatedCarrier,
        rooms: RoomServer,
        relay: RelayClient,
        customer: Person,
        bot: Bot,
    ) -> None:
        self.timeline = timeline
        self.carrier = carrier
        self.rooms = rooms
        self.relay = relay
        self.customer = customer
        self.bot = bot
        self.events: list[TransferEvent] = []
        self.spans: list[Span] = []
        self.acts: dict[str, float] = {}
        self.asked_again: AskedAgain | None = None
        self._changes = Changes()
        self._following: asyncio.Task[None] | None = None

    @property
    def call(self) -> SimulatedCall | None:
        """The call at the carrier, once there is one."""
        return self.carrier.calls[-1] if self.carrier.calls else None

    def act(self, who: Who, what: str, *, name: str | None = None) -> None:
        """Somebody does something now; by ``name`` expectations look back to it."""
        self.timeline.note(who, what)
        if name is not None:
            self.acts[name] = self.timeline.now_s

    def follow(self) -> None:
        """Note what relay tells of the transfer, to its end."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def until_event(self, event: Event, *, timeout_s: float) -> None:
        """
        Return when relay has told of an event.

        Raises:
            TimeoutError: it has not, for so long.
        """
        await self._changes.until(
            lambda: any(told.event == event for told in self.events), f"relay's {event}", timeout_s=timeout_s
        )

    async def until_told(self) -> None:
        """
        Return when relay has told of the transfer's end.

        Raises:
            ClientError: it cannot tell any more.
        """
        if self._following is not None:
            await self._following

    async def close(self) -> None:
        """Follow nothing any longer, and let everybody leave."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self.bot.leave()
        await self.customer.leave()

    async def _follow(self) -> None:
        if self.bot.transfer_id is not None:
            async for event in self.relay.events(self.bot.transfer_id):
                self.events.append(event)
                self.timeline.note_event(event)
                self._changes.changed()


@asynccontextmanager
async def staged(
    timeline: Timeline,
    outcome: Outcome,
    voices: Voices,
    log: TextIO,
    dialect: Dialect,
    *,
    hide: Callable[..., None] = lambda *_: None,
) -> AsyncIterator[Stage]:
    """
    A stage on which everything runs, within the block; the customer is in the room, and so is the bot.

    Args:
        timeline: begins when everything is there.
        outcome: what becomes of the number that is dialled; the agent's voice is put in.
        voices: what both say.
        log: where relay's workers log.
        dialect: which carrier there is.
        hide: told every text that relay's log must not have, before relay begins.

    Raises:
        StoreUnavailable: there is no server for the store.
    """
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(RoomServer(port=0))
        carrier = await stack.enter_async_context(SimulatedCarrier(dialect=dialect, script=_spoken(outcome, voices)))
        settings = _settings(carrier, rooms)
        hide(*settings.secrets())
        service = await stack.enter_async_context(running(settings, worker_log=log))
        if isinstance(dialect, Asterisk):  # it is told in its own configuration where relay is
            dialect.relay_url = service.base_url
        with contextlib.suppress(TimeoutError):  # whoever asks then is told why
            await asyncio.wait_for(service.until_workers_ready(), WORKERS_READY_S)
        relay = await stack.enter_async_context(RelayClient(service.base_url))
        timeline.begin()
        customer = await Person.enter(rooms.room_url(ROOM), CUSTOMER, voices.customer)
        bot = Bot(relay, rooms.room_url(ROOM), timeline)
        stage = Stage(timeline, carrier=carrier, rooms=rooms, relay=relay, customer=customer, bot=bot)
        stack.push_async_callback(stage.close)
        stage.act(Who.CUSTOMER, "is in the room, and talks")
        await bot.enter()
        yield stage


def _spoken(outcome: Outcome, voices: Voices) -> Outcome:
    """The agent, if one answers, says something; over another stream of the same call the agent goes on with it."""
    if not isinstance(outcome.callee, Answers):
        return outcome
    frames = [voices.agent[at : at + FRAME_BYTES] for at in range(0, len(voices.agent), FRAME_BYTES)]
    return replace(outcome, callee=replace(outcome.callee, says=itertools.cycle(frames)))


def _settings(carrier: SimulatedCarrier, rooms: RoomServer) -> Settings:
    """As an operator would set them, and nothing of the environment: the demo is the same everywhere."""
    env = {
        "RELAY_LISTEN": "127.0.0.1:0",
        "RELAY_LOCAL_ROOMS": f"http://127.0.0.1:{rooms.port}",
        "RELAY_DESTINATIONS": json.dumps({DESTINATION: {"to": AGENT_NUMBER}}),
        **carrier.dialect.settings(carrier.api_url, RELAY_NUMBER),
        "RELAY_ACCEPT_TIMEOUT_S": str(ACCEPT_TIMEOUT_S),
        "RELAY_CUSTOMER_GRACE_S": str(CUSTOMER_GRACE_S),
        "RELAY_MAX_CPU_PERCENT": "100",  # whatever else is done on this machine,
        "RELAY_MAX_LOOP_LAG_MS": "10000",  # and whatever carrier, room and people do on the service's loop
    }
    with tempfile.TemporaryDirectory() as empty:
        return load_settings(env, cwd=Path(empty))
