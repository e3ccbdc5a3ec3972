"""What must be true before both are joined, and again after a stream was lost."""

import itertools

from relay.bridge.joining import Condition, Joining


def test_only_the_last_condition_completes_in_whatever_order() -> None:
    for order in itertools.permutations(Condition):
        joining = Joining()
        assert [joining.meet(condition) for condition in order] == [False] * 4 + [True], order
        assert joining.is_complete
        assert not any(joining.meet(condition) for condition in order), order


def test_lost_stream_takes_everything_but_the_room_away() -> None:
    joining = Joining()
    for condition in Condition:
        joining.meet(condition)
    joining.stream_lost()
    assert (joining.is_complete, joining.was_complete) == (False, True)
    of_the_stream = [condition for condition in Condition if condition is not Condition.ROOM_JOINED]
    assert [joining.meet(condition) for condition in of_the_stream] == [False] * 3 + [True]


def test_stream_that_was_never_heard_leaves_nothing() -> None:
    joining = Joining()
    joining.meet(Condition.STREAM_STARTED)
    joining.stream_lost()
    for condition in Condition:
        if condition is not Condition.STREAM_STARTED:
            joining.meet(condition)
    assert (joining.is_complete, joining.was_complete) == (False, False)
