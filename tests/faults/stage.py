"""The whole service with everybody around it: a carrier and its phones, a room with a customer and a bot, a client."""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import aiohttp
import structlog

from relay.app.ari import AriAccount
from relay.app.bridging import WORKER
from relay.app.service import Service, running
from relay.app.settings import Settings
from relay.app.settings_entries import DailyBackend
from relay.bridge.worker_bridge import WorkerBridge
from relay.client import RelayClient, TransferView
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_outcomes import ANSWERED, Script
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.dialect import Dialect
from relay.dev.person import Person
from relay.dev.phone import HangUp, SimulatedPhone
from relay.dev.room_server import RoomServer
from relay.errors import StoreUnavailable
from relay.transfers.door import ANSWER_S
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from relay.transfers.store import TransferStore
from tests.faults import invariants
from tests.faults.ears import SPOKEN_DBFS
from tests.faults.held import Held
from tests.signals import dbfs, pcm, tone

BILLING = "+14155550123"
FROM = "+14155550100"
CUSTOMER_HZ, AGENT_HZ, BOT_HZ = 1000, 712.5, 1500
"""The agent's is 14.25 periods a frame of 20 ms: frames in another order cancel each other out."""
SPOKEN_S = 20
CUSTOMER_SAYS, BOT_SAYS = (
    pcm(tone(hz, 16000, SPOKEN_S * 16000, amplitude=dbfs(SPOKEN_DBFS))) for hz in (CUSTOMER_HZ, BOT_HZ)
)
AGENT_SAYS = pcm(tone(AGENT_HZ, 8000, SPOKEN_S * 8000, amplitude=dbfs(SPOKEN_DBFS)))
ROOM = "blue"
IN_ROOM_S = 10.0
DAILY_WORKER = (sys.executable, str(Path(__file__).with_name("daily_worker.py")))
"""With one more argument: see there."""
NO_LINE = "no_line"
SHARED: Mapping[str, Any] = {"daily_backend": DailyBackend.TRACKS, "daily_calls_per_worker": 4}
"""Settings with which four calls are in one process, whatever rooms they are in."""


class OnCall(NamedTuple):
    """A transfer with its phone call."""

    transfer_id: str
    call: SimulatedCall
    phone: SimulatedPhone


class Stage:
    """
    ``async with Stage(store_url, BUSY) as stage``: it is set, with customer and bot in the room ``ROOM``.

    Leaving it checks, while the service still runs, that of every transfer nothing is left but its record
    (``invariants``), and then that neither the service nor the carrier complained of anything.

    Args:
        store_url: a Redis or Valkey; each stage has keys of its own there.
        script: what happens to numbers that are dialled.
        dialect: which carrier it is; Twilio unless given.
        rooms_origin: where relay looks for rooms, if not at the room server itself.
        worker: what is started for each bridge. None is kept ready, unless ``worker_spares`` says so.
        settings: in place of the service's own; they are not checked, so a bound may be shorter than it lets one set.
    """

    def __init__(
        self,
        store_url: str,
        script: Script = ANSWERED,
        *,
        dialect: Dialect | None = None,
        rooms_origin: str | None = None,
        worker: Sequence[str] = WORKER,
        **settings: Any,
    ) -> None:
        self.carrier = SimulatedCarrier(script=script, dialect=dialect)
        self.rooms = RoomServer("127.0.0.1", 0)
        self.store_prefix = uuid.uuid4().hex
        self.transfer_ids: list[str] = []
        """All that were asked for: each must be over in the end."""
        self.logs: list[MutableMapping[str, Any]] = []
        self.expected: set[str] = set()
        """Parts of the carrier's complaints and of the service's errors that this test is about."""
        self.is_serving = True
        self._store_url = store_url
        self._rooms_origin = rooms_origin
        self._worker = worker
        self._settings = settings
        self._service: Service | None = None
        self._worker_log: IO[str] = sys.stderr
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.logs = stack.enter_context(structlog.testing.capture_logs())
            await stack.enter_async_context(self.rooms)
            await stack.enter_async_context(self.carrier)
            self.store = TransferStore(self._store_url, prefix=self.store_prefix)
            stack.push_async_callback(self.store.close)
            await self.store.open()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-")))
            self._worker_log = stack.enter_context((folder / "workers.log").open("w"))
            self._serving = await stack.enter_async_context(AsyncExitStack())
            base_url = await self._serve(self._serving)
            # A connection each: one that is kept would be one more that the service holds.
            self.http = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
            )
            self.relay = await stack.enter_async_context(RelayClient(base_url, session=self.http))
            for store in [self.store] + ([self._service.services.store] if self._service else []):
                await _read(store)
            self._before = Held.now()
            self.customer = await Person.enter(self.room_url(), "customer", CUSTOMER_SAYS)
            stack.push_async_callback(self.customer.leave)
            self.bot = await Person.enter(self.room_url(), "bot")
            stack.push_async_callback(self.bot.leave)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._stack:
            if kind is None:
                await self._check()

    async def end_service(self) -> None:
        """As its process does in the end; from now on there is only the store to ask."""
        self.is_serving = False
        await self._serving.aclose()

    # What a bot does

    async def ask(self, *, room: str = ROOM, **request: Any) -> str:
        """Ask for a transfer; its id."""
        whom = {} if "to" in request else {"destination": "billing"}
        view = await self.relay.transfer(**{"room_url": self.room_url(room), "bot_id": "bot", **whom, **request})
        self.transfer_ids.append(view.transfer_id)
        return view.transfer_id

    async def until(self, transfer_id: str, state: State, *, within_s: float = 10.0) -> TransferView:
        """The transfer when it is in this very state; one that went past it, or ended, fails the test."""
        view = await self.relay.wait(transfer_id, until=state, timeout_s=within_s)
        assert view.state is state, view
        return view

    async def until_in_room(self) -> None:
        """
        Return when relay is in the room ``ROOM``. It dials and goes there at the same time: a customer who left before
        it came was never seen, and is waited for.
        """
        await self.rooms.changes.until(lambda: "relay" in self.rooms.names(ROOM), "relay's coming", timeout_s=IN_ROOM_S)

    async def ended(self, transfer_id: str, state: State, reason: Reason, *, within_s: float = 10.0) -> TransferView:
        """The transfer once it has ended, so and for this reason."""
        view = await self.relay.wait(transfer_id, until=State.DISCONNECTED, timeout_s=within_s)
        assert (view.state, view.reason) == (state, reason), view
        assert view.sentence, view
        return view

    async def on_call(self, state: State = State.JOINED, **request: Any) -> OnCall:
        """A transfer that has come as far as this, and whose phone has a media stream."""
        number = len(self.carrier.calls)
        transfer_id = await self.ask(**request)
        call = await self.carrier.until_call(number)
        phone = await call.until_phone()
        await self.until(transfer_id, state)
        return OnCall(transfer_id, call, phone)

    def room_url(self, room: str = ROOM) -> str:
        """The room as its participants know it."""
        return self.rooms.room_url(room)

    def worker_logs(self) -> list[dict[str, Any]]:
        """What workers have logged so far; what is none of their lines is told as a defect."""
        with Path(self._worker_log.name).open() as lines:
            return [json.loads(line) if line.startswith("{") else {"event": NO_LINE, "line": line} for line in lines]

    @property
    def service(self) -> Service:
        """The service, in this process."""
        assert self._service is not None
        return self._service

    # Inside

    async def _serve(self, stack: AsyncExitStack) -> str:
        """Start the service, which ends with ``stack``; its URL."""
        settings = Settings(**self._given()).model_copy(update=self._settings)
        serving = running(settings, worker=self._worker, worker_log=self._worker_log)
        self._service = await stack.enter_async_context(serving)
        if isinstance(self.carrier.dialect, Asterisk):  # it is told in its own configuration where relay is
            self.carrier.dialect.relay_url = self._service.base_url
            account = self._service.services.coordinator._carriers[self.carrier.dialect.name]
            assert isinstance(account, AriAccount)
            await account.until_heard()  # the connection for that is held from here on
        return self._service.base_url

    def _given(self) -> dict[str, Any]:
        origin = self._rooms_origin or self.rooms.room_url("").removesuffix("/rooms/")
        assert self._settings.keys() <= Settings.model_fields.keys()
        account = self.carrier.dialect.settings(self.carrier.api_url, FROM)
        return {
            "listen": "127.0.0.1:0",
            "redis_url": self._store_url,
            "redis_prefix": self.store_prefix,
            "local_rooms": origin,
            **{name.removeprefix("RELAY_").lower(): value for name, value in account.items()},
            "destinations": {"billing": {"to": BILLING}},
            "allowed_numbers": ["+1415555"],
            "worker_spares": 0,
        }

    async def _check(self) -> None:
        for transfer_id in self.transfer_ids:
            await invariants.check_record(self, transfer_id)
        await invariants.check_phones(self)
        await invariants.check_rooms(self)
        for person in (self.customer, self.bot):
            await person.leave()
        await self._before.let_go(only_tcp=True)
        invariants.check_complaints(self)


async def _read(store: TransferStore) -> None:
    """Return when its second line is there, too: on a busy machine the first try may come to nothing."""
    while not store._door._reader_health.is_good:
        with suppress(StoreUnavailable):
            await store._door.ask_as_reader([("PING",)], ANSWER_S)


async def black_hole(stage: Stage, on: OnCall) -> None:
    """From now on nothing passes the media connection either way, and relay has noticed; the carrier does not."""
    on.phone.hang_up(HangUp.SILENCE)
    on.phone._link.pause_reading()  # not even that relay closes it
    transfer = await stage.store.wait(on.transfer_id, lambda transfer: transfer.reconnecting, timeout_s=15)
    assert transfer is not None
    assert (transfer.state, transfer.reconnecting) == (State.JOINED, True)


def worker_of(stage: Stage, transfer_id: str) -> int:
    """The process of a transfer's worker."""
    bridge = stage.service.services.coordinator._live[transfer_id].bridge
    assert isinstance(bridge, WorkerBridge)
    return bridge.pid
