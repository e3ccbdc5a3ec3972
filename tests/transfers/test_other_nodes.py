"""Transfers of other nodes: those of one that is alive are left to it; and what this one leaves to others."""

from __future__ import annotations

import asyncio

import pytest

from relay.errors import Overloaded, TransferConflict
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import DialOrder, PhoneAlive, PhoneEnded, PhoneRang, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State
from relay.transfers.sweep import BEAT_S
from tests.transfers.coordinated import ROADS, ROOM, Case, came_to, coordinated, turn_until
from tests.transfers.stores import new_transfer

NEVER_MADE = "tr_" + "0" * 32
CALL = DialOrder("tr_gone", "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False)


async def orphan(case: Case, state: State) -> str:
    """A transfer of a node that is gone, its call alive and its room claimed."""
    transfer_id = (await case.store.create(new_transfer(room_url=ROOM, owner="gone"))).transfer_id
    case.carrier.alive["CA9"] = CALL
    await case.store.apply(transfer_id, Event.DIALED, epoch=1)
    await case.store.apply(transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": "CA9"})
    for event in (Event.RANG, Event.ANSWERED, Event.JOINED)[: ROADS.index(state)]:
        await case.store.apply(transfer_id, event, epoch=1)
    await case.coordinator._rooms.claim(ROOM, transfer_id, ttl_s=60.0)
    return transfer_id


# Of nodes that are gone


@pytest.mark.parametrize("state", ROADS)
async def test_a_callback_of_a_lost_transfer_hangs_up_and_ends_it(store_url: str, state: State) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, state)
        await case.coordinator.report(transfer_id, "twilio", PhoneReport("CA9", PhoneRang(), "rang"))
        assert (await case.stored_end(transfer_id)).reason is Reason.NODE_LOST


async def test_an_answer_of_a_lost_transfer_hangs_up_and_ends_it(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.RINGING)
        assert await case.answer(transfer_id, call_id="CA9") is None
        assert came_to(await case.stored_end(transfer_id)) == (State.FAILED, Reason.NODE_LOST)


async def test_a_new_request_for_the_room_of_a_lost_transfer_takes_over(store_url: str) -> None:
    async with coordinated(store_url) as case:
        lost = await orphan(case, State.JOINED)
        transfer_id = await case.begin()
        assert came_to(await case.stored_end(lost)) == (State.DISCONNECTED, Reason.NODE_LOST)
        await case.carrier.until(lambda carrier: "CA9" not in carrier.alive)
        await case.coordinator.cancel(transfer_id)


async def test_a_lost_transfer_can_be_canceled(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.RINGING)
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)


async def test_there_is_nothing_to_cancel_of_what_was_never_made(store_url: str) -> None:
    async with coordinated(store_url) as case:
        assert await case.coordinator.cancel(NEVER_MADE) is None


async def test_a_callback_of_what_was_never_made_hangs_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.alive["CA9"] = CALL
        await case.coordinator.report(NEVER_MADE, "twilio", PhoneReport("CA9", PhoneAlive(), "alive"))
        await case.carrier.until(lambda carrier: carrier.alive == {})


# Of a node that is alive


async def test_f30_callbacks_of_another_nodes_transfer_end_nothing(store_url: str) -> None:
    """Whoever lets carriers' webhooks come to two nodes loses some of them, and no call by them."""
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.RINGING)
        before = await case.store.get(transfer_id)
        await case.store.leases.renew("gone")
        await case.coordinator.report(transfer_id, "twilio", PhoneReport("CA9", PhoneRang(), "rang"))
        await case.coordinator.report(transfer_id, "twilio", PhoneReport("CA9", PhoneEnded(Reason.BUSY), "busy"))
        assert await case.answer(transfer_id, call_id="CA9") is None
        assert not await case.coordinator.admits(transfer_id, "twilio", "token")
        assert await case.store.get(transfer_id) == before
        assert case.carrier.alive == {"CA9": CALL}
        assert case.logged("callback_of_another_node") == 3
        case.carrier.end("CA9")


async def test_f30_a_room_of_another_nodes_transfer_is_refused_with_its_id(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.JOINED)
        await case.store.leases.renew("gone")
        with pytest.raises(TransferConflict, match=transfer_id):
            await case.request()
        assert list(case.carrier.alive) == ["CA9"]
        case.carrier.end("CA9")


async def test_another_nodes_transfer_can_be_canceled(store_url: str) -> None:
    """On purpose, whoever has it in hand: that node is fenced off then."""
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.RINGING)
        await case.store.leases.renew("gone")
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert (*came_to(transfer), transfer.epoch) == (State.CANCELED, Reason.CANCELED_BY_API, 2)


# What this node has in hand


async def test_a_transfer_is_in_hand_until_its_phone_is_known_to_be_down(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.may_hang_up.clear()
        transfer_id = await case.reach(State.RINGING)
        await case.coordinator.cancel(transfer_id)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert (await case.stored_end(transfer_id)).is_terminal
        assert await case.store.leases.in_hand("n1") == [transfer_id]
        case.carrier.may_hang_up.set()
        await turn_until(lambda: not case.coordinator._tasks)
        assert await case.store.leases.in_hand("n1") == []


async def test_a_phone_that_was_given_up_stays_in_hand_for_the_next_node(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.failing_hang_ups = len(ASK_AGAIN_S) + 1
        transfer_id = await case.reach(State.RINGING)
        await case.coordinator.cancel(transfer_id)
        await case.shut_down()
        assert await case.store.leases.in_hand("n1") == [transfer_id]
        assert case.logged("phone_may_be_alive") == 1
        case.carrier.end("CA1")


async def test_a_request_that_fails_leaves_nothing_in_hand(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.bridges.refusal = Overloaded("none", retry_after_s=1)
        with pytest.raises(Overloaded):
            await case.request()
        assert await case.store.leases.in_hand("n1") == []


async def test_a_node_has_a_lease_from_its_start_to_its_end(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.coordinator.recover()
        await case.clock.until_pause(BEAT_S)
        assert await case.store.leases.dead(["n1"]) == []
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert await case.store.leases.dead(["n1"]) == ["n1"]


async def test_a_node_that_drains_has_a_lease_until_its_last_call_is_over(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.coordinator.recover()
        transfer_id = await case.reach(State.JOINED)
        ending = asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=600))
        await case.clock.until_pause(600)
        await case.store.leases.end("n1")
        await case.clock.pass_pause(BEAT_S)
        await case.clock.until_pause(BEAT_S)
        assert await case.store.leases.dead(["n1"]) == []
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        await ending
        assert await case.store.leases.dead(["n1"]) == ["n1"]


async def test_a_shut_down_that_is_cut_short_leaves_nothing_running(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.coordinator.recover()
        transfer_id = await case.reach(State.JOINED)
        ending = asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=600))
        await case.clock.until_pause(600)
        ending.cancel()
        await asyncio.wait([ending])
        assert case.clock.delays_s == []
        assert await case.store.leases.dead(["n1"]) == ["n1"]
        await case.coordinator.cancel(transfer_id)
