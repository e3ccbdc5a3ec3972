"""Mode ``bridge``, small and real: processes, sockets, markers both ways."""

from relay.dev.bench.bridge import Setup, measure
from relay.dev.bench.load import LoadPlan


def test_two_calls_are_followed_frame_by_frame_both_ways() -> None:
    result = measure(Setup(2, 3.0, settle_s=0.5), LoadPlan(seed=2))
    assert (result.calls, result.agent_to_room.calls, result.room_to_agent.calls) == (2, 2, 2)
    for direction in (result.agent_to_room, result.room_to_agent):
        assert direction.beyond.count + direction.missing == direction.said
        assert direction.added.count > 0
    assert result.room_to_agent.added.p50 > 0
    assert result.agent_to_room.added.p50 > result.agent_to_room.beyond.p50
    assert result.cpu_ms > 0
    assert -200 < result.private_kb < 2000  # two calls may find room in what the process had before
    assert result.base_kb > 5000
    assert "concealed_ms" in result.counts
