"""What the simulated carrier does with a number that is dialled: three independent choices, as values."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from relay.dev.phone_source import Source
from relay.dev.phone_websocket import Network

# What the request to dial is answered with


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """201, after the call was placed and ``late_s`` went by: its callbacks come first then."""

    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses:
    """
    No call, and an error.

    Args:
        status, code: of HTTP, and Twilio's own.
        retry_after_s: in the header; none if None.
        times: so often for a number, then it is accepted; None: always.
    """

    status: int = 400
    code: int = 21211
    message: str = "refused by the simulated carrier"
    retry_after_s: int | None = None
    times: int | None = None


class Loss(enum.Enum):
    """Ways not to learn what became of a request."""

    RESET = "a TCP RST in place of an answer"
    ERROR_500 = "HTTP 500"
    HANG = "no answer, for as long as the client waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class LosesReply:
    """The call is placed, unless ``places_call`` is False, and the client does not learn of it."""

    how: Loss = Loss.RESET
    places_call: bool = True


Reply: TypeAlias = Accepts | Refuses | LosesReply

# What becomes of the call


@dataclass(frozen=True, slots=True)
class Press:
    """A key that the agent presses, so long after the media stream began."""

    digit: str
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Detection:
    """Twilio's ``AnsweredBy``, so long after the call was answered; sent only if the order asks for it."""

    answered_by: str = "human"
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """
    Somebody picks up.

    Args:
        after_s: of ringing; longer than the order's time-out is no answer.
        says: from the beginning of each media stream.
        presses: keys.
        hangs_up_after_s: from answering on; None: when the other side does.
        detected: what answering-machine detection finds; None: nothing, ever.
        media_for_s: how long a stream carries what the agent says; 0: not one frame; None: to its end.
        network: the path of the media.
        speech_characters_per_s: how fast documents' ``Say`` is spoken; None: it takes no time. Twilio's voices speak
            some 15. Keys pressed meanwhile are lost: without a media stream there is nobody to be told.
        reconnects: when a stream is lost, and not closed by the relay, the document goes on behind it. Twilio documents
            that for a close by the relay only; without it the call ends.
    """

    after_s: float = 0.0
    says: Source | None = None
    presses: tuple[Press, ...] = ()
    hangs_up_after_s: float | None = None
    detected: Detection | None = Detection()
    media_for_s: float | None = None
    network: Network | None = None
    speech_characters_per_s: float | None = None
    reconnects: bool = False


@dataclass(frozen=True, slots=True)
class Rings:
    """Nobody picks up: it rings until the order's time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declines:
    """
    Ends without an answer.

    Args:
        status: ``busy``, or ``failed``, which does not ring before.
        after_s: from dialling on.
        sip_code: in the last callback; none if None.
    """

    status: str = "busy"
    after_s: float = 0.0
    sip_code: int | None = None

    def __post_init__(self) -> None:
        if self.status not in {"busy", "failed"}:
            raise ValueError(f"simulated carrier: expected busy or failed, got {self.status!r}")


Callee: TypeAlias = Answers | Rings | Declines

# How the status callbacks travel


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    At once, once, in order, and the call goes on when they have been answered, unless it says otherwise.

    Args:
        order: ``order[n]`` is the number of the callback that comes n-th, as in ``(3, 0, 1, 2)``: the last comes first.
            What the call did not come to is left out.
        copies: how often each comes; 0: never.
        late_s: how long each is under way; the call does not wait for it.
    """

    order: tuple[int, ...] = ()
    copies: int = 1
    late_s: float = 0.0

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))):
            raise ValueError(f"simulated carrier: expected a permutation of 0, 1, 2, ..., got {self.order}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that happens to one dialled number."""

    reply: Reply = field(default_factory=Accepts)
    callee: Callee = field(default_factory=Answers)
    delivery: Delivery = field(default_factory=Delivery)


ANSWERED: Final = Outcome()
BUSY: Final = Outcome(callee=Declines(sip_code=486))
REJECTED: Final = Outcome(callee=Declines(status="failed", sip_code=603))
NO_SUCH_NUMBER: Final = Outcome(callee=Declines(status="failed", sip_code=404))
"""The carrier takes the dial, and finds out when it calls."""
NO_LINE: Final = Outcome(callee=Declines(status="failed", sip_code=503))
"""The carrier takes the dial, and a network has no line."""
NO_ANSWER: Final = Outcome(callee=Rings())
SILENT: Final = Outcome(callee=Rings(), delivery=Delivery(copies=0))
INVALID_NUMBER: Final = Outcome(reply=Refuses())

Script: TypeAlias = Outcome | Mapping[str, Outcome] | Callable[[str], Outcome]
"""The outcome of every number, of some (the others answer at once), or by a function of the number."""


def outcome_of(script: Script, number: str) -> Outcome:
    """What a script says of a number."""
    match script:
        case Outcome():
            return script
        case Mapping():
            return script.get(number, ANSWERED)
    return script(number)
