"""Dials of which the carrier can say at once whether there is a call: for those that can be asked for that very one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from relay.providers.control import HttpReply


@runtime_checkable
class SettlesDials(Protocol):
    """What a ``CarrierControl`` has besides, if ``find_calls`` asks for the order's own call and for no other."""

    def is_settled(self, reply: HttpReply) -> bool:
        """
        Whether no call comes any longer of a dial that was answered so, unclearly: one that is not there is none.

        A list that may lag behind settles nothing, nor does an answer that the carrier did not give itself.
        """
