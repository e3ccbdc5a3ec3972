"""A log that nobody reads any longer: row F45."""

from __future__ import annotations

import signal

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.ears import Stopwatch
from tests.faults.node import Node
from tests.faults.stage import AGENT_SAYS

ENDED_S = 10.0


async def test_f45_service_whose_log_nobody_reads_ends_its_calls_and_itself(store_url: str) -> None:
    async with Node(store_url, Outcome(callee=Rings())) as node:
        transfer_id = await node.ask()
        await node.until(transfer_id, State.RINGING)
        node.process.stop_reading()
        await node.relay.cancel(transfer_id)
        await node.ended(transfer_id, State.CANCELED, Reason.CANCELED_BY_API)
        second = await node.ask()
        await node.until(second, State.RINGING)
        stopping = Stopwatch()
        node.send(signal.SIGTERM)
        assert await node.exited(within_s=ENDED_S) == 0
        print(f"F45: over in {stopping.elapsed_ms:.0f} ms with a phone that rings")
        transfer = await node.store.get(second)
        assert transfer is not None
        assert (transfer.state, transfer.reason) == (State.FAILED, Reason.NODE_SHUTDOWN)


@pytest.mark.long
async def test_f45_call_says_goodbye_though_its_log_went_with_the_service(store_url: str) -> None:
    async with Node(store_url, Outcome(callee=Answers(says=AGENT_SAYS))) as node:
        on = await node.on_call()
        workers = node.workers()
        node.expected |= {"answer in-progress", "status completed"}
        node.process.stop_reading()
        node.send(signal.SIGKILL)
        await node.until_gone(workers, within_s=2)
        assert await node.exited(within_s=1) == -signal.SIGKILL
        await node.start_again()
        await node.ended(on.transfer_id, State.DISCONNECTED, Reason.NODE_LOST)
