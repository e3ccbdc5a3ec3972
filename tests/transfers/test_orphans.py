"""Transfers that are stored as live while their node is gone: what is found of them is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from relay.transfers.late_calls import LateCalls
from relay.transfers.leases import LEASE_S
from relay.transfers.orphans import LOOK_AGAIN_S, Orphans
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import DialOrder, PhoneAlive, PhoneEnded, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from tests.transfers.clock import ManualClock
from tests.transfers.coordinated import came_to, turn_until
from tests.transfers.redis_servers import RedisServer
from tests.transfers.simulated import SimulatedCarrier
from tests.transfers.stores import OpenStore, new_transfer, stored_in

ORDER = DialOrder("tr_1", "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False)
ENDED = PhoneReport("CA1", PhoneEnded(Reason.AGENT_HUNG_UP), "ended")
ALIVE = PhoneReport("CA1", PhoneAlive(), "alive")


class Case:
    """What a node that is gone has left: a transfer, and perhaps its call."""

    def __init__(self, store: TransferStore, transfer: Transfer, live: list[str]) -> None:
        self.store = store
        self.transfer_id = transfer.transfer_id
        self.carrier = SimulatedCarrier()
        self.carrier.alive["CA1"] = ORDER
        self.told: list[Transfer] = []
        self.is_in_doubt = False
        self.owned: list[tuple[str, str]] = []
        self.clock = ManualClock()
        self.late = LateCalls({"twilio": self.carrier}, call_later=self.clock.call_later)
        self.orphans = Orphans(
            store,
            self.late,
            node_id="n1",
            is_live=lambda transfer_id: transfer_id in live,
            is_owned=lambda provider, call_id: (provider, call_id) in self.owned,
            is_in_doubt=lambda: self.is_in_doubt,
            on_change=self.told.append,
            call_later=self.clock.call_later,
        )

    async def stored(self) -> Transfer:
        while ending := self.late.ending:
            await asyncio.wait(ending)
        transfer = await self.store.get(self.transfer_id)
        assert transfer is not None
        return transfer


@asynccontextmanager
async def orphan_in(open_store: OpenStore, state: State, *, is_live: bool = False) -> AsyncIterator[Case]:
    async with open_store() as store:
        transfer = await stored_in(store, state)
        yield Case(store, transfer, [transfer.transfer_id] if is_live else [])


@pytest.mark.parametrize("state", [State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED])
async def test_a_callback_of_a_lost_transfer_ends_it_and_its_phone(open_store: OpenStore, state: State) -> None:
    async with orphan_in(open_store, state) as case:
        await case.orphans.take_report(case.transfer_id, "twilio", ALIVE)
        assert came_to(await case.stored()) == (State.FAILED, Reason.NODE_LOST)
        assert case.carrier.alive == {}
        assert [came_to(transfer) for transfer in case.told] == [(State.FAILED, Reason.NODE_LOST)]


async def test_a_callback_that_the_call_is_over_ends_a_lost_transfer_and_calls_nobody(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.JOINED) as case:
        await case.orphans.take_report(case.transfer_id, "twilio", ENDED)
        assert came_to(await case.stored()) == (State.DISCONNECTED, Reason.NODE_LOST)
        assert case.carrier.hang_ups == []


async def test_closing_a_lost_transfer_hangs_up_the_call_that_is_on_record(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        applied = await case.store.apply(case.transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": "CA1"})
        assert applied.transfer is not None
        closed = await case.orphans.close(applied.transfer, Reason.CANCELED_BY_API)
        assert closed == await case.stored()
        assert closed is not None
        assert closed.epoch == applied.transfer.epoch + 1, "who owned it is fenced off"
        assert came_to(await case.stored()) == (State.CANCELED, Reason.CANCELED_BY_API)
        assert case.carrier.alive == {}


async def test_a_transfer_that_goes_on_here_is_left_alone(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING, is_live=True) as case:
        await case.orphans.close_if_lost(await case.stored())
        assert (await case.stored()).state is State.RINGING


async def test_f24_while_leases_are_in_doubt_every_other_node_is_alive(open_store: OpenStore) -> None:
    """The store has been away: a node that goes on may not have renewed its own yet."""
    async with orphan_in(open_store, State.JOINED) as case:
        before = await case.stored()
        case.is_in_doubt = True
        assert not await case.orphans.close_if_lost(before)
        assert await case.stored() == before
        case.is_in_doubt = False
        assert await case.orphans.close_if_lost(before)


@pytest.mark.parametrize("report", [ALIVE, ENDED])
async def test_a_transfer_that_another_node_has_in_hand_is_left_to_it(
    open_store: OpenStore, report: PhoneReport
) -> None:
    """Webhooks that go to the wrong node end nothing."""
    async with orphan_in(open_store, State.RINGING) as case:
        before = await case.stored()
        await case.store.leases.renew(before.owner)
        await case.orphans.take_report(case.transfer_id, "twilio", report)
        await case.orphans.end_call(case.transfer_id, "twilio", "CA1")
        assert not await case.orphans.close_if_lost(before)
        await turn_until(lambda: len(case.clock.delays_s) == len(case.orphans._looking))
        case.clock.advance(LEASE_S)
        await turn_until(lambda: not case.orphans._looking)
        assert (await case.stored(), case.told, case.carrier.hang_ups) == (before, [], [])


async def test_a_call_that_is_told_of_when_its_node_has_just_died_is_ended_when_the_lease_has(
    open_store: OpenStore,
) -> None:
    """Nobody else knows of it: its id is not on record."""
    async with orphan_in(open_store, State.DIALING) as case:
        owner = (await case.stored()).owner
        await case.store.leases.renew(owner)
        await case.orphans.take_report(case.transfer_id, "twilio", ALIVE)
        assert (await case.stored()).state is State.DIALING
        await case.store.leases.end(owner)
        await case.clock.pass_pause(LEASE_S)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        assert came_to(await case.stored()) == (State.FAILED, Reason.NODE_LOST)


async def test_a_transfer_of_this_node_that_does_not_go_on_is_lost(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        await case.store.leases.renew("n1")
        own = await case.store.create(new_transfer(owner="n1"))
        assert await case.orphans.close_if_lost(own)
        ended = await case.store.get(own.transfer_id)
        assert ended is not None
        assert came_to(ended) == (State.FAILED, Reason.NODE_LOST)


@pytest.mark.parametrize("report", [ALIVE, ENDED])
async def test_a_transfer_that_is_over_stays_as_it_is(open_store: OpenStore, report: PhoneReport) -> None:
    async with orphan_in(open_store, State.CANCELED) as case:
        before = await case.stored()
        await case.orphans.take_report(case.transfer_id, "twilio", report)
        assert (await case.stored(), case.told) == (before, [])
        assert case.carrier.hang_ups == (["CA1"] if report is ALIVE else [])


async def test_a_transfer_that_is_ended_meanwhile_is_not_told_of_again(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        seen = await case.stored()
        await case.store.apply(case.transfer_id, Event.STOPPED, epoch=1, reason=Reason.CUSTOMER_LEFT)
        await case.orphans.close_if_lost(seen)
        assert came_to(await case.stored()) == (State.CANCELED, Reason.CUSTOMER_LEFT)
        assert case.told == []


async def test_another_carriers_callback_does_not_touch_the_transfer(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        await case.orphans.take_report(case.transfer_id, "plivo", ALIVE)
        assert (await case.stored()).state is State.RINGING
        assert case.carrier.hang_ups == []


async def test_a_call_that_ends_by_its_own_id_is_not_asked_for_any_longer_by_the_one_on_record(
    open_store: OpenStore,
) -> None:
    async with orphan_in(open_store, State.JOINED) as case:
        case.carrier.failing_hang_ups = 100
        ending = case.late.end("twilio", "request:1", transfer_id=case.transfer_id)
        assert ending is not None
        await case.clock.until_pause(ASK_AGAIN_S[0])
        report = PhoneReport("CA1", PhoneEnded(Reason.AGENT_HUNG_UP), "ended", "request:1")
        await case.orphans.take_report(case.transfer_id, "twilio", report)
        await ending
        assert case.carrier.hang_ups == ["request:1"]


async def test_a_call_of_no_transfer_is_hung_up(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        await case.orphans.end_call("tr_" + "0" * 32, "twilio", "CA1")
        assert (await case.stored()).state is State.RINGING
        assert case.carrier.alive == {}


async def test_t3_a_call_that_a_transfer_has_here_is_not_ended_for_another_that_nobody_knows(
    open_store: OpenStore,
) -> None:
    """Whoever can send a true callback of one call to the URL of another must not end it."""
    async with orphan_in(open_store, State.RINGING) as case:
        case.owned = [("twilio", "CA1")]
        await case.orphans.end_call("tr_" + "0" * 32, "twilio", "CA1")
        await case.orphans.take_report("tr_" + "0" * 32, "twilio", ALIVE)
        await case.stored()
        assert (case.carrier.hang_ups, [*case.carrier.alive]) == ([], ["CA1"])
        case.owned = [("plivo", "CA1")]
        await case.orphans.end_call("tr_" + "0" * 32, "twilio", "CA1")
        await case.stored()
        assert case.carrier.alive == {}


async def test_the_stream_of_a_transfer_that_is_over_or_unknown_is_nobodys(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.CANCELED) as case:
        assert await case.orphans.is_nobodys(case.transfer_id, "twilio")
        assert await case.orphans.is_nobodys("tr_" + "0" * 32, "twilio")


async def test_the_stream_of_a_lost_transfer_ends_it_and_is_nobodys(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        assert await case.orphans.is_nobodys(case.transfer_id, "twilio")
        assert came_to(await case.stored()) == (State.FAILED, Reason.NODE_LOST)


@pytest.mark.parametrize("has_died", [True, False])
async def test_f30_the_stream_of_another_nodes_transfer_is_nobodys_if_its_lease_has_run_out(
    open_store: OpenStore,
    has_died: bool,  # noqa: FBT001
) -> None:
    """The node before this one, which has just been killed, looks alive until then."""
    async with orphan_in(open_store, State.RINGING) as case:
        owner = (await case.stored()).owner
        await case.store.leases.renew(owner)
        looking = asyncio.create_task(case.orphans.is_nobodys(case.transfer_id, "twilio"))
        await case.clock.until_pause(LEASE_S)
        assert (await case.stored()).state is State.RINGING
        if has_died:
            await case.store.leases.end(owner)
        case.clock.advance(LEASE_S)
        assert await looking is has_died
        assert (await case.stored()).is_terminal is has_died


async def test_a_stream_is_nobodys_if_the_store_cannot_say_whose(open_store: OpenStore) -> None:
    """As a phone is hung up then: who picked up must not be left on the line."""
    async with orphan_in(open_store, State.RINGING) as case:
        await case.store.close()
        assert await case.orphans.is_nobodys(case.transfer_id, "twilio")


async def test_a_phone_is_hung_up_though_the_store_is_away(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.RINGING) as case:
        await case.store.close()
        await case.orphans.take_report(case.transfer_id, "twilio", ALIVE)
        await case.carrier.until(lambda carrier: carrier.alive == {})


async def test_what_may_have_been_stored_is_looked_for_until_the_store_is_back(own_server: RedisServer) -> None:
    open_store = OpenStore(own_server.url, "relay")
    async with orphan_in(open_store, State.REQUESTED) as case:
        with own_server.frozen():
            case.orphans.look_later(case.transfer_id)
            await case.clock.pass_pause(LOOK_AGAIN_S[0])
            await case.clock.until_pause(LOOK_AGAIN_S[1])  # it did not answer
        case.clock.advance(LOOK_AGAIN_S[1])
        stored = await case.store.wait(case.transfer_id, lambda transfer: transfer.is_terminal, timeout_s=10)
        assert stored is not None
        assert came_to(stored) == (State.FAILED, Reason.NODE_LOST)
        await case.orphans.stop()


async def test_what_was_not_stored_is_looked_for_once(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.REQUESTED) as case:
        case.orphans.look_later("tr_" + 32 * "0")
        await case.clock.pass_pause(LOOK_AGAIN_S[0])
        await case.store.ping()
        await case.orphans.stop()
        assert case.clock.delays_s == []
        assert case.told == []


async def test_who_stops_looks_for_nothing_any_longer(open_store: OpenStore) -> None:
    async with orphan_in(open_store, State.REQUESTED) as case:
        case.orphans.look_later(case.transfer_id)
        await case.clock.until_pause(LOOK_AGAIN_S[0])
        await case.orphans.stop()
        assert case.clock.delays_s == []
        assert came_to(await case.stored()) == (State.REQUESTED, None)
