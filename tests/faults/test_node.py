"""A node that is asked to stop, killed or frozen, as a process, and others on its keys: rows F29, F30 and F31."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.dev.person import Person
from relay.media.tones import NOTICE_DBFS
from relay.transfers.leases import LEASE_S
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.process import ServiceProcess
from tests.faults.ears import Stopwatch, notice_dbfs, until_heard_at_phone, until_heard_in_room
from tests.faults.node import Node
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, CUSTOMER_HZ, CUSTOMER_SAYS, ROOM, SHARED

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
RINGS = "+14155550124"
SCRIPT = {RINGS: Outcome(callee=Rings())}
"""Others speak."""
RING_S = 120
"""A machine that has much else to do takes its time to start a service."""
GONE_S = 2.0
SWEPT_S = LEASE_S + 1.0
"""After its death a node's lease lasts for 2 to 3 s; then another looks within half of one."""
NOBODY_ANSWERS = {"answer in-progress", "status completed"}
"""The carrier asks what is next when its stream is closed, and there is no service that could say so."""


def script_of(number: str) -> Outcome:
    return SCRIPT.get(number, SPEAKS)


async def one_of_each(node: Node) -> tuple[str, str]:
    """A call in which both talk, and a phone that rings."""
    joined = (await node.on_call()).transfer_id
    ringing = await node.ask(room="green", to=RINGS, ring_timeout_s=RING_S)
    await node.until(ringing, State.RINGING)
    return joined, ringing


# --- F29: SIGTERM ---


@pytest.mark.long
async def test_f29_live_call_goes_on_to_its_end_while_nothing_new_is_taken(store_url: str) -> None:
    async with Node(store_url, script_of, drain_timeout_s=30) as node:
        joined, ringing = await one_of_each(node)
        node.send(signal.SIGTERM)
        view = await node.ended(ringing, State.FAILED, Reason.NODE_SHUTDOWN, within_s=2)
        assert view.retryable
        await node.carrier.calls[1].until(lambda call: not call.is_live, "hung up", timeout_s=1)
        status, parts = await node.readiness()
        assert (status, parts["open"]) == (503, False)
        assert await node.refusal() == (503, "urn:relay:problem:shutting-down")
        assert (await node.relay.get(joined)).state is State.JOINED
        await until_heard_in_room(node.customer, AGENT_HZ)
        await until_heard_at_phone(await node.carrier.calls[0].until_phone(), CUSTOMER_HZ)
        (await node.carrier.calls[0].until_phone()).stop()
        assert await node.exited(within_s=10) == 0
        transfer = await node.store.get(joined)
        assert transfer is not None
        assert (transfer.state, transfer.reason) == (State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f29_call_that_outlasts_the_wait_is_ended_and_the_process_exits(store_url: str) -> None:
    async with Node(store_url, script_of, drain_timeout_s=1) as node:
        on = await node.on_call()
        stopping = Stopwatch()
        node.send(signal.SIGTERM)
        await node.ended(on.transfer_id, State.DISCONNECTED, Reason.NODE_SHUTDOWN)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert 1000 < stopping.hung_up_ms(on.call) < 3000
        assert await node.exited(within_s=10) == 0
        assert notice_dbfs(on.phone.heard.since(stopping.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)


@pytest.mark.long
async def test_f29_second_signal_ends_what_is_left_at_once(store_url: str) -> None:
    async with Node(store_url, script_of, drain_timeout_s=30) as node:
        joined, ringing = await one_of_each(node)
        node.send(signal.SIGTERM)
        await node.ended(ringing, State.FAILED, Reason.NODE_SHUTDOWN, within_s=2)
        stopping = Stopwatch()
        node.send(signal.SIGTERM)
        await node.ended(joined, State.DISCONNECTED, Reason.NODE_SHUTDOWN, within_s=3)
        await node.carrier.calls[0].until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert stopping.hung_up_ms(node.carrier.calls[0]) < 2000
        assert await node.exited(within_s=10) == 0


# --- F30: SIGKILL ---


@pytest.mark.long
@pytest.mark.parametrize(("settings", "count"), [({}, 1), (SHARED, 2)], ids=["a process each", "a process shared"])
async def test_f30_workers_of_a_node_that_was_killed_say_goodbye_and_are_gone(
    store_url: str, settings: Mapping[str, Any], count: int
) -> None:
    async with Node(store_url, script_of, **settings) as node, AsyncExitStack() as stack:
        calls = [await node.on_call()]
        for place in range(1, count):
            customer = await Person.enter(node.room_url(f"room-{place}"), "customer", CUSTOMER_SAYS)
            stack.push_async_callback(customer.leave)
            calls.append(await node.on_call(room=f"room-{place}"))
        workers = node.workers()
        assert len(workers) == 1
        dying = Stopwatch()
        node.expected |= NOBODY_ANSWERS
        node.send(signal.SIGKILL)
        await node.until_gone(workers, within_s=GONE_S)
        print(f"F30: the workers are gone {dying.elapsed_ms:.0f} ms after their front")
        assert dying.elapsed_ms < GONE_S * 1000
        assert await node.exited(within_s=1) == -signal.SIGKILL
        for on in calls:
            assert notice_dbfs(on.phone.heard.since(dying.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)
        await node.start_again()
        for on in calls:
            await node.ended(on.transfer_id, State.DISCONNECTED, Reason.NODE_LOST)
            await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        assert node.customer.is_in


@pytest.mark.long
async def test_f30_node_that_is_started_again_ends_what_it_has_left_and_hangs_up(store_url: str) -> None:
    async with Node(store_url, script_of) as node:
        joined, ringing = await one_of_each(node)
        node.expected |= NOBODY_ANSWERS
        node.send(signal.SIGKILL)
        assert await node.exited(within_s=GONE_S) == -signal.SIGKILL
        transfer = await node.store.get(ringing)
        assert transfer is not None
        assert transfer.state is State.RINGING
        assert node.carrier.calls[1].is_live
        await node.start_again()
        starting = Stopwatch()
        view = await node.ended(ringing, State.FAILED, Reason.NODE_LOST, within_s=SWEPT_S)
        assert view.retryable
        await node.ended(joined, State.DISCONNECTED, Reason.NODE_LOST, within_s=2)
        await node.carrier.calls[1].until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(
            f"F30: the phone that rang is hung up {starting.hung_up_ms(node.carrier.calls[1]):.0f} ms after the start"
        )
        again = await node.on_call(room="red", to="+14155550125")
        again.phone.stop()
        await node.ended(again.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f30_phone_of_a_transfer_that_had_just_ended_is_hung_up_by_the_next_start(store_url: str) -> None:
    """The node is killed when it has written the end, and before the carrier has hung up."""
    async with Node(store_url, script_of) as node:
        ringing = await node.ask(to=RINGS)
        await node.until(ringing, State.RINGING)
        node.carrier.auth_token, auth_token = "another", node.carrier.auth_token
        view = await node.relay.cancel(ringing)
        assert (view.state, view.reason) == (State.CANCELED, Reason.CANCELED_BY_API)
        node.send(signal.SIGKILL)
        assert await node.exited(within_s=GONE_S) == -signal.SIGKILL
        node.carrier.auth_token = auth_token
        assert node.carrier.calls[0].is_live
        await node.start_again()
        await node.carrier.calls[0].until(lambda call: not call.is_live, "hung up", timeout_s=SWEPT_S)


@asynccontextmanager
async def two_services(store_url: str) -> AsyncIterator[tuple[Node, ServiceProcess, str, str]]:
    """A node with two calls that go on, as ``one_of_each``, and a second service on its keys."""
    async with Node(store_url, script_of) as node:
        waiting = await Person.enter(node.room_url("green"), "customer")
        joined, ringing = await one_of_each(node)
        yield node, await node.start_second(), joined, ringing
        await waiting.leave()


async def comes_to(node: Node, transfer_id: str, *, within_s: float) -> tuple[State, Reason | None, int]:
    """Its state, reason and epoch after so long, or once it is over."""
    transfer = await node.store.wait(transfer_id, lambda transfer: transfer.is_terminal, timeout_s=within_s)
    assert transfer is not None
    return transfer.state, transfer.reason, transfer.epoch


@pytest.mark.long
async def test_f30_second_service_on_the_same_keys_ends_nothing_until_the_first_is_killed(store_url: str) -> None:
    async with two_services(store_url) as (node, second, joined, ringing):
        assert await comes_to(node, joined, within_s=SWEPT_S) == (State.JOINED, None, 1)
        assert await comes_to(node, ringing, within_s=0) == (State.RINGING, None, 1)
        assert len(node.carrier.live_calls) == 2
        node.expected |= {"status canceled", *NOBODY_ANSWERS}
        dying = Stopwatch()
        node.send(signal.SIGKILL)
        assert await comes_to(node, ringing, within_s=SWEPT_S) == (State.FAILED, Reason.NODE_LOST, 2)
        assert await comes_to(node, joined, within_s=1) == (State.DISCONNECTED, Reason.NODE_LOST, 2)
        await node.carrier.calls[1].until(lambda call: not call.is_live, "hung up", timeout_s=1)
        print(f"F30: another node has hung up {dying.hung_up_ms(node.carrier.calls[1]):.0f} ms after the death")
        assert await node.exited(within_s=GONE_S) == -signal.SIGKILL
        node.process = second
        node.send(signal.SIGTERM)
        assert await node.exited(within_s=10) == 0


# --- F31: SIGSTOP ---


@pytest.mark.long
async def test_f31_node_that_was_frozen_finds_its_calls_ended_and_takes_them_down(store_url: str) -> None:
    async with two_services(store_url) as (node, second, joined, ringing):
        node.expected |= {"transfer_not_ours", *NOBODY_ANSWERS}
        node.send(signal.SIGSTOP)
        assert await comes_to(node, ringing, within_s=SWEPT_S + 1) == (State.FAILED, Reason.NODE_LOST, 2)
        assert await comes_to(node, joined, within_s=1) == (State.DISCONNECTED, Reason.NODE_LOST, 2)
        before = [await node.store.events(each) for each in (joined, ringing)]
        node.send(signal.SIGCONT)
        await node.process.until("lease_interrupted")
        await node.rooms.changes.until(lambda: "relay" not in node.rooms.names(ROOM), "our leaving", timeout_s=3)
        assert [await node.store.events(each) for each in (joined, ringing)] == before
        first, node.process = node.process, second
        node.send(signal.SIGTERM)
        assert await node.exited(within_s=10) == 0
        node.process, node.is_serving = first, True
