"""What the reason of an end means for the carrier and for the agent."""

import pytest
from websockets.frames import CloseCode

from relay.bridge.endings import close_code, is_noticed, reason_closed, reason_not_joined
from relay.errors import RoomDenied, RoomEnded, RoomLost, RoomUnreachable
from relay.transfers.reasons import UNANSWERED, Reason

NO_FAULT_OF_THE_AGENT = {
    *(Reason.CUSTOMER_LEFT, Reason.CANCELED_BY_API, Reason.MAX_DURATION, Reason.NODE_SHUTDOWN, Reason.INTERNAL_ERROR),
    *(Reason.ROOM_UNREACHABLE, Reason.ROOM_DENIED, Reason.ROOM_ENDED, Reason.ROOM_LOST),
    *(Reason.WORKER_LOST, Reason.NODE_LOST),
}
OF_THE_AGENT_OR_ITS_LINE = {
    *(Reason.AGENT_HUNG_UP, Reason.DECLINED, Reason.VOICEMAIL),
    *(Reason.MEDIA_LOST, Reason.MEDIA_TIMEOUT, Reason.PROVIDER_ERROR),
}


@pytest.mark.parametrize("reason", sorted(NO_FAULT_OF_THE_AGENT))
def test_f10_agent_is_told_of_what_is_no_doing_of_theirs(reason: Reason) -> None:
    assert is_noticed(reason)


def test_every_reason_is_one_or_the_other() -> None:
    assert set(Reason) == NO_FAULT_OF_THE_AGENT | OF_THE_AGENT_OR_ITS_LINE | UNANSWERED


@pytest.mark.parametrize("reason", sorted(OF_THE_AGENT_OR_ITS_LINE | UNANSWERED))
def test_agent_who_is_not_there_or_cannot_be_heard_is_told_nothing(reason: Reason) -> None:
    assert not is_noticed(reason)


def test_carrier_is_told_that_the_call_is_over_unless_something_broke() -> None:
    assert close_code(Reason.CUSTOMER_LEFT) == CloseCode.NORMAL_CLOSURE
    assert close_code(Reason.PROVIDER_ERROR) == CloseCode.POLICY_VIOLATION
    assert close_code(Reason.NODE_SHUTDOWN) == CloseCode.GOING_AWAY


def test_rooms_have_their_reasons() -> None:
    assert reason_not_joined(RoomDenied("expired")) is Reason.ROOM_DENIED
    assert reason_not_joined(RoomUnreachable("no such host")) is Reason.ROOM_UNREACHABLE
    assert reason_closed(RoomEnded("ejected")) is Reason.ROOM_ENDED
    assert reason_closed(RoomLost("no network")) is Reason.ROOM_LOST
