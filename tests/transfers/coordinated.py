"""A coordinator on a real store, between simulated carrier and bridges; what every scenario must have come to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from relay.dev.until import Changes
from relay.transfers.claims import RequestKey
from relay.transfers.coordinator import Caller, Coordinator, Grant, Requested
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.course import LAST_WORD_S
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import MediaStarted, PhoneEnded, PhoneNews, PhoneRang, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import LoggedEvent, Transfer, TransferOrder
from relay.transfers.states import Event, State, next_state
from relay.transfers.store import TransferStore
from tests.transfers.clock import ManualClock
from tests.transfers.simulated import SimulatedBridge, SimulatedBridges, SimulatedCarrier

ROOM: Final = "https://example.daily.co/support"
ROADS: Final = (State.DIALING, State.RINGING, State.ANSWERED, State.JOINED)
DEFECTS: Final = frozenset(
    {"internal_error", "transfer_broke", "teardown_failed", "dial_broke", "hang_up_broke", "find_calls_broke"}
)
TIMEOUT_S: Final = 10.0


def order_for(room_url: str = ROOM, **changes: Any) -> TransferOrder:
    given: dict[str, Any] = {
        "room_url": room_url,
        "provider": "twilio",
        "to": "+14155550123",
        "to_masked": "+*********23",
        "from_number": "+14155550100",
    }
    return TransferOrder(**(given | changes))


def caller_with(key: str, fingerprint: str = "f") -> Caller:
    return Caller(allowance="bot", request=RequestKey(key=key, fingerprint=fingerprint))


@dataclass
class Case:
    """
    One coordinator and everything around it.

    ``latest`` is what it last told of each of its transfers. ``lost`` are those whose end is another's to write.
    """

    store: TransferStore
    coordinator: Coordinator
    carrier: SimulatedCarrier
    bridges: SimulatedBridges
    clock: ManualClock
    logs: Sequence[Any]
    latest: dict[str, Transfer] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    is_defect_planned: bool = False
    at_change: Callable[[Transfer], None] = lambda _: None
    _changes: Changes = field(default_factory=Changes)

    def note(self, transfer: Transfer) -> None:
        self.latest[transfer.transfer_id] = transfer
        self.at_change(transfer)
        self._changes.changed()

    # What is asked of it

    async def request(self, key: str | None = None, fingerprint: str = "f", **order: Any) -> Requested:
        caller = Caller(allowance="bot") if key is None else caller_with(key, fingerprint)
        return await self.coordinator.request(order_for(**order), caller)

    async def begin(self, **order: Any) -> str:
        """Make a transfer; its id, once the carrier has been told to dial."""
        transfer_id = (await self.request(**order)).transfer.transfer_id
        await self.carrier.until(lambda carrier: any(dial.transfer_id == transfer_id for dial in carrier.dials))
        return transfer_id

    async def report(
        self, transfer_id: str, news: PhoneNews, *, call_id: str = "", event_id: str = "", placed_id: str = ""
    ) -> None:
        call_id = call_id or self.call_of(transfer_id)
        report = PhoneReport(call_id, news, event_id or type(news).__name__, placed_id)
        await self.coordinator.report(transfer_id, "twilio", report)

    async def answer(
        self, transfer_id: str, stream: int = 0, *, call_id: str = "", placed_id: str = ""
    ) -> Grant | None:
        call_id = call_id or self.call_of(transfer_id)
        return await self.coordinator.answer(transfer_id, "twilio", stream=stream, call_id=call_id, placed_id=placed_id)

    async def admits(self, transfer_id: str, grant: Grant | None) -> bool:
        return grant is not None and await self.coordinator.admits(transfer_id, "twilio", grant.token)

    async def hang_up_phone(self, transfer_id: str, news: PhoneEnded) -> None:
        """The call ends by itself, and the carrier says so; of one that is joined the bridge says nothing."""
        call_id = self.call_of(transfer_id)
        self.carrier.end(call_id)
        await self.report(transfer_id, news, call_id=call_id)
        if self.latest[transfer_id].state is State.JOINED:
            await self.clock.run(asyncio.ensure_future(self.ended(transfer_id)), [LAST_WORD_S])

    async def reach(self, state: State, **order: Any) -> str:
        """Bring a new transfer as far as ``state``; its id."""
        transfer_id = await self.begin(**order)
        await self.until_state(transfer_id, State.DIALING)
        if state in ROADS[1:]:
            await self.report(transfer_id, PhoneRang())
            await self.until_state(transfer_id, State.RINGING)
        if state in ROADS[2:]:
            assert await self.admits(transfer_id, await self.answer(transfer_id))
        if state in ROADS[3:]:
            self.bridge(transfer_id).connect(self.call_of(transfer_id))
        await self.until_state(transfer_id, state)
        return transfer_id

    async def with_media(self, **order: Any) -> str:
        """Make a transfer that is answered, and whose carrier has opened its stream; its id."""
        transfer_id = await self.reach(State.ANSWERED, **order)
        self.bridge(transfer_id).emit(MediaStarted(self.call_of(transfer_id)))
        return transfer_id

    # What it has come to

    def call_of(self, transfer_id: str) -> str:
        """The id of the call that was dialled for a transfer, in the order of the dials."""
        number = next(number for number, dial in enumerate(self.carrier.dials, 1) if dial.transfer_id == transfer_id)
        return f"CA{number}"

    def bridge(self, transfer_id: str) -> SimulatedBridge:
        return self.bridges.of(transfer_id)

    async def until(self, met: Callable[[], bool], what: str) -> None:
        await self._changes.until(met, what, timeout_s=TIMEOUT_S)

    async def until_state(self, transfer_id: str, state: State) -> Transfer:
        def is_reached() -> bool:
            return transfer_id in self.latest and self.latest[transfer_id].state is state

        await self.until(is_reached, f"transfer in {state}")
        return self.latest[transfer_id]

    async def ended(self, transfer_id: str) -> Transfer:
        await self.until(lambda: self.latest[transfer_id].is_terminal, "the transfer's end")
        return self.latest[transfer_id]

    async def stored_end(self, transfer_id: str) -> Transfer:
        transfer = await self.store.wait(transfer_id, lambda stored: stored.is_terminal, timeout_s=TIMEOUT_S)
        assert transfer is not None
        return transfer

    async def log_of(self, transfer_id: str) -> list[Event | None]:
        return [entry.event for entry in await self.store.events(transfer_id)]

    def logged(self, event: str) -> int:
        return sum(log["event"] == event for log in self.logs)

    async def shut_down(self) -> None:
        """As a node that ends; carriers that must be asked again are."""
        ending = asyncio.create_task(self.coordinator.shut_down(drain_timeout_s=0))
        await self.clock.run(ending, ASK_AGAIN_S)

    async def check(self) -> None:
        """The five invariants: every end there is leads here."""
        mine = self.latest.keys() - self.lost
        for transfer_id in mine:
            await self.ended(transfer_id)
        await self.shut_down()
        assert self.carrier.alive == {}
        assert self.bridges.taken == []
        assert self.coordinator.live_count == 0
        assert self.clock.delays_s == []
        for transfer_id in mine:
            stored, told = await self.store.get(transfer_id), self.latest[transfer_id]
            assert stored is not None
            assert (stored.state, stored.reason) == (told.state, told.reason)
            check_replay(stored, await self.store.events(transfer_id))
        defects = [log for log in self.logs if log["event"] in DEFECTS]
        assert bool(defects) is self.is_defect_planned, defects


async def turn(times: int) -> None:
    """Let every task that can go on do so, so many times; the store answers within some 40."""
    for _ in range(times):
        await asyncio.sleep(0)


async def turn_until(met: Callable[[], bool]) -> None:
    """Let the loop turn until it is so: for what nobody tells of. Every test has its bound."""
    while not met():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)


def came_to(transfer: Transfer) -> tuple[State, Reason | None]:
    return transfer.state, transfer.reason


def check_replay(stored: Transfer, entries: Sequence[LoggedEvent]) -> None:
    """The event log leads to the record as it is stored, by the table of the states alone."""
    first, *rest = entries
    assert (first.event, first.state, first.version) == (None, State.REQUESTED, 1)
    state, times_ms, changes = State.REQUESTED, {State.REQUESTED: first.at_ms}, dict[str, str]()
    for version, entry in enumerate(rest, 2):
        assert entry.version == version
        assert entry.event is not None
        after = next_state(state, entry.event)
        assert after is entry.state, f"{entry.event} in {state}: expected {after}, got {entry.state}"
        state = after
        times_ms.setdefault(state, entry.at_ms)
        changes |= entry.changes
    assert (stored.state, stored.version) == (state, len(entries))
    assert stored.reason is (rest[-1].reason if rest else None)
    assert stored.times_ms == times_ms
    assert stored.provider_call_id == changes.get("provider_call_id")
    assert stored.provider_code == changes.get("provider_code")


@asynccontextmanager
async def coordinated(url: str, settings: CoordinatorSettings | None = None) -> AsyncIterator[Case]:
    """
    A coordinator within the block; at its end everything must be over, and is checked.

    Its clock stands still unless the test moves it.
    """
    store = TransferStore(url, prefix=uuid.uuid4().hex)
    await store.open()
    carrier, bridges, clock = SimulatedCarrier(), SimulatedBridges(), ManualClock()
    with structlog.testing.capture_logs() as logs:
        coordinator = Coordinator(
            store,
            bridges,
            {"twilio": carrier},
            node_id="n1",
            settings=settings or CoordinatorSettings(transfers_per_minute=10_000, transfers_per_day=100_000),
            on_change=lambda transfer: case.note(transfer),  # noqa: PLW0108 - there is no case yet
            call_later=clock.call_later,
        )
        case = Case(store, coordinator, carrier, bridges, clock, logs)
        try:
            yield case
            await case.check()
        finally:
            await store.close()
