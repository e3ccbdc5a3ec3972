"""The store goes away under transfers that live: the calls do not notice, and the record is right afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis

from relay.errors import StoreUnavailable
from relay.transfers.coordinator import WRITE_MAX_S
from relay.transfers.ledger import REFUSALS_MAX, RETRY_S
from relay.transfers.ports import MediaBack, MediaLost, PhoneAnswered, PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.sweep import BEAT_S, LOOK_S
from tests.transfers.coordinated import Case, came_to, coordinated, turn_until
from tests.transfers.redis_servers import RedisServer, server_binaries
from tests.transfers.stores import key_of, raw


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Valkey of the test's own: that every kind of server is the same to the store is shown by the store's tests."""
    valkey = RedisServer(server_binaries()["valkey"], keeps=True)
    valkey.start()
    yield valkey
    valkey.remove()


async def come_back(case: Case, server: RedisServer) -> None:
    """The server is there again, and what was kept is written."""
    await case.clock.until_pause(RETRY_S)
    server.start()
    case.clock.advance(RETRY_S)


async def test_f24_a_phone_is_hung_up_at_once_while_the_store_is_down(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.RINGING)
        grant = await case.answer(transfer_id)
        server.kill()
        transfer = await case.coordinator.cancel(transfer_id)
        assert not await case.admits(transfer_id, grant), "no stream is let in, whatever the store says"
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        await turn_until(lambda: case.coordinator.live_count == 0)  # it holds no place, though its end is not written
        await come_back(case, server)
        assert came_to(await case.stored_end(transfer_id)) == came_to(transfer)


async def test_f24_what_happens_meanwhile_is_written_in_its_order(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.JOINED)
        server.kill()
        case.bridge(transfer_id).emit(MediaLost("reset"))
        await case.until(lambda: case.latest[transfer_id].reconnecting, "the loss")
        await case.clock.until_pause(RETRY_S)
        server.start()  # what happens from here on still goes behind what waits
        case.bridge(transfer_id).emit(MediaBack())
        await case.until(lambda: not case.latest[transfer_id].reconnecting, "the return")
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP, "0"))
        told = await case.ended(transfer_id)
        case.clock.advance(RETRY_S)
        stored = await case.stored_end(transfer_id)
        assert came_to(stored) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        assert (told.version, told.provider_code, told.reconnecting) == (stored.version, "0", False)
        assert (await case.log_of(transfer_id))[-3:] == [Event.MEDIA_LOST, Event.MEDIA_BACK, Event.ENDED]


async def test_f24_a_call_id_learnt_while_the_store_is_down_is_written_once(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        case.carrier.may_dial.clear()
        transfer_id = await case.begin()
        await case.until_state(transfer_id, State.DIALING)
        server.kill()
        await case.report(transfer_id, PhoneRang())
        await case.report(transfer_id, PhoneAnswered())
        case.carrier.may_dial.set()
        await case.until_state(transfer_id, State.ANSWERED)
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        await case.ended(transfer_id)
        await come_back(case, server)
        assert (await case.stored_end(transfer_id)).provider_call_id == "CA1"
        assert (await case.log_of(transfer_id)).count(Event.PLACED) == 1


async def test_a_transfer_whose_streams_token_could_not_be_stored_is_not_dialled(server: RedisServer) -> None:
    """The store dies between the dial's entry and the token that the dial must have."""
    async with coordinated(server.url) as case:

        def kill(transfer: Transfer) -> None:
            if transfer.state is State.DIALING:
                server.kill()

        case.at_change = kill
        case.carrier.opens_stream_at_dial, case.carrier.reopens_stream = True, False
        transfer_id = (await case.request()).transfer.transfer_id
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.INTERNAL_ERROR)
        assert (case.carrier.dials, case.logged("token_not_minted")) == ([], 1)
        await come_back(case, server)
        await case.stored_end(transfer_id)


@pytest.mark.long
async def test_f25_a_store_that_only_hangs_keeps_no_phone_and_gets_every_event_once(server: RedisServer) -> None:
    """It does take what it was sent, but only after it was given up, and sent again."""
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.JOINED)
        with server.frozen():
            case.bridge(transfer_id).emit(MediaLost("reset"))
            transfer = await case.coordinator.cancel(transfer_id)
            await case.carrier.until(lambda carrier: carrier.alive == {})
            await case.clock.until_pause(RETRY_S)
        case.clock.advance(RETRY_S)
        assert transfer is not None
        assert came_to(await case.stored_end(transfer_id)) == came_to(transfer)
        assert (await case.log_of(transfer_id))[-2:] == [Event.MEDIA_LOST, Event.STOPPED]
        assert (await case.log_of(transfer_id)).count(Event.MEDIA_LOST) == 1


async def test_a_transfer_whose_dial_could_not_be_written_down_is_not_dialled(server: RedisServer) -> None:
    """The store dies between the record and the dial: whoever finds the record may trust that nothing rang."""
    async with coordinated(server.url) as case:

        def kill(transfer: Transfer) -> None:
            if transfer.state is State.REQUESTED:
                server.kill()

        case.at_change = kill
        transfer_id = (await case.request()).transfer.transfer_id
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.INTERNAL_ERROR)
        await come_back(case, server)
        await case.stored_end(transfer_id)
        assert case.carrier.dials == []
        assert await case.log_of(transfer_id) == [None, Event.ENDED]


async def test_nothing_is_dialled_when_the_store_has_lost_the_new_transfer(store_url: str) -> None:
    async with coordinated(store_url) as case:

        def lose(transfer: Transfer) -> None:
            if transfer.state is State.REQUESTED:
                with redis.Redis.from_url(store_url) as client:
                    client.delete(key_of(case.store, transfer.transfer_id))

        case.at_change = lose
        transfer_id = (await case.request()).transfer.transfer_id
        case.lost.add(transfer_id)
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.INTERNAL_ERROR)
        assert case.carrier.dials == []


async def test_no_transfer_is_made_while_the_store_is_down(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        server.kill()
        with pytest.raises(StoreUnavailable):
            await case.request(key="k")
        assert (case.carrier.dials, case.bridges.made, case.coordinator.live_count) == ([], [], 0)
        server.start()
        assert not (await case.request(key="k")).is_replay
        await case.coordinator.cancel(next(iter(case.latest)))


async def test_an_answer_while_the_store_is_down_gets_no_token(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.RINGING)
        server.kill()
        assert await case.answer(transfer_id) is None
        assert came_to(await case.ended(transfer_id)) == (State.FAILED, Reason.INTERNAL_ERROR)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        await come_back(case, server)
        await case.stored_end(transfer_id)


# Another owner


async def test_a_transfer_that_another_owns_ends_here_and_nothing_more_is_written(store_url: str) -> None:
    """F31: a node that was frozen wakes up, and finds that its transfer has been taken from it."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        case.lost.add(transfer_id)
        await raw(case.store, "HSET", key_of(case.store, transfer_id), "epoch", 2)
        before = await case.store.get(transfer_id), await case.store.events(transfer_id)
        await case.report(transfer_id, PhoneAnswered())
        await case.bridges.until(lambda bridges: bridges.last.released is Reason.NODE_LOST)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert (await case.store.get(transfer_id), await case.store.events(transfer_id)) == before


@pytest.mark.parametrize("state", [State.RINGING, State.JOINED])
async def test_f31_a_node_whose_lease_ran_out_takes_down_what_another_has_ended(store_url: str, state: State) -> None:
    """It has nothing to write, and the carrier says nothing: it finds out when it beats again."""
    async with coordinated(store_url) as case:
        case.coordinator.recover()
        transfer_id = await case.reach(state)
        case.lost.add(transfer_id)
        await case.clock.until_pause(BEAT_S)
        await case.store.leases.end("n1")  # it was frozen for as long as that
        transfer = await case.store.get(transfer_id)
        assert transfer is not None
        await case.store.apply(transfer_id, Event.ENDED, epoch=1, reason=Reason.NODE_LOST, takes_over=True)
        before = await case.store.get(transfer_id), await case.store.events(transfer_id)
        await case.clock.pass_pause(BEAT_S)
        await case.bridges.until(lambda bridges: bridges.last.released is Reason.NODE_LOST)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        await case.coordinator.shut_down(drain_timeout_s=0)
        assert (await case.store.get(transfer_id), await case.store.events(transfer_id)) == before
        assert (case.logged("lease_interrupted"), case.logged("transfer_not_ours")) == (1, 1)
        assert await case.store.leases.in_hand("n1") == []


async def test_f24_a_node_whose_lease_ran_out_while_the_store_was_down_keeps_what_nobody_took(
    server: RedisServer,
) -> None:
    async with coordinated(server.url) as case:
        case.coordinator.recover()
        transfer_id = await case.reach(State.JOINED)
        await case.clock.until_pause(BEAT_S)
        server.kill()
        await case.clock.pass_pause(BEAT_S)
        for _ in range(3):
            await case.clock.pass_pause(LOOK_S)
        await case.clock.until_pause(LOOK_S)
        server.start()
        await case.store.leases.end("n1")
        await case.clock.pass_pause(LOOK_S)
        await case.clock.until_pause(BEAT_S)
        await turn_until(lambda: not case.coordinator._sweep._work)
        assert (case.logged("lease_interrupted"), case.logged("transfer_not_ours")) == (1, 0)
        assert list(case.carrier.alive) == ["CA1"]
        await case.hang_up_phone(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        assert came_to(await case.stored_end(transfer_id)) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_a_transfer_that_another_owns_is_canceled_all_the_same(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.RINGING)
        await raw(case.store, "HSET", key_of(case.store, transfer_id), "epoch", 2)
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.CANCELED, Reason.CANCELED_BY_API)


async def test_a_transfer_that_another_has_ended_ends_here(store_url: str) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.lost.add(transfer_id)
        await case.store.apply(transfer_id, Event.ENDED, epoch=1, reason=Reason.NODE_LOST)
        case.bridge(transfer_id).emit(MediaLost("reset"))
        await case.bridges.until(lambda bridges: bridges.last.released is Reason.NODE_LOST)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        transfer = await case.coordinator.cancel(transfer_id)
        assert transfer is not None
        assert came_to(transfer) == (State.DISCONNECTED, Reason.NODE_LOST)


# The end of the service


async def test_a_service_that_ends_does_not_wait_for_ever_for_its_store(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.lost.add(transfer_id)
        server.kill()
        shutting_down = asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=0))
        await case.clock.until_pause(RETRY_S)
        await case.carrier.until(lambda carrier: carrier.alive == {})
        case.clock.advance(WRITE_MAX_S)
        await shutting_down
        assert case.logged("events_lost") == 1
        server.start()
        assert (await case.store.get(transfer_id)) is not None
        assert await case.store.leases.in_hand("n1") == [transfer_id], "the next node ends it"


async def test_the_end_waits_for_a_call_that_turned_up_while_the_store_was_away(server: RedisServer) -> None:
    async with coordinated(server.url) as case:
        transfer_id = await case.reach(State.RINGING)
        server.kill()
        await case.coordinator.cancel(transfer_id)
        await case.clock.until_pause(RETRY_S)
        case.carrier.may_hang_up.clear()
        case.carrier.alive["CA2"] = case.carrier.dials[0]
        await case.report(transfer_id, PhoneRang(), call_id="CA2")
        await come_back(case, server)
        await case.stored_end(transfer_id)
        ending = asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=0))
        done, _ = await asyncio.wait([ending], timeout=0.2)
        assert not done
        case.carrier.may_hang_up.set()
        await ending
        assert case.carrier.alive == {}


async def test_a_record_that_cannot_be_written_any_more_is_given_up(store_url: str) -> None:
    """T19: somebody has put something else where the record was. The call goes on; writing is not tried for ever."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(State.JOINED)
        case.lost.add(transfer_id)
        await raw(case.store, "SET", key_of(case.store, transfer_id), "garbage")
        case.bridge(transfer_id).emit(MediaLost("reset"))
        await case.until(lambda: case.latest[transfer_id].reconnecting, "reconnecting")
        for _ in range(REFUSALS_MAX - 1):
            await case.clock.pass_pause(RETRY_S)
        await turn_until(lambda: case.logged("events_lost") == 1)
        assert list(case.carrier.alive) == ["CA1"]
        shutting_down = asyncio.create_task(case.coordinator.shut_down(drain_timeout_s=0))
        await case.clock.until_pause(RETRY_S)
        case.clock.advance(WRITE_MAX_S)
        await shutting_down
        assert await case.store.leases.in_hand("n1") == [transfer_id]
