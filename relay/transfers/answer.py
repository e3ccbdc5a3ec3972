"""What a write to a transfer came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relay.transfers.record import Transfer


class Answer(StrEnum):
    """What became of a write."""

    OK = "ok"
    DUPLICATE = "duplicate"
    """It has been done before, and was not done again."""
    IGNORED = "ignored"
    """It is late, or means nothing in this state."""
    FENCED = "fenced"
    """Somebody else owns the transfer now."""
    MISSING = "missing"
    """There is no such transfer."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a write, and the transfer as it is after it; None if missing."""

    answer: Answer
    transfer: Transfer | None
