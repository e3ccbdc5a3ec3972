"""Nodes on one store: what one that is dead has left is ended by another, and nothing of one that is alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from relay.transfers.late_calls import LateCalls
from relay.transfers.leases import LEASE_S
from relay.transfers.lines import Command
from relay.transfers.orphans import Orphans
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import DialOrder
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from relay.transfers.sweep import BEAT_S, LOOK_S, Sweep
from tests.transfers.clock import ManualClock
from tests.transfers.coordinated import came_to, check_replay, turn_until
from tests.transfers.redis_servers import RedisServer
from tests.transfers.simulated import SimulatedCarrier
from tests.transfers.stores import OpenStore, key_of, new_transfer, raw, shortest_way, stored_in

ORDER = DialOrder("tr_1", "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False)
DEAD = "node-1"
"""Who owns what ``stored_in`` makes. It has never beaten."""


class Node:
    """What of a node beats and sweeps. It counts its questions about leases, and how often it looked after its own."""

    def __init__(self, store: TransferStore, carrier: SimulatedCarrier, node_id: str) -> None:
        self.store = store
        self.told: list[Transfer] = []
        self.clock = ManualClock()
        self.looks = 0
        self.questions: list[Sequence[Command]] = []
        self._ask = store.leases._ask
        store.leases._ask = self._count
        call_later = self.clock.call_later
        self.late = LateCalls({"twilio": carrier}, call_later=call_later)
        self.orphans = Orphans(
            store,
            self.late,
            node_id=node_id,
            is_live=lambda _: False,
            is_owned=lambda _provider, _call_id: False,
            is_in_doubt=lambda: self.sweep.is_in_doubt,
            on_change=self.told.append,
            call_later=call_later,
        )
        self.sweep = Sweep(
            store, self.orphans, node_id=node_id, look_after_own=self._look_after_own, call_later=call_later
        )

    @property
    def beats_so_far(self) -> int:
        return sum(question[0][0] == "SET" for question in self.questions)

    async def _count(self, commands: Sequence[Command]) -> list[Any]:
        self.questions.append(commands)
        return await self._ask(commands)

    async def _look_after_own(self) -> None:
        self.looks += 1

    async def until_beaten(self, pause_s: float) -> None:
        """It has beaten, and done all that it has to do until it beats again after so long."""
        await self.clock.until_pause(pause_s)
        while work := list(self.sweep._work.values()):
            await asyncio.wait(work)

    async def beats(self, pause_s: float) -> None:
        """Its next beat, and all that follows."""
        await self.until_beaten(pause_s)
        self.clock.advance(pause_s)
        await turn_until(lambda: bool(self.clock.delays_s))
        await self.until_beaten(self.clock.delays_s[0])

    async def beats_for(self, duration_s: float) -> None:
        """All its beats within so long."""
        while duration_s > 0:
            duration_s -= self.clock.delays_s[0]
            await self.beats(self.clock.delays_s[0])


@asynccontextmanager
async def node_on(
    open_store: OpenStore, carrier: SimulatedCarrier | None = None, node_id: str = "n1"
) -> AsyncIterator[Node]:
    async with open_store() as store:
        node = Node(store, carrier or SimulatedCarrier(), node_id)
        try:
            yield node
        finally:
            await node.sweep.stop()
        assert node.clock.delays_s == []


async def left_in(
    store: TransferStore, state: State, carrier: SimulatedCarrier, call_id: str, *, owner: str = DEAD
) -> Transfer:
    """A transfer with a call that is alive."""
    transfer_id = (await store.create(new_transfer(owner=owner))).transfer_id
    carrier.alive[call_id] = ORDER
    for event in shortest_way(state):
        await store.apply(transfer_id, event, epoch=1)
        if event is Event.DIALED:
            await store.apply(transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": call_id})
    return await stored(store, transfer_id)


async def stored(store: TransferStore, transfer_id: str) -> Transfer:
    transfer = await store.get(transfer_id)
    assert transfer is not None
    return transfer


async def test_f30_what_a_dead_node_has_left_is_taken_over_ended_and_hung_up(open_store: OpenStore) -> None:
    carrier = SimulatedCarrier()
    async with node_on(open_store, carrier) as node:
        store = node.store
        left = [await left_in(store, State.RINGING, carrier, "CA0"), await left_in(store, State.JOINED, carrier, "CA1")]
        undialled, over = await stored_in(store, State.REQUESTED), await stored_in(store, State.CANCELED)
        node.sweep.start()
        await node.beats(LOOK_S)
        assert carrier.alive == {}
        for before in (*left, undialled):
            after = await stored(store, before.transfer_id)
            ended = State.DISCONNECTED if before.state is State.JOINED else State.FAILED
            assert (*came_to(after), after.epoch) == (ended, Reason.NODE_LOST, before.epoch + 1)
            check_replay(after, await store.events(before.transfer_id))
        assert await stored(store, over.transfer_id) == over
        assert len(node.told) == 3
        assert await store.leases.in_hand(DEAD) == []
        await node.beats(LOOK_S)
        assert node.clock.delays_s == [BEAT_S], "it is alone"


async def test_f30_a_node_that_has_a_lease_is_left_alone_until_it_has_none(open_store: OpenStore, prefix: str) -> None:
    carrier = SimulatedCarrier()
    async with node_on(open_store, carrier) as node:
        live = await left_in(node.store, State.JOINED, carrier, "CA1")
        await raw(node.store, "SET", f"{prefix}:lease:{DEAD}", 1)
        node.sweep.start()
        for _ in range(20):
            await node.beats(LOOK_S)
        assert await stored(node.store, live.transfer_id) == live
        await node.store.leases.end(DEAD)
        await node.beats(LOOK_S)
        assert await stored(node.store, live.transfer_id) == live, "to look once says too little"
        await node.beats(LOOK_S)
        assert came_to(await stored(node.store, live.transfer_id)) == (State.DISCONNECTED, Reason.NODE_LOST)
        assert carrier.hang_ups == ["CA1"]


async def test_f30_a_phone_outlives_its_transfer_only_until_another_node_looks(open_store: OpenStore) -> None:
    """Its node was killed when it had written the end, and before the carrier had confirmed that it hung up."""
    carrier = SimulatedCarrier()
    async with node_on(open_store, carrier) as node:
        over = await left_in(node.store, State.DISCONNECTED, carrier, "CA1")
        node.sweep.start()
        await node.beats(LOOK_S)
        assert carrier.alive == {}
        assert (await stored(node.store, over.transfer_id), node.told) == (over, [])
        assert await node.store.leases.in_hand(DEAD) == []


async def test_f30_two_nodes_that_sweep_at_once_end_a_transfer_once(open_store: OpenStore) -> None:
    carrier = SimulatedCarrier()
    async with node_on(open_store, carrier) as first, node_on(open_store, carrier, "n2") as second:
        left = [await left_in(first.store, State.JOINED, carrier, f"CA{number}") for number in range(20)]
        for node in (first, second):
            node.sweep.start()
            await node.until_beaten(LOOK_S)
        for node in (first, second):
            await node.beats(LOOK_S)
        assert carrier.alive == {}
        assert sorted(each.transfer_id for each in first.told + second.told) == [each.transfer_id for each in left]
        for each in left:
            after = await stored(first.store, each.transfer_id)
            assert (after.version, after.epoch) == (each.version + 1, each.epoch + 1)


async def test_a_node_that_is_alone_asks_one_question_a_second_however_many_transfers_there_are(
    open_store: OpenStore,
) -> None:
    async with node_on(open_store) as node:
        for _ in range(50):
            await node.store.create(new_transfer(owner="n1"))
        node.sweep.start()
        await node.until_beaten(BEAT_S)
        for _ in range(3):
            await node.beats(BEAT_S)
        assert [[command[0] for command in question] for question in node.questions] == 4 * [
            ["SET", "SADD", "SMEMBERS"]
        ]
        assert len(await node.store.leases.in_hand("n1")) == 50


async def test_it_beats_on_while_a_carrier_does_not_hang_up(open_store: OpenStore) -> None:
    carrier = SimulatedCarrier()
    carrier.failing_hang_ups = len(ASK_AGAIN_S) + 1
    carrier.may_hang_up.clear()
    async with node_on(open_store, carrier) as node:
        await left_in(node.store, State.RINGING, carrier, "CA1")
        node.sweep.start()
        await node.until_beaten(LOOK_S)
        await node.clock.pass_pause(LOOK_S)
        await carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        for beats in range(2, 5):
            await turn_until(lambda beats=beats: node.beats_so_far == beats)  # type: ignore[misc]  # this very one
            await node.clock.pass_pause(LOOK_S)
        assert len(await node.store.leases.in_hand(DEAD)) == 1
        carrier.may_hang_up.set()
        await node.clock.run(node.sweep._work[DEAD], [LOOK_S, *ASK_AGAIN_S])
        assert await node.store.leases.in_hand(DEAD) == [], "it is given up, loudly, and not begun anew"
        assert carrier.hang_ups == (len(ASK_AGAIN_S) + 1) * ["CA1"]


async def test_what_no_relay_has_written_is_left_alone_and_keeps_nobody_from_the_rest(open_store: OpenStore) -> None:
    carrier = SimulatedCarrier()
    with structlog.testing.capture_logs() as logs:
        async with node_on(open_store, carrier) as node:
            left = [await left_in(node.store, State.RINGING, carrier, f"CA{number}") for number in range(4)]
            keys = [key_of(node.store, each.transfer_id) for each in left]
            await raw(node.store, "HSET", keys[0], "schema", "99")
            await raw(node.store, "DEL", keys[1])
            await raw(node.store, "DEL", f"{keys[2]}:events")
            await raw(node.store, "SET", f"{keys[2]}:events", "garbage")  # T19: it cannot be written any more
            node.sweep.start()
            await node.beats(LOOK_S)
            assert sorted(carrier.alive) == ["CA0", "CA1"]
            assert (ended := await node.store.get(left[3].transfer_id)) is not None
            assert ended.reason is Reason.NODE_LOST
            assert await node.store.leases.in_hand(DEAD) == []
    told = {log["event"] for log in logs if log["log_level"] in ("warning", "error") and "transfer_id" in log}
    assert {"transfer_unreadable", "lost_transfer_not_ended"} <= told


async def test_a_store_that_does_not_let_it_beat_is_told_once(open_store: OpenStore, prefix: str) -> None:
    with structlog.testing.capture_logs() as logs:
        async with node_on(open_store) as node:
            await raw(node.store, "SET", f"{prefix}:nodes", "garbage")
            node.sweep.start()
            for _ in range(3):
                await node.beats(LOOK_S)
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["lease_refused"]


# Leases that ran out though nobody died


async def test_who_finds_its_lease_run_out_looks_after_its_own_and_takes_nobody_for_dead(open_store: OpenStore) -> None:
    """The machine, or the store, stood still: others may not have had the time to renew theirs either."""
    with structlog.testing.capture_logs() as logs:
        async with node_on(open_store) as node:
            node.sweep.start()
            await node.until_beaten(BEAT_S)
            assert node.looks == 0, "it begins"
            await node.store.leases.end("n1")
            other = await stored_in(node.store, State.JOINED)
            await node.beats(BEAT_S)
            assert node.looks == 1
            await node.beats_for(LEASE_S - LOOK_S)
            assert await stored(node.store, other.transfer_id) == other
            await node.beats(LOOK_S)
            assert (await stored(node.store, other.transfer_id)).is_terminal
            assert node.looks == 1
    assert [log["event"] for log in logs].count("lease_interrupted") == 1


@pytest.mark.parametrize("is_new", [False, True])
async def test_f24_who_could_not_reach_the_store_looks_when_it_is_back_and_takes_nobody_for_dead(
    own_server: RedisServer,
    is_new: bool,  # noqa: FBT001
) -> None:
    async with node_on(OpenStore(own_server.url, "relay")) as node:
        other = await stored_in(node.store, State.JOINED)
        await raw(node.store, "SET", f"relay:lease:{DEAD}", 1)
        if not is_new:
            node.sweep.start()
            await node.until_beaten(LOOK_S)
        own_server.kill()
        if is_new:
            node.sweep.start()
            await node.until_beaten(LOOK_S)
        else:
            await node.beats(LOOK_S)
        assert not node.store.is_available
        own_server.start()
        await raw(node.store, "DEL", f"relay:lease:{DEAD}")
        await node.beats(LOOK_S)
        assert node.looks == 1
        await node.beats_for(LEASE_S - LOOK_S)
        assert await stored(node.store, other.transfer_id) == other
        await node.beats(LOOK_S)
        assert (await stored(node.store, other.transfer_id)).is_terminal


async def test_a_sweep_that_the_store_interrupts_is_taken_up_again(own_server: RedisServer) -> None:
    carrier = SimulatedCarrier()
    async with node_on(OpenStore(own_server.url, "relay"), carrier) as node:
        left = await left_in(node.store, State.RINGING, carrier, "CA1")
        carrier.may_hang_up.clear()
        node.sweep.start()
        await node.until_beaten(LOOK_S)
        await node.clock.pass_pause(LOOK_S)
        await carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
        own_server.kill()
        carrier.may_hang_up.set()
        await node.until_beaten(LOOK_S)
        own_server.start()
        assert await node.store.leases.in_hand(DEAD) == [left.transfer_id]
        await node.beats(LOOK_S)
        await node.beats(LOOK_S)
        assert await node.store.leases.in_hand(DEAD) == []
        assert carrier.hang_ups == 2 * ["CA1"]


# The end


async def test_a_node_that_stops_has_no_lease_and_leaves_the_rest_to_others(open_store: OpenStore) -> None:
    async with node_on(open_store) as node:
        node.sweep.start()
        await node.until_beaten(BEAT_S)
        assert await node.store.leases.dead(["n1"]) == []
        other = await stored_in(node.store, State.JOINED)
        node.sweep.sweep_no_more()
        await node.beats(BEAT_S)
        assert await stored(node.store, other.transfer_id) == other
        stopping = asyncio.create_task(node.sweep.stop())
        await node.sweep.stop()  # whoever asks meanwhile is not told before it is done
        assert await node.store.leases.dead(["n1"]) == ["n1"]
        await stopping


async def test_a_node_stops_though_the_store_is_away(open_store: OpenStore) -> None:
    async with node_on(open_store) as node:
        node.sweep.start()
        await node.until_beaten(BEAT_S)
        await node.store.close()
        await node.sweep.stop()
