"""How long a transfer waits for each thing that must happen next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DETECTION_MAX_S: Final = 10.0
"""Longer than any carrier takes to tell what can be told, and short enough for each to be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseSettings:
    """How long a transfer waits for each thing that must happen next."""

    answer_timeout_s: float = 10.0
    """From the answer to the carrier's media stream, what the agent is told first apart."""
    accept_timeout_s: float = 20.0
    """From the media stream to the agent's acceptance, where one is asked for."""
    join_timeout_s: float = 20.0
    """From the media stream, or the acceptance, to both being heard."""
    token_ttl_s: float = 30.0
    """From the answer webhook to the media stream's upgrade, likewise."""
    ringback: bool = True
    """Let the customer hear that the phone rings."""

    @property
    def detection_timeout_s(self) -> float:
        """How long the carrier may look for a machine: the rest of the time is for whom it cannot tell from one."""
        return min(self.accept_timeout_s / 2, DETECTION_MAX_S)
