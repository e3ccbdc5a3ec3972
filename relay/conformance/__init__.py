"""What every carrier's media adapter must pass, relay's own and anyone's: needs hypothesis, and no pytest."""

from relay.conformance import audio, commands, harm, order, session
from relay.conformance.case import (
    Case,
    Clear,
    Dtmf,
    Mark,
    Message,
    NotOurs,
    Play,
    Recorded,
    Step,
    read_case,
    read_session,
)

CHECKS = (*session.CHECKS, *audio.CHECKS, *order.CHECKS, *commands.CHECKS, *harm.CHECKS)
"""Functions of one ``Case``; each raises AssertionError where the adapter does not do what it promises."""

__all__ = [
    "CHECKS",
    "Case",
    "Clear",
    "Dtmf",
    "Mark",
    "Message",
    "NotOurs",
    "Play",
    "Recorded",
    "Step",
    "read_case",
    "read_session",
]
