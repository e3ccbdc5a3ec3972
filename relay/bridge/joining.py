"""When agent and customer are joined: what must be true, and what of it has come true."""

from __future__ import annotations

from enum import Flag, auto
from typing import Final


class Condition(Flag):
    """What must be true before anybody is told that agent and customer are joined."""

    ROOM_JOINED = auto()
    STREAM_STARTED = auto()
    AGENT_DECODED = auto()
    AGENT_IN_ROOM = auto()
    ROOM_SENT = auto()


_ALL: Final = ~Condition(0)


class Joining:
    """
    Keeps the conditions that have been met.

    ``is_complete`` says that all are, ``was_complete`` that all were once: a stream that is lost takes its own away.
    """

    def __init__(self) -> None:
        self._met = Condition(0)
        self.is_complete = False
        self.was_complete = False

    def meet(self, condition: Condition) -> bool:
        """Note that a condition is met; True if it was the last that was missing."""
        self._met |= condition
        completed = self._met == _ALL and not self.is_complete
        if completed:
            self.is_complete = self.was_complete = True
        return completed

    def stream_lost(self) -> None:
        """What the agent's stream had met is to be met again, by another."""
        self._met &= Condition.ROOM_JOINED
        self.is_complete = False
