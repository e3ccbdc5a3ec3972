"""Why a transfer ended: one closed list over all carriers and rooms."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class _Meaning(NamedTuple):
    retryable: bool
    sentence: str


class Reason(StrEnum):
    """Why a transfer ended."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    DECLINED = "declined"
    VOICEMAIL = "voicemail"
    INVALID_NUMBER = "invalid_number"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_BUSY = "provider_busy"
    DIAL_UNKNOWN = "dial_unknown"
    ROOM_UNREACHABLE = "room_unreachable"
    ROOM_DENIED = "room_denied"
    MEDIA_TIMEOUT = "media_timeout"
    CUSTOMER_LEFT = "customer_left"
    AGENT_HUNG_UP = "agent_hung_up"
    ROOM_ENDED = "room_ended"
    ROOM_LOST = "room_lost"
    MEDIA_LOST = "media_lost"
    CANCELED_BY_API = "canceled_by_api"
    WORKER_LOST = "worker_lost"
    NODE_LOST = "node_lost"
    NODE_SHUTDOWN = "node_shutdown"
    MAX_DURATION = "max_duration"
    INTERNAL_ERROR = "internal_error"

    @property
    def retryable(self) -> bool:
        """Whether the same request, made again soon, may well succeed."""
        return _MEANINGS[self].retryable

    @property
    def sentence(self) -> str:
        """What a bot can say to the customer."""
        return _MEANINGS[self].sentence


UNANSWERED: Final = frozenset(
    {
        *(Reason.BUSY, Reason.NO_ANSWER, Reason.REJECTED, Reason.INVALID_NUMBER),
        *(Reason.PROVIDER_BUSY, Reason.DIAL_UNKNOWN),
    }
)
"""Nobody picked up: there is no agent, and never was."""

_TECHNICAL: Final = "I'm sorry, a technical problem kept me from connecting you."
_CUT: Final = "I'm sorry, the connection was lost."

_MEANINGS: Final = {
    Reason.BUSY: _Meaning(retryable=True, sentence="I'm sorry, the line is busy right now."),
    Reason.NO_ANSWER: _Meaning(retryable=True, sentence="I'm sorry, nobody answered the phone."),
    Reason.REJECTED: _Meaning(retryable=False, sentence="I'm sorry, the call did not go through."),
    Reason.DECLINED: _Meaning(retryable=True, sentence="I'm sorry, nobody can take your call right now."),
    Reason.VOICEMAIL: _Meaning(retryable=True, sentence="I'm sorry, I only reached a voicemail."),
    Reason.INVALID_NUMBER: _Meaning(retryable=False, sentence="I'm sorry, I can't reach that number."),
    Reason.PROVIDER_ERROR: _Meaning(retryable=False, sentence=_TECHNICAL),
    Reason.PROVIDER_BUSY: _Meaning(retryable=True, sentence="I'm sorry, all lines are busy right now."),
    # The phone may have rung: dialling again could ring it twice.
    Reason.DIAL_UNKNOWN: _Meaning(retryable=False, sentence=_TECHNICAL),
    Reason.ROOM_UNREACHABLE: _Meaning(retryable=True, sentence=_TECHNICAL),
    Reason.ROOM_DENIED: _Meaning(retryable=False, sentence=_TECHNICAL),
    Reason.MEDIA_TIMEOUT: _Meaning(retryable=True, sentence="I'm sorry, the line was silent, so I hung up."),
    Reason.CUSTOMER_LEFT: _Meaning(retryable=False, sentence="The customer has left."),
    Reason.AGENT_HUNG_UP: _Meaning(retryable=False, sentence="The person you spoke with has hung up."),
    Reason.ROOM_ENDED: _Meaning(retryable=False, sentence="The call has ended."),
    Reason.ROOM_LOST: _Meaning(retryable=True, sentence=_CUT),
    Reason.MEDIA_LOST: _Meaning(retryable=True, sentence=_CUT),
    Reason.CANCELED_BY_API: _Meaning(retryable=False, sentence="The transfer was canceled."),
    Reason.WORKER_LOST: _Meaning(retryable=True, sentence=_CUT),
    Reason.NODE_LOST: _Meaning(retryable=True, sentence=_CUT),
    Reason.NODE_SHUTDOWN: _Meaning(retryable=True, sentence=_TECHNICAL),
    Reason.MAX_DURATION: _Meaning(retryable=False, sentence="The call has reached its time limit."),
    Reason.INTERNAL_ERROR: _Meaning(retryable=True, sentence=_TECHNICAL),
}
