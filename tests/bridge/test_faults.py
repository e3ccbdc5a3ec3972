"""Counting and logging what goes wrong."""

from structlog.testing import CapturingLogger

from relay.bridge.faults import BadMessageLimit, Faults


def test_every_fault_counts_and_a_flood_makes_few_lines() -> None:
    log = CapturingLogger()
    faults = Faults(log)
    for _ in range(1000):
        faults.note("bad_message", "expected this, got that")
    assert faults.counts == {"bad_message": 1000}
    assert [call.kwargs["count"] for call in log.calls] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert {call.method_name for call in log.calls} == {"warning"}


def test_many_at_once_are_one_line_and_kinds_do_not_hide_each_other() -> None:
    log = CapturingLogger()
    faults = Faults(log)
    faults.note("frame_dropped", "slow", 5)
    faults.note("frame_dropped", "slow")
    faults.note("bad_message", "what")
    assert faults.counts == {"frame_dropped": 6, "bad_message": 1}
    assert [call.args[0] for call in log.calls] == ["frame_dropped", "bad_message"]


def test_limit_is_the_number_of_bad_messages_in_a_row() -> None:
    limit = BadMessageLimit(20)
    assert [limit.exceeded() for _ in range(21)] == [False] * 20 + [True]


def test_now_and_then_a_bad_message_is_forgiven_for_ever() -> None:
    limit = BadMessageLimit(3)
    for _ in range(1000):
        assert not limit.exceeded()
        assert not limit.exceeded()
        limit.recover(1.0)
    assert [limit.exceeded() for _ in range(4)] == [False, False, False, True]
