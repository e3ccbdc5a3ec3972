"""The kinds of calls in a soak: what becomes of the number that is dialled, and what the room's side does."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.dev.carrier_outcomes import (
    BUSY,
    INVALID_NUMBER,
    NO_ANSWER,
    NO_SUCH_NUMBER,
    Answers,
    Outcome,
)
from relay.dev.phone_source import Source
from relay.transfers.reasons import Reason
from relay.transfers.states import State

TALK_S: Final = 1.5
RING_TIMEOUT_S: Final = 5
"""The least that the service lets one ask for."""


class Act(enum.Enum):
    """What the room's side does, when the transfer has come to a state."""

    NOTHING = "waits for the end"
    CANCELS = "the bot cancels"
    LEAVES = "the customer leaves"


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of call.

    Args:
        name: in the report.
        suffix: the number's last four digits: by these the carrier knows what becomes of it.
        outcome: that.
        act: of the room's side.
        at: when; None: as soon as the transfer is there.
        reasons: why it may end.
    """

    name: str
    suffix: str
    outcome: Outcome
    reasons: frozenset[Reason]
    act: Act = Act.NOTHING
    at: State | None = None

    @property
    def number(self) -> str:
        """That is dialled."""
        return f"+1415555{self.suffix}"


_RINGS: Final = Outcome(callee=Answers(after_s=30.0))
_SOON: Final = frozenset({Reason.NO_ANSWER})
"""Before whoever stops it was fast enough."""
_STAYS: Final = Outcome(callee=Answers())

BRIDGE: Final = Kind("bridge", "0100", _STAYS, frozenset({Reason.CANCELED_BY_API}))
TALK: Final = Kind(
    "joined, agent hangs up",
    "0101",
    Outcome(callee=Answers(hangs_up_after_s=TALK_S)),
    frozenset({Reason.AGENT_HUNG_UP, Reason.MEDIA_LOST}),  # where that is slow, it is while the stream begins
)
CANCELED: Final = Kind(
    "joined, canceled", "0102", _STAYS, frozenset({Reason.CANCELED_BY_API}), Act.CANCELS, State.JOINED
)
LEFT: Final = Kind(
    "joined, customer leaves", "0103", _STAYS, frozenset({Reason.CUSTOMER_LEFT}), Act.LEAVES, State.JOINED
)
KINDS: Final[Sequence[Kind]] = (
    TALK,
    CANCELED,
    LEFT,
    Kind(
        "answered, hung up at once",
        "0104",
        Outcome(callee=Answers(hangs_up_after_s=0.0)),
        frozenset({Reason.AGENT_HUNG_UP}),
    ),
    Kind("busy", "0105", BUSY, frozenset({Reason.BUSY})),
    Kind("no such number", "0106", NO_SUCH_NUMBER, frozenset({Reason.INVALID_NUMBER, Reason.REJECTED})),
    Kind("dial refused", "0107", INVALID_NUMBER, frozenset({Reason.INVALID_NUMBER})),
    Kind("no answer", "0108", NO_ANSWER, frozenset({Reason.NO_ANSWER})),
    Kind("ringing, canceled", "0109", _RINGS, _SOON | {Reason.CANCELED_BY_API}, Act.CANCELS, State.RINGING),
    Kind("ringing, customer leaves", "0110", _RINGS, _SOON | {Reason.CUSTOMER_LEFT}, Act.LEAVES, State.RINGING),
    Kind("canceled at once", "0111", _RINGS, frozenset({Reason.CANCELED_BY_API}), Act.CANCELS),
)
MIX: Final[Sequence[Kind]] = (*KINDS, *6 * (TALK,), CANCELED, CANCELED, LEFT)
"""Twenty in turn: half of them are joined."""

_OUTCOMES: Final = {kind.number: kind.outcome for kind in (BRIDGE, *KINDS)}


def outcome_of_number(number: str, says: Source) -> Outcome:
    """What becomes of a number; an agent who answers says this."""
    outcome = _OUTCOMES[number]
    if not isinstance(outcome.callee, Answers):
        return outcome
    return replace(outcome, callee=replace(outcome.callee, says=says))
