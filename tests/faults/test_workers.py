"""A worker that dies, or whose room does not let go: rows F22 and F44. It is one call's matter."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from relay.app.bridging import LEAKS_MAX
from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.dev.person import Person
from relay.rooms.daily_call import LEAVE_TIMEOUT_S
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.bridge.pooled import state_of
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch, longest_gap_ms, until_heard_at_phone, until_heard_in_room
from tests.faults.stage import (
    AGENT_HZ,
    AGENT_SAYS,
    CUSTOMER_HZ,
    CUSTOMER_SAYS,
    DAILY_WORKER,
    NO_LINE,
    SHARED,
    OnCall,
    Stage,
    worker_of,
)

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
LOST_MS = 1000
LAST_WORDS = {"worker_lost", NO_LINE}
"""What the service says of a worker that died, and what Python does where a signal has ended it."""
ENDS = [signal.SIGKILL, signal.SIGABRT]
HANGING = (*DAILY_WORKER, "hangs")
UNNOTICED_MS = 200
"""The longest gap in a voice that others may hear: the loop of carrier, rooms and service is one, and is busy."""


@asynccontextmanager
async def calls_in(stage: Stage, *rooms: str) -> AsyncIterator[list[tuple[OnCall, Person]]]:
    """A call in each of these rooms, where both are heard."""
    async with AsyncExitStack() as stack:
        calls = []
        for room in rooms:
            customer = await Person.enter(stage.room_url(room), "customer", CUSTOMER_SAYS)
            stack.push_async_callback(customer.leave)
            calls.append((await stage.on_call(room=room), customer))
        yield calls


async def readiness(stage: Stage) -> tuple[int, bool, bool]:
    """What ``/readyz`` says of itself, of workers and of rooms."""
    async with stage.http.get(f"{stage.service.base_url}/readyz") as answer:
        parts = (await answer.json())["parts"]
        return answer.status, parts["workers"], parts["rooms"]


# --- F44: the worker dies ---


@pytest.mark.parametrize(
    ("count", "settings"),
    [
        (3, {}),
        pytest.param(10, {}, marks=pytest.mark.long),
        pytest.param(6, SHARED, marks=pytest.mark.long, id="processes shared"),
    ],
)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
async def test_f44_call_of_a_worker_that_dies_is_over_within_a_second(
    set_stage: SetStage, end: signal.Signals, count: int, settings: Mapping[str, Any]
) -> None:
    rooms = [f"room-{place}" for place in range(count)]
    async with set_stage(SPEAKS, **settings) as stage, calls_in(stage, *rooms) as calls:
        stage.expected |= LAST_WORDS
        pid = worker_of(stage, calls[0][0].transfer_id)
        dying = [each for each in calls if worker_of(stage, each[0].transfer_id) == pid]
        others = calls[len(dying) :]
        assert len(dying) == settings.get("daily_calls_per_worker", 1)
        lost = Stopwatch()
        os.kill(pid, end)
        ended = [stage.ended(on.transfer_id, State.DISCONNECTED, Reason.WORKER_LOST) for on, _ in dying]
        await asyncio.gather(*ended)
        told_ms = lost.elapsed_ms
        for on, customer in dying:
            await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=LOST_MS / 1000)
            print(f"F44 {end.name}: told after {told_ms:.0f} ms, hung up after {lost.hung_up_ms(on.call):.0f} ms")
            assert told_ms < LOST_MS
            assert lost.hung_up_ms(on.call) < LOST_MS
            assert customer.is_in
        for on, customer in others:
            await until_heard_in_room(customer, AGENT_HZ)
            await until_heard_at_phone(on.phone, CUSTOMER_HZ)
            assert longest_gap_ms(customer, AGENT_HZ, lost.began_ns) < UNNOTICED_MS
            assert (await stage.relay.get(on.transfer_id)).state is State.JOINED
        assert state_of(pid) == "", "it is reaped"
        assert await readiness(stage) == (200, True, True)
        for on, _ in others:
            on.phone.stop()
            await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
async def test_f44_phone_stops_ringing_when_the_worker_dies(set_stage: SetStage, end: signal.Signals) -> None:
    async with set_stage(Outcome(callee=Rings())) as stage:
        stage.expected |= LAST_WORDS
        transfer_id = await stage.ask()
        await stage.until(transfer_id, State.RINGING)
        lost = Stopwatch()
        os.kill(worker_of(stage, transfer_id), end)
        view = await stage.ended(transfer_id, State.FAILED, Reason.WORKER_LOST, within_s=LOST_MS / 1000)
        await stage.carrier.calls[0].until(lambda call: not call.is_live, "hung up", timeout_s=LOST_MS / 1000)
        assert lost.hung_up_ms(stage.carrier.calls[0]) < LOST_MS
        assert view.retryable
        assert stage.customer.is_in


# --- F22: the room does not let go ---


@pytest.mark.parametrize("settings", [{}, SHARED], ids=["a process each", "a process shared"])
@pytest.mark.long
async def test_f22_rooms_that_do_not_let_go_touch_no_other_call_and_are_told(
    set_stage: SetStage, settings: Mapping[str, Any]
) -> None:
    async with (
        set_stage(SPEAKS, worker=HANGING, daily_domains=("example",), **settings) as stage,
        calls_in(stage, "red") as [(other, customer)],
    ):
        stuck = [await stage.on_call(room_url=f"https://example.daily.co/{place}") for place in range(LEAKS_MAX)]
        pids = {worker_of(stage, on.transfer_id) for on in stuck} - {worker_of(stage, other.transfer_id)}
        assert len(pids) == (0 if settings else LEAKS_MAX)
        assert await readiness(stage) == (200, True, True)
        ending = Stopwatch()
        for on in stuck:
            on.phone.stop()
        for on in stuck:
            await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP, within_s=2)
            await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        await until_heard_in_room(customer, AGENT_HZ)
        assert await readiness(stage) == (200, True, True), "they are still on their way out"
        while (await readiness(stage))[2]:
            await customer.until_heard(1)
        assert LEAVE_TIMEOUT_S * 1000 < ending.elapsed_ms < 10_000
        assert await readiness(stage) == (503, True, False)
        assert longest_gap_ms(customer, AGENT_HZ, ending.began_ns) < UNNOTICED_MS
        assert (await stage.relay.get(other.transfer_id)).state is State.JOINED
        assert [entry["event"] for entry in stage.logs].count("rooms_do_not_let_go") == 1
        async with asyncio.timeout(5):
            while any(state_of(pid) for pid in pids):
                await customer.until_heard(1)
        other.phone.stop()
        await stage.ended(other.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
