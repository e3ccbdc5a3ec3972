"""One transfer's life: it can end at any point, in one order, and nothing of it is left then."""

from __future__ import annotations

import asyncio

import pytest

from relay.transfers.live import RELEASE_MAX_S
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import BothHeard, BridgeEnded, MediaStarted, PhoneAlive, PhoneEnded, PhoneRang, Unclear
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State
from tests.transfers.coordinated import ROADS, came_to, coordinated, turn
from tests.transfers.simulated import SimulatedBridge


def end_on_purpose(state: State) -> State:
    return State.DISCONNECTED if state is State.JOINED else State.CANCELED


# Canceling


@pytest.mark.parametrize("state", ROADS)
async def test_cancel_in_every_state_hangs_up_and_leaves_the_room(store_url: str, state: State) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (end_on_purpose(state), Reason.CANCELED_BY_API)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        assert case.bridge(transfer_id).released is Reason.CANCELED_BY_API
        assert await case.coordinator.cancel(transfer_id) == transfer


@pytest.mark.parametrize("turns", range(0, 120, 6))
async def test_cancel_while_the_dial_begins_dials_once_at_most_and_leaves_no_phone(store_url: str, turns: int) -> None:
    async with coordinated(store_url) as case:
        transfer_id = (await case.request()).transfer.transfer_id
        await turn(turns)
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)
        assert len(case.carrier.dials) <= 1


async def test_cancel_before_anything_was_dialled_dials_nothing(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = (await case.request()).transfer.transfer_id
        await case.coordinator.cancel(transfer_id)
        assert await case.log_of(transfer_id) == [None, Event.STOPPED]
        assert case.carrier.dials == []
        assert case.bridge(transfer_id).joins == 0


async def test_cancel_before_the_carrier_answers_the_dial_hangs_up_when_it_does(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.carrier.may_dial.clear()
        transfer_id = await case.begin()
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)
        assert case.carrier.hang_ups == []
        case.carrier.may_dial.set()
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


@pytest.mark.parametrize("by_answer", [True, False])
async def test_a_call_that_its_callback_names_after_the_cancel_is_hung_up_at_once(
    store_url: str,
    by_answer: bool,  # noqa: FBT001
) -> None:
    async with coordinated(store_url) as case:
        case.carrier.may_dial.clear()
        transfer_id = await case.begin()
        await case.coordinator.cancel(transfer_id)
        if by_answer:
            assert await case.answer(transfer_id) is None
        else:
            await case.report(transfer_id, PhoneRang())
        await case.carrier.until(lambda carrier: carrier.alive == {})
        case.carrier.may_dial.set()


async def test_a_call_that_turns_up_when_the_transfer_is_gone_is_hung_up(store_url: str) -> None:
    """The dial was unclear, the carrier listed no call, and then one rings."""
    async with coordinated(store_url) as case:
        case.carrier.script(Unclear("time-out"))
        transfer_id = await case.begin()
        await case.coordinator.cancel(transfer_id)
        await case.shut_down()
        assert case.logged("dial_unknown") == 1
        case.carrier.alive["CA1"] = case.carrier.dials[0]
        assert await case.answer(transfer_id) is None
        await case.carrier.until(lambda carrier: carrier.alive == {})


async def test_an_answer_that_waits_behind_the_cancel_gets_a_hang_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        canceling = asyncio.create_task(case.coordinator.cancel(transfer_id))
        answering = asyncio.create_task(case.answer(transfer_id))
        assert await answering is None
        assert await canceling is not None


async def test_cancel_twice_at_once_ends_it_once(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        first, second = await asyncio.gather(*(case.coordinator.cancel(transfer_id) for _ in range(2)))
        assert first == second
        assert (await case.log_of(transfer_id)).count(Event.STOPPED) == 1


async def test_the_first_reason_counts(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).emit(BridgeEnded(Reason.CUSTOMER_LEFT, "left"))
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.DISCONNECTED, Reason.CUSTOMER_LEFT)


async def test_a_hang_up_that_fails_is_asked_again_until_it_is_done(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        case.carrier.failing_hang_ups = 4
        await case.coordinator.cancel(transfer_id)
        for pause_s in ASK_AGAIN_S[:4]:
            await case.clock.pass_pause(pause_s)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        assert len(case.carrier.hang_ups) == 5


async def test_a_hang_up_that_never_works_is_given_up_loudly_and_tried_again_when_the_phone_shows(
    store_url: str,
) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        case.carrier.failing_hang_ups = 1000
        await case.coordinator.cancel(transfer_id)
        for pause_s in ASK_AGAIN_S:
            await case.clock.pass_pause(pause_s)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert case.logged("phone_may_be_alive") == 1
        case.carrier.failing_hang_ups = 0
        await case.report(transfer_id, PhoneAlive())
        await case.carrier.until(lambda carrier: carrier.alive == {})


# Who leaves


@pytest.mark.parametrize("state", [State.DIALING, State.RINGING])
async def test_f9_a_customer_who_leaves_while_it_rings_cancels_the_phone_at_once(store_url: str, state: State) -> None:
    """The clock stands still: nothing is waited for, not even the bridge's own end."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        case.bridge(transfer_id).may_release.clear()
        case.bridge(transfer_id).emit(BridgeEnded(Reason.CUSTOMER_LEFT, "left"))
        await case.carrier.until(lambda carrier: carrier.alive == {})
        assert came_to(await case.ended(transfer_id)) == (State.CANCELED, Reason.CUSTOMER_LEFT)
        case.bridge(transfer_id).may_release.set()


@pytest.mark.parametrize("has_media", [True, False])
async def test_f10_a_customer_who_leaves_after_the_answer_cancels(store_url: str, has_media: bool) -> None:  # noqa: FBT001
    async with coordinated(store_url) as case:
        transfer_id = await (case.with_media() if has_media else case.reach(State.ANSWERED))
        case.bridge(transfer_id).emit(BridgeEnded(Reason.CUSTOMER_LEFT, "left"))
        assert came_to(await case.ended(transfer_id)) == (State.CANCELED, Reason.CUSTOMER_LEFT)
        await case.carrier.until(lambda carrier: carrier.alive == {})


async def test_f11_f40_nothing_is_asked_of_the_bot(store_url: str) -> None:
    """After its request nobody reads the transfer, waits for it or acknowledges anything."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.clock.advance(3600.0)
        assert case.latest[transfer_id].state is State.JOINED
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        await case.ended(transfer_id)


@pytest.mark.parametrize("by_bridge", [True, False])
async def test_f12_an_agent_who_hangs_up_disconnects(store_url: str, by_bridge: bool) -> None:  # noqa: FBT001
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        if by_bridge:
            case.bridge(transfer_id).emit(BridgeEnded(Reason.AGENT_HUNG_UP, "stop"))
        else:
            await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f13_a_customer_who_leaves_disconnects_and_the_phone_is_hung_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).emit(BridgeEnded(Reason.CUSTOMER_LEFT, "left"))
        assert came_to(await case.ended(transfer_id)) == (State.DISCONNECTED, Reason.CUSTOMER_LEFT)
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


async def test_an_agent_on_the_line_hears_that_it_is_over_before_the_phone_is_hung_up(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        bridge = case.bridge(transfer_id)
        bridge.may_release.clear()
        await case.coordinator.cancel(transfer_id)
        await bridge.until(lambda bridge: bridge.released is Reason.CANCELED_BY_API)
        assert case.carrier.hang_ups == []
        bridge.may_release.set()
        await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])


async def test_a_bridge_that_does_not_end_keeps_the_phone_for_less_than_a_second(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.bridge(transfer_id).may_release.clear()
        await case.coordinator.cancel(transfer_id)
        assert RELEASE_MAX_S < 1
        await case.clock.pass_pause(RELEASE_MAX_S)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        case.bridge(transfer_id).may_release.set()


async def test_f13_a_phone_does_not_wait_for_a_bridge_that_has_said_it_is_over(store_url: str) -> None:
    """Closing handshake and leaving may take seconds: the agent has heard all there is to hear."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        bridge = case.bridge(transfer_id)
        bridge.may_release.clear()
        bridge.emit(BridgeEnded(Reason.CUSTOMER_LEFT, "no customer in the room"))
        await case.carrier.until(lambda carrier: carrier.alive == {})
        assert case.clock.delays_s == []
        bridge.may_release.set()


# Defects


class BrokenBridge(SimulatedBridge):
    """Nothing it is asked for works, but its release."""

    async def join(self) -> None:
        raise RuntimeError("a defect")

    def ring(self) -> None:
        raise RuntimeError("a defect")


class StuckBridge(SimulatedBridge):
    """Never joins, and never says so."""

    async def join(self) -> None:
        self.joins += 1
        await asyncio.Event().wait()


class UnreleasedBridge(SimulatedBridge):
    """Gives everything back, and then breaks."""

    async def release(self, reason: Reason) -> None:
        await super().release(reason)
        raise RuntimeError("a defect")


@pytest.mark.parametrize("kind", [BrokenBridge, UnreleasedBridge])
async def test_a_bridge_with_a_defect_ends_its_transfer_and_no_phone_is_left(
    store_url: str, kind: type[SimulatedBridge]
) -> None:
    async with coordinated(store_url) as case:
        case.bridges.kind = kind
        case.is_defect_planned = True
        transfer_id = await case.begin()
        if kind is UnreleasedBridge:
            await case.coordinator.cancel(transfer_id)
        assert (await case.ended(transfer_id)).reason in (Reason.INTERNAL_ERROR, Reason.CANCELED_BY_API)


async def test_a_bridge_that_never_joins_does_not_keep_its_transfer_from_ending(store_url: str) -> None:
    async with coordinated(store_url) as case:
        case.bridges.kind = StuckBridge
        transfer_id = await case.reach(State.ANSWERED)
        await case.coordinator.cancel(transfer_id)


async def test_what_a_bridge_tells_after_the_end_changes_nothing(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.ANSWERED)
        bridge = case.bridge(transfer_id)
        bridge.may_release.clear()
        await case.coordinator.cancel(transfer_id)
        bridge.emit(MediaStarted("CA1"))
        bridge.emit(BothHeard())
        bridge.may_release.set()
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert came_to(await case.stored_end(transfer_id)) == (State.CANCELED, Reason.CANCELED_BY_API)
