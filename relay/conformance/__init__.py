"""What every carrier's media adapter and control must pass, relay's own and anyone's: needs hypothesis, not pytest."""

from relay.conformance import abilities, audio, commands, control_requests, control_webhooks, harm, order, session
from relay.conformance.case import (
    Case,
    Clear,
    Closed,
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
from relay.conformance.control_case import ControlCase

CHECKS = (
    *session.CHECKS,
    *abilities.CHECKS,
    *audio.CHECKS,
    *order.CHECKS,
    *commands.CHECKS,
    *harm.CHECKS,
)
"""Functions of one ``Case``; each raises AssertionError where the adapter does not do what it promises."""

CONTROL_CHECKS = (*control_webhooks.CHECKS, *control_requests.CHECKS)
"""The like of one ``ControlCase``."""

__all__ = [
    "CHECKS",
    "CONTROL_CHECKS",
    "Case",
    "Clear",
    "Closed",
    "ControlCase",
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
