"""Why a bridge ends when its room does, and what the reason means for the agent's leg."""

from __future__ import annotations

from typing import Final

from websockets.frames import CloseCode

from relay.errors import RoomDenied, RoomEnded, RoomError
from relay.transfers.reasons import UNANSWERED, Reason

LOSSES: Final = frozenset({Reason.MEDIA_LOST, Reason.MEDIA_TIMEOUT})
"""Of the carrier's stream, not of the call: another stream may come."""

# Nobody is told who is not there, has hung up, declined or cannot be heard, and no machine.
_ON_THE_AGENTS_SIDE: Final = {Reason.AGENT_HUNG_UP, Reason.DECLINED, Reason.VOICEMAIL, Reason.PROVIDER_ERROR}
_UNNOTICED: Final = LOSSES | UNANSWERED | _ON_THE_AGENTS_SIDE

_CLOSE_CODES: Final = {
    Reason.PROVIDER_ERROR: CloseCode.POLICY_VIOLATION,
    Reason.MEDIA_LOST: CloseCode.TRY_AGAIN_LATER,
    Reason.INTERNAL_ERROR: CloseCode.INTERNAL_ERROR,
    Reason.NODE_SHUTDOWN: CloseCode.GOING_AWAY,
    Reason.NODE_LOST: CloseCode.GOING_AWAY,
}


def close_code(reason: Reason) -> CloseCode:
    """What the carrier is told when its WebSocket is closed from here; mostly that the call is over."""
    return _CLOSE_CODES.get(reason, CloseCode.NORMAL_CLOSURE)


def is_noticed(reason: Reason) -> bool:
    """Whether the agent is to hear that the call is over."""
    return reason not in _UNNOTICED


def reason_not_joined(error: RoomError) -> Reason:
    """Why a bridge ends whose room could not be joined."""
    return Reason.ROOM_DENIED if isinstance(error, RoomDenied) else Reason.ROOM_UNREACHABLE


def reason_closed(error: RoomError) -> Reason:
    """Why a bridge ends whose room is gone."""
    return Reason.ROOM_ENDED if isinstance(error, RoomEnded) else Reason.ROOM_LOST
