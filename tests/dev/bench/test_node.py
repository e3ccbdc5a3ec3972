"""Two calls through a whole service: each frame is followed both ways. Nothing is said of how fast."""

import asyncio
import sys

import pytest
import uvloop

from relay.dev.bench import node
from relay.dev.bench.service import CALLS_MAX

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the load stands on epoll and timerfd")


@pytest.mark.long
def test_frames_of_two_calls_are_followed_both_ways_and_costs_are_told_apart() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(node.measure(node.Setup(calls=2, seconds=3.0, settle_s=1.0)))
    assert (result.calls, result.ended) == (2, 0)
    for direction in (result.agent_to_room, result.room_to_agent):
        assert direction.calls == 2
        assert direction.said > 50
        assert direction.added.count > 0.5 * direction.said
        assert direction.added.p50 > 0
    assert result.front.cpu_ms > 0
    assert result.workers.cpu_ms > 0
    assert result.worker_private_kb > 1000


@pytest.mark.parametrize("calls", [0, CALLS_MAX + 1])
def test_more_calls_than_there_can_be_spares_are_refused(calls: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 100 calls"):
        asyncio.run(node.measure(node.Setup(calls=calls, seconds=1.0)))
