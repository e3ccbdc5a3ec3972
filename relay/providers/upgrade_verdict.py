"""More than yes or no about a WebSocket upgrade: how it was signed, or why it was not believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from relay.providers.control import Webhook


@dataclass(frozen=True, slots=True)
class UpgradeVerdict:
    """
    What an upgrade shows.

    Args:
        is_true: it is the carrier's, as ``CarrierControl.verify_upgrade`` has it.
        how: for the log: the form of what was signed, or whether the proof is missing or wrong; nothing of it.
        asks_for: what ``WWW-Authenticate`` asks for where it is not the carrier's: then it is refused with 401.
    """

    is_true: bool
    how: str = ""
    asks_for: str = ""


@runtime_checkable
class JudgesUpgrades(Protocol):
    """What a ``CarrierControl`` has besides, if it can say more than ``verify_upgrade`` does."""

    def judge_upgrade(self, webhook: Webhook) -> UpgradeVerdict:
        """What is to be said of this WebSocket upgrade."""
