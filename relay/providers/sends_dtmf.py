"""Letting a phone hear keys by REST: for carriers whose streams cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from relay.providers.control import HttpReply, HttpRequest


@runtime_checkable
class SendsDtmf(Protocol):
    """What a ``CarrierControl`` has besides, if its adapter's ``Capabilities.dtmf_sent`` is "rest"."""

    def send_dtmf(self, call_id: str, digits: str) -> Sequence[HttpRequest]:
        """
        The requests that let the phone of a call hear these keys: to be sent one after the other, each when the one
        before it has been taken.

        Raises:
            LocalProtocolError: ``call_id`` is none of this carrier, or these are not 1 to 32 of
                ``Capabilities.dtmf_keys``. They may be somebody's PIN, and are not shown.
        """

    def read_dtmf(self, reply: HttpReply) -> bool:
        """Whether the carrier took one of them."""
