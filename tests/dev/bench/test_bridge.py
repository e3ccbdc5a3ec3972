"""Mode ``bridge``, small and real: processes, sockets, markers both ways."""

from relay.dev.bench.bridge import Setup, measure
from relay.dev.bench.bridge_server import Seat
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
    assert 0 < result.private_kb < 2000
    assert "concealed_ms" in result.counts


def test_seat_keeps_only_what_is_after_the_beginning() -> None:
    seat = Seat((b"a", b"b", b"c"))
    assert [seat.speak(1), seat.speak(2)] == [b"a", b"b"]
    seat.take(b"12", 0)
    seat.begin()
    assert [seat.speak(3), seat.speak(4)] == [b"c", b"a"]
    seat.take(b"34", 0)
    assert (seat.first, seat.said_ns.tolist(), bytes(seat.taken)) == (2, [3, 4], b"34")
