"""A node that is asked to stop, or killed, as a process: rows F29 and F30."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.dev.person import Person
from relay.media.tones import NOTICE_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.ears import Stopwatch, notice_dbfs, until_heard_at_phone, until_heard_in_room
from tests.faults.node import Node
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, CUSTOMER_HZ, CUSTOMER_SAYS, SHARED

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
RINGS = "+14155550124"
SCRIPT = {RINGS: Outcome(callee=Rings())}
"""Others speak."""
GONE_S = 2.0
NOBODY_ANSWERS = {"answer in-progress", "status completed"}
"""The carrier asks what is next when its stream is closed, and there is no service that could say so."""


def script_of(number: str) -> Outcome:
    return SCRIPT.get(number, SPEAKS)


async def one_of_each(node: Node) -> tuple[str, str]:
    """A call in which both talk, and a phone that rings."""
    joined = (await node.on_call()).transfer_id
    ringing = await node.ask(room="green", to=RINGS)
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
        view = await node.ended(ringing, State.FAILED, Reason.NODE_LOST, within_s=2)
        assert view.retryable
        await node.ended(joined, State.DISCONNECTED, Reason.NODE_LOST, within_s=2)
        await node.carrier.calls[1].until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(
            f"F30: the phone that rang is hung up {starting.hung_up_ms(node.carrier.calls[1]):.0f} ms after the start"
        )
        again = await node.on_call(room="red", to="+14155550125")
        again.phone.stop()
        await node.ended(again.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
