"""All transfers of a node: what is let in, and one dial per request and room."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence

import pytest

from relay.errors import Overloaded, RequestMismatch, TransferConflict
from relay.transfers.claims import RequestKey
from relay.transfers.coordinator import Caller, Requested
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.ports import MediaSocket, PhoneEnded
from relay.transfers.reasons import Reason
from relay.transfers.record import digest
from relay.transfers.states import State
from tests.transfers.coordinated import ROADS, ROOM, Case, coordinated, order_for, turn_until
from tests.transfers.stores import new_transfer

OTHER_ROOM = "https://example.daily.co/other"
NEVER_MADE = "tr_" + "0" * 32


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.long)])


async def at_once(case: Case, keys: Sequence[str | None], rooms: Sequence[str]) -> list[Requested | BaseException]:
    """Requests with these keys for these rooms, all at once; what each comes to."""
    requests = (case.request(key, room_url=room_url) for key, room_url in zip(keys, rooms, strict=True))
    return await asyncio.gather(*requests, return_exceptions=True)


async def end_all(case: Case) -> None:
    for transfer_id in list(case.latest):
        await case.coordinator.cancel(transfer_id)


async def until_dialled(case: Case, times: int) -> None:
    await case.carrier.until(lambda carrier: len(carrier.dials) == times)


def taken(results: Sequence[Requested | BaseException]) -> list[Requested]:
    return [result for result in results if isinstance(result, Requested)]


# One dial


@rounds(200, 1000)
async def test_f34_eight_requests_of_one_key_at_once_dial_once(store_url: str, rounds: int) -> None:
    async with coordinated(store_url) as case:
        for number in range(rounds):
            results = taken(await at_once(case, [f"call-{number}"] * 8, [f"{ROOM}{number}"] * 8))
            assert len(results) == 8
            assert sorted(result.is_replay for result in results) == [False] + [True] * 7
            assert len({result.transfer.transfer_id for result in results}) == 1
            await until_dialled(case, number + 1)
            await case.coordinator.cancel(results[0].transfer.transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert len(case.carrier.dials) == rounds


@rounds(50, 500)
async def test_f34_two_keys_that_race_for_one_room_dial_once(store_url: str, rounds: int) -> None:
    async with coordinated(store_url) as case:
        for number in range(rounds):
            results = await at_once(case, [f"a-{number}", f"b-{number}", None], [f"{ROOM}{number}"] * 3)
            (winner,) = taken(results)
            conflicts = [result for result in results if isinstance(result, TransferConflict)]
            assert [conflict.transfer_id for conflict in conflicts] == [winner.transfer.transfer_id] * 2
            await until_dialled(case, number + 1)
            await case.coordinator.cancel(winner.transfer.transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert len(case.carrier.dials) == rounds


@pytest.mark.parametrize("state", ROADS)
async def test_f34_a_room_with_a_live_transfer_is_refused_with_its_id(store_url: str, state: State) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        with pytest.raises(TransferConflict) as conflict:
            await case.request("another")
        assert conflict.value.transfer_id == transfer_id
        await case.reach(state, room_url=OTHER_ROOM)
        await end_all(case)


async def test_f34_a_room_is_free_when_its_transfer_is_through(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await case.coordinator.cancel(transfer_id)
        await case.coordinator.shut_down(drain_timeout_s=0)
        successor = new_transfer().transfer_id
        assert await case.store.claim_room(digest(ROOM), transfer_id=successor, ttl_s=60.0) == successor


async def test_f34_a_request_that_comes_again_is_answered_as_the_first_time(store_url: str) -> None:
    async with coordinated(store_url) as case:
        first = await case.request("k")
        transfer_id = first.transfer.transfer_id
        await case.until_state(transfer_id, State.DIALING)
        again = await case.request("k")
        assert (first.is_replay, again.is_replay, again.transfer) == (False, True, first.transfer)
        await case.coordinator.cancel(transfer_id)
        assert (await case.request("k")).transfer == first.transfer
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert len(case.carrier.dials) <= 1


async def test_f34_a_key_with_another_request_is_refused(store_url: str) -> None:
    async with coordinated(store_url) as case:
        await case.request("k", "one")
        with pytest.raises(RequestMismatch):
            await case.request("k", "another", room_url=OTHER_ROOM)
        await end_all(case)


async def test_f34_a_request_that_fails_gives_back_all_it_took(store_url: str) -> None:
    settings = CoordinatorSettings(max_transfers=1)
    async with coordinated(store_url, settings) as case:
        case.bridges.refusal = Overloaded("no bridge", retry_after_s=1)
        for _ in range(3):
            with pytest.raises(Overloaded, match="no bridge"):
                await case.request("k")
            assert case.coordinator.live_count == 0
        case.bridges.refusal = None
        assert not (await case.request("k", "another fingerprint")).is_replay
        await end_all(case)


async def test_f34_of_requests_that_wait_for_one_that_fails_one_dials(store_url: str) -> None:
    async with coordinated(store_url, CoordinatorSettings(max_transfers=1)) as case:
        blocker = await case.begin(room_url=OTHER_ROOM)
        refused = await at_once(case, ["k"] * 8, [ROOM] * 8)
        assert all(isinstance(result, Overloaded) for result in refused)
        await case.coordinator.cancel(blocker)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        await turn_until(lambda: case.coordinator.live_count == 0)
        assert len(taken(await at_once(case, ["k"] * 8, [ROOM] * 8))) == 8
        await end_all(case)


# Admission


async def test_no_more_transfers_than_places(store_url: str) -> None:
    async with coordinated(store_url, CoordinatorSettings(max_transfers=2)) as case:
        results = await at_once(case, [None] * 5, [f"{ROOM}{number}" for number in range(5)])
        assert len(taken(results)) == case.coordinator.live_count == len(case.bridges.made) == 2
        assert sum(isinstance(result, Overloaded) and not result.is_allowance for result in results) == 3
        await end_all(case)


async def test_no_more_phones_that_ring_on_than_there_are_places(store_url: str) -> None:
    """Who asks and cancels in a loop must not make a phone ring many times at once, where nobody can stop it."""
    async with coordinated(store_url, CoordinatorSettings(max_transfers=2)) as case:
        case.carrier.stops_ringing = False
        case.carrier.failing_hang_ups = 100
        canceled = []
        for number in range(4):
            canceled.append(await case.begin(room_url=f"{ROOM}{number}"))
            await case.coordinator.cancel(canceled[-1])
            await turn_until(lambda: case.coordinator.live_count == 0)
        with pytest.raises(Overloaded, match="phones may still ring") as refused:
            await case.request()
        assert not refused.value.is_allowance
        assert len(case.carrier.alive) == 4
        case.carrier.failing_hang_ups = 0
        await case.report(canceled[0], PhoneEnded(Reason.NO_ANSWER))
        case.carrier.end(case.call_of(canceled[0]))
        await turn_until(lambda: len(case.coordinator._live) == 3)
        await case.request()
        await end_all(case)


async def test_no_more_transfers_than_a_caller_may_ask_for(store_url: str) -> None:
    async with coordinated(store_url, CoordinatorSettings(transfers_per_minute=2)) as case:
        results = await at_once(case, [None] * 3, [f"{ROOM}{number}" for number in range(3)])
        (refusal,) = [result for result in results if isinstance(result, Overloaded)]
        assert refusal.is_allowance
        assert len(case.bridges.made) == 2, "no process is used up for who is refused"
        assert 0 < refusal.retry_after_s <= 60
        await case.coordinator.request(order_for(OTHER_ROOM), Caller(allowance="another"))
        await end_all(case)


async def test_what_is_refused_takes_nothing_from_what_a_caller_may_ask_for(store_url: str) -> None:
    async with coordinated(store_url, CoordinatorSettings(transfers_per_minute=1)) as case:
        case.bridges.refusal = Overloaded("no bridge", retry_after_s=5)
        with pytest.raises(Overloaded, match="no bridge"):
            await case.request()
        case.bridges.refusal = None
        await case.request()
        await end_all(case)


async def test_what_is_told_of_a_transfer_is_what_was_asked_for_and_no_number(store_url: str) -> None:
    async with coordinated(store_url) as case:
        order = order_for(destination="billing", customer_id="c", bot_id="b", metadata={"ticket": "17"})
        caller = Caller(allowance="bot", request=RequestKey(key="k", fingerprint="f"))
        transfer = (await case.coordinator.request(order, caller)).transfer
        assert (transfer.destination, transfer.customer_id, transfer.bot_id) == ("billing", "c", "b")
        assert (transfer.metadata, transfer.to_masked, transfer.owner) == ({"ticket": "17"}, "+*********23", "n1")
        assert order.to not in repr(transfer)
        assert case.carrier.dials == [] or case.carrier.dials[0].to == order.to
        await end_all(case)


# Media


async def test_a_socket_goes_to_its_bridge_and_is_closed_when_there_is_none(store_url: str) -> None:
    ours, carriers = socket.socketpair()
    with ours, carriers:
        async with coordinated(store_url) as case:
            transfer_id = await case.reach(State.ANSWERED)
            case.coordinator.hand_over(transfer_id, MediaSocket(os.dup(ours.fileno()), b"", "twilio"))
            assert len(case.bridge(transfer_id).handed) == 1
            await case.coordinator.cancel(transfer_id)
            for late in (transfer_id, NEVER_MADE):
                descriptor = os.dup(ours.fileno())
                case.coordinator.hand_over(late, MediaSocket(descriptor, b"", "twilio"))
                with pytest.raises(OSError, match="Bad file descriptor"):
                    os.fstat(descriptor)


async def test_t1_a_token_opens_its_own_transfer_on_its_own_carrier_once(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id, other = await case.reach(State.RINGING), await case.reach(State.RINGING, room_url=OTHER_ROOM)
        grant = await case.answer(transfer_id)
        assert grant is not None
        assert not await case.coordinator.admits(other, "twilio", grant.token)
        assert not await case.coordinator.admits(transfer_id, "plivo", grant.token)
        assert not await case.coordinator.admits(NEVER_MADE, "twilio", grant.token)
        attempts = await asyncio.gather(*(case.admits(transfer_id, grant) for _ in range(50)))
        assert sum(attempts) == 1
        await end_all(case)
        assert not await case.admits(transfer_id, grant)


async def test_what_the_agent_is_to_hear_is_said_before_the_first_stream_only(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING, say="Press 1.")
        first = await case.answer(transfer_id)
        assert await case.admits(transfer_id, first)
        case.bridge(transfer_id).connect("CA1")
        await case.until_state(transfer_id, State.JOINED)
        second = await case.answer(transfer_id, 1)
        assert first is not None
        assert second is not None
        assert (first.say, second.say) == ("Press 1.", None)
        assert first.token not in repr(first)
        await end_all(case)
