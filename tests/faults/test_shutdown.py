"""A service that is asked to stop: calls go on as long as they may, and no phone is left."""

from __future__ import annotations

import asyncio

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.media.tones import NOTICE_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch, notice_dbfs, until_heard_in_room
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, Stage

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))


async def status_of_request(stage: Stage) -> tuple[int, str]:
    """How a bot is answered now, and when it may come again."""
    body = {"room_url": stage.room_url("green"), "destination": "billing"}
    async with stage.http.post(f"{stage.service.base_url}/v1/transfers", json=body) as response:
        return response.status, response.headers.get("Retry-After", "")


async def test_phone_that_rings_is_hung_up_when_the_service_stops(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Rings())) as stage:
        transfer_id = await stage.ask()
        await stage.until(transfer_id, State.RINGING)
        stopping = Stopwatch()
        stage.service.stop()
        await stage.service.until_stopped()
        print(f"shutdown: over in {stopping.elapsed_ms:.0f} ms with a phone that rings")
        assert stopping.elapsed_ms < 1000
        assert stage.carrier.live_calls == []
        view = await stage.ended(transfer_id, State.FAILED, Reason.NODE_SHUTDOWN, within_s=1)
        assert view.retryable


async def test_call_goes_on_while_the_service_waits_for_its_end(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, drain_timeout_s=30.0) as stage:
        on = await stage.on_call()
        stage.service.stop()
        stopping = asyncio.create_task(stage.service.until_stopped())
        assert await asyncio.wait_for(status_of_request(stage), 2) == (503, "10")
        await until_heard_in_room(stage.customer, AGENT_HZ)
        assert not stopping.done()
        on.phone.stop()
        await stopping
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP, within_s=1)


@pytest.mark.long
async def test_call_that_outlasts_the_wait_is_ended_with_a_notice(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, drain_timeout_s=0.4) as stage:
        on = await stage.on_call()
        stopping = Stopwatch()
        stage.service.stop()
        await stage.service.until_stopped()
        assert 400 < stopping.elapsed_ms < 2000
        assert stage.carrier.live_calls == []
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.NODE_SHUTDOWN, within_s=1)
        assert notice_dbfs(on.phone.heard.since(stopping.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)


async def test_second_stop_does_not_wait_for_calls(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, drain_timeout_s=30.0) as stage:
        on = await stage.on_call()
        stopping = Stopwatch()
        stage.service.stop()
        waiting = asyncio.create_task(stage.service.until_stopped())
        stage.service.stop()
        await waiting
        assert stopping.elapsed_ms < 2000
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.NODE_SHUTDOWN, within_s=1)


@pytest.mark.parametrize("outcome", [Outcome(callee=Rings()), SPEAKS], ids=["ringing", "joined"])
async def test_service_that_ends_without_being_asked_leaves_no_phone(set_stage: SetStage, outcome: Outcome) -> None:
    async with set_stage(outcome) as stage:
        transfer_id = await stage.ask()
        joined = outcome is SPEAKS
        await stage.until(transfer_id, State.JOINED if joined else State.RINGING)
        await stage.end_service()
        assert stage.carrier.live_calls == []
        transfer = await stage.store.get(transfer_id)
        assert transfer is not None
        assert transfer.reason is Reason.NODE_SHUTDOWN
        # The documents and callbacks that nobody answers any more.
        stage.expected |= {"answer", "completed"}
