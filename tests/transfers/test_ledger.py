"""The writing side of one transfer: in order, each event once, and never for another owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import structlog

from relay.transfers.ledger import Ledger
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.clock import ManualClock
from tests.transfers.stores import OpenStore, key_of, raw, stored_in


@dataclass
class Case:
    """A ledger of one stored transfer."""

    store: TransferStore
    ledger: Ledger
    clock: ManualClock
    told: list[Transfer] = field(default_factory=list)
    fenced: int = 0

    @property
    def transfer_id(self) -> str:
        return self.ledger.transfer.transfer_id

    def note_fenced(self) -> None:
        self.fenced += 1

    async def log(self) -> list[Event | None]:
        return [entry.event for entry in await self.store.events(self.transfer_id)]

    async def stored(self) -> Transfer:
        transfer = await self.store.get(self.transfer_id)
        assert transfer is not None
        return transfer


@asynccontextmanager
async def ledger_in(open_store: OpenStore, state: State) -> AsyncIterator[Case]:
    async with open_store() as store:
        clock = ManualClock()
        ledger = Ledger(
            store,
            await stored_in(store, state),
            on_change=lambda transfer: case.told.append(transfer),  # noqa: PLW0108 - there is no case yet
            on_fenced=lambda: case.note_fenced(),  # noqa: PLW0108 - there is no case yet
            call_later=clock.call_later,
            log=structlog.get_logger(),
        )
        case = Case(store, ledger, clock)
        yield case


async def test_what_counts_is_written_and_told(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.DIALING) as case:
        assert await case.ledger.write(Event.PLACED, changes={"provider_call_id": "CA1"})
        assert await case.ledger.write(Event.RANG, event_id="rang")
        assert await case.ledger.write(Event.ENDED, reason=Reason.BUSY, changes={"provider_code": "486"})
        stored = await case.stored()
        assert case.ledger.transfer == case.told[-1] == stored
        assert (stored.state, stored.reason, stored.provider_call_id) == (State.FAILED, Reason.BUSY, "CA1")
        assert [transfer.version for transfer in case.told] == [stored.version - 2, stored.version - 1, stored.version]


@pytest.mark.parametrize("event", [Event.DIALED, Event.RANG, Event.JOINED, Event.MEDIA_LOST])
async def test_what_is_late_is_not_written(open_store: OpenStore, event: Event) -> None:
    async with ledger_in(open_store, State.ANSWERED if event is not Event.JOINED else State.RINGING) as case:
        before = await case.log()
        assert not await case.ledger.write(event)
        assert (await case.log(), case.told) == (before, [])


async def test_what_comes_again_is_not_written_again(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.JOINED) as case:
        assert await case.ledger.write(Event.MEDIA_LOST, event_id="lost")
        assert not await case.ledger.write(Event.MEDIA_LOST, event_id="lost")
        assert (await case.log()).count(Event.MEDIA_LOST) == 1


async def test_what_has_no_id_of_the_carriers_happens_as_often_as_it_is_written(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.JOINED) as case:
        for event in (Event.MEDIA_LOST, Event.MEDIA_BACK) * 2:
            assert await case.ledger.write(event)
        assert (await case.log())[-4:] == [Event.MEDIA_LOST, Event.MEDIA_BACK] * 2


async def test_another_owners_transfer_is_not_written_and_that_is_told_once(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.RINGING) as case:
        await raw(case.store, "HSET", key_of(case.store, case.transfer_id), "epoch", 2)
        before = await case.log()
        assert not await case.ledger.write(Event.ANSWERED)
        assert not await case.ledger.write(Event.ENDED, reason=Reason.NODE_LOST)
        assert (await case.log(), case.fenced, case.ledger.is_fenced, case.told) == (before, 1, True, [])


async def test_a_transfer_that_was_ended_elsewhere_is_another_owners(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.RINGING) as case:
        await case.store.apply(case.transfer_id, Event.STOPPED, epoch=1, reason=Reason.CANCELED_BY_API)
        assert not await case.ledger.write(Event.ANSWERED)
        assert (case.fenced, case.ledger.transfer.state) == (1, State.CANCELED)


async def test_a_look_finds_that_another_has_taken_the_transfer_over_and_tells_it_once(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.JOINED) as case:
        await case.ledger.look()
        await case.ledger.write(Event.MEDIA_LOST)
        await case.ledger.look()
        assert (case.fenced, case.ledger.is_fenced) == (0, False)
        await case.store.apply(case.transfer_id, Event.ENDED, epoch=1, reason=Reason.NODE_LOST, takes_over=True)
        for _ in range(2):
            await case.ledger.look()
        assert not await case.ledger.write(Event.MEDIA_BACK)
        assert (case.fenced, case.ledger.transfer) == (1, await case.stored())


async def test_a_look_at_what_is_stored_no_more_finds_nothing(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.JOINED) as case:
        await raw(case.store, "DEL", key_of(case.store, case.transfer_id))
        await case.ledger.look()
        assert case.fenced == 0


async def test_a_store_that_was_emptied_does_not_stop_the_call(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.JOINED) as case:
        await raw(case.store, "DEL", key_of(case.store, case.transfer_id))
        assert await case.ledger.write(Event.MEDIA_LOST)
        assert await case.ledger.write(Event.ENDED, reason=Reason.MEDIA_LOST)
        assert (case.told[0].reconnecting, case.told[-1].state) == (True, State.DISCONNECTED)
        assert case.fenced == 0


async def test_what_must_be_written_first_has_not_happened_if_it_was_not(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.REQUESTED) as case:
        await raw(case.store, "DEL", key_of(case.store, case.transfer_id))
        assert not await case.ledger.write_first(Event.DIALED)
        assert (case.told, case.ledger.transfer.state) == ([], State.REQUESTED)


async def test_two_ledgers_of_one_transfer_dial_once(open_store: OpenStore) -> None:
    """Whoever writes DIALED may dial; the other must not."""
    async with ledger_in(open_store, State.REQUESTED) as case:
        other = Ledger(
            case.store,
            case.ledger.transfer,
            on_change=case.told.append,
            on_fenced=case.note_fenced,
            call_later=case.clock.call_later,
            log=structlog.get_logger(),
        )
        assert [await case.ledger.write_first(Event.DIALED), await other.write_first(Event.DIALED)] == [True, False]
        assert (await case.log()).count(Event.DIALED) == 1


async def test_there_is_nothing_to_flush_when_all_is_written(open_store: OpenStore) -> None:
    async with ledger_in(open_store, State.RINGING) as case:
        await case.ledger.write(Event.ANSWERED)
        await case.ledger.flush()
        assert case.clock.delays_s == []
