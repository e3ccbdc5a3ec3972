"""The end of a coordinator: nothing is let in, what is not joined ends at once, and no phone is left."""

from __future__ import annotations

import asyncio

import pytest

from relay.errors import Overloaded
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import PhoneAlive, PhoneEnded
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State
from tests.transfers.coordinated import ROADS, Case, came_to, coordinated, turn, turn_until

DRAIN_S = 600.0
ROOMS = [f"https://example.daily.co/room-{state}" for state in ROADS]


def begin_to_end(case: Case, *, drain_timeout_s: float = DRAIN_S) -> asyncio.Task[None]:
    return asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=drain_timeout_s))


async def test_f29_what_is_not_joined_ends_at_once_and_what_is_may_go_on(store_url: str) -> None:
    async with coordinated(store_url) as case:
        *unjoined, joined = [await case.reach(state, room_url=room) for state, room in zip(ROADS, ROOMS, strict=True)]
        ending = begin_to_end(case)
        for transfer_id in unjoined:
            assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.NODE_SHUTDOWN)
        await case.carrier.until(lambda carrier: list(carrier.alive) == ["CA4"])
        await case.clock.until_pause(DRAIN_S)
        case.clock.advance(DRAIN_S - 1)
        assert not case.latest[joined].is_terminal
        await case.hang_up_phone(joined, PhoneEnded(Reason.AGENT_HUNG_UP))
        await ending
        assert came_to(case.latest[joined]) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f29_what_does_not_end_within_the_drain_is_ended(store_url: str) -> None:
    async with coordinated(store_url) as case:
        joined = await case.reach(State.JOINED)
        ending = begin_to_end(case)
        await case.clock.pass_pause(DRAIN_S)
        await ending
        assert came_to(case.latest[joined]) == (State.DISCONNECTED, Reason.NODE_SHUTDOWN)
        assert case.carrier.alive == {}


async def test_a_second_end_cuts_the_first_ones_drain_short(store_url: str) -> None:
    async with coordinated(store_url) as case:
        joined = await case.reach(State.JOINED)
        ending = begin_to_end(case)
        await case.clock.until_pause(DRAIN_S)
        await case.coordinator.shut_down(drain_timeout_s=0)
        await ending
        assert came_to(case.latest[joined]) == (State.DISCONNECTED, Reason.NODE_SHUTDOWN)


async def test_f29_no_request_is_taken_any_more(store_url: str) -> None:
    async with coordinated(store_url) as case:
        assert case.coordinator.is_open
        joined = await case.reach(State.JOINED)
        ending = begin_to_end(case)
        await case.clock.until_pause(DRAIN_S)
        assert not case.coordinator.is_open
        with pytest.raises(Overloaded, match="shutting down"):
            await case.request("k", room_url=ROOMS[0])
        await case.coordinator.cancel(joined)
        await ending
        assert len(case.carrier.dials) == 1


async def test_a_request_that_is_being_answered_when_the_end_comes_dials_nothing(store_url: str) -> None:
    """Nobody would hang its phone up: the end has been, and does not come again."""
    async with coordinated(store_url) as case:
        case.bridges.may_acquire.clear()
        requesting = asyncio.create_task(case.request("k"))
        await case.bridges.until(lambda bridges: len(bridges.made) == 1)
        await case.coordinator.shut_down(drain_timeout_s=DRAIN_S)
        case.bridges.may_acquire.set()
        with pytest.raises(Overloaded, match="shutting down"):
            await requesting
        assert case.carrier.dials == []
        (transfer_id,) = case.latest
        assert await case.log_of(transfer_id) == [None, Event.ENDED]
        assert came_to(case.latest[transfer_id]) == (State.FAILED, Reason.NODE_SHUTDOWN)


async def test_the_end_waits_until_every_phone_is_hung_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        await case.reach(State.RINGING)
        case.carrier.failing_hang_ups = 2
        ending = begin_to_end(case)
        for pause_s in ASK_AGAIN_S[:2]:
            await case.clock.until_pause(pause_s)
            assert not ending.done()
            case.clock.advance(pause_s)
        await ending
        assert case.carrier.alive == {}


async def test_the_end_waits_for_calls_that_turn_up_late(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.coordinator.cancel(transfer_id)
        await turn_until(lambda: case.coordinator.live_count == 0)
        await case.coordinator.shut_down(drain_timeout_s=0)
        case.carrier.may_hang_up.clear()
        case.carrier.alive["CA2"] = case.carrier.dials[0]
        await case.report(transfer_id, PhoneAlive(), call_id="CA2")
        ending = begin_to_end(case)
        await turn(200)
        assert not ending.done()
        case.carrier.may_hang_up.set()
        await ending
        assert case.carrier.alive == {}


async def test_there_is_nothing_to_wait_for_without_transfers(store_url: str) -> None:
    async with coordinated(store_url) as case:
        await case.coordinator.shut_down(drain_timeout_s=DRAIN_S)
        assert case.clock.delays_s == []


async def test_f29_the_end_waits_for_a_phone_that_cannot_be_stopped_as_long_as_for_any_other(store_url: str) -> None:
    """Its transfer's place is free at once; whoever starts next finds it in hand."""
    async with coordinated(store_url) as case:
        case.carrier.stops_ringing = False
        case.carrier.failing_hang_ups = 100
        canceled = await case.reach(State.RINGING, ring_timeout_s=120.0)
        await case.coordinator.cancel(canceled)
        await turn_until(lambda: case.coordinator.live_count == 0)
        await case.clock.until_pause(ASK_AGAIN_S[0])
        ending = begin_to_end(case, drain_timeout_s=0)
        await case.clock.run(ending, ASK_AGAIN_S)
        assert case.clock.now_s == pytest.approx(sum(ASK_AGAIN_S))
        assert [case.logged(event) for event in ("phone_rings_on", "phone_may_be_alive")] == [1, 0]
        assert canceled in await case.store.leases.in_hand("n1")
        case.carrier.end("CA1")
