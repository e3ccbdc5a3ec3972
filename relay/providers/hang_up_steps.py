"""Ending a call that no single request ends in every state, and what the answers mean: for carriers that need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from relay.providers.control import HttpReply, HttpRequest


@runtime_checkable
class HangsUpInSteps(Protocol):
    """What a ``CarrierControl`` has besides, if its ``hang_up`` may not be enough."""

    def hang_up_steps(self, call_id: str) -> Sequence[HttpRequest]:
        """
        The requests to send one after the other when ``hang_up`` has not ended the call, until one has.

        ``read_hang_up`` reads the answers to all of them.

        Raises:
            LocalProtocolError: ``call_id`` is none of this carrier.
        """


@runtime_checkable
class KnowsWhatIsHungUp(Protocol):
    """What a ``CarrierControl`` has besides, if an answer to ``hang_up`` does not mean the same of every id."""

    def read_hang_up_of(self, call_id: str, reply: HttpReply) -> bool | None:
        """``read_hang_up``, of this call: asked in its place. None: nothing has this id, it may have another."""
