"""Ending a call that no single request ends in every state: for carriers that have one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from relay.providers.control import HttpRequest


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
