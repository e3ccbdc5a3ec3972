"""Phone calls that turn up when nobody wants them any longer: each is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from relay.transfers.clock import CallLater
from relay.transfers.phone_leg import HangUp
from relay.transfers.ports import Carrier

RING_MAX_S: Final = 120.0
"""No transfer lets its phone ring for longer."""


class LateCalls:
    """
    Ends calls whose transfer is over, or was lost with the process that made it.

    Args:
        carriers: the accounts they are of, by name.
        call_later: the clock.
    """

    def __init__(self, carriers: Mapping[str, Carrier], *, call_later: CallLater) -> None:
        self._carriers = carriers
        self._call_later = call_later
        self._hang_ups: dict[tuple[str, str], HangUp] = {}
        self._is_hurried = False

    @property
    def ending(self) -> Sequence[asyncio.Task[None]]:
        """What has not been ended yet."""
        return [hang_up.task for hang_up in self._hang_ups.values()]

    def end(self, provider: str, call_id: str, *, transfer_id: str) -> asyncio.Task[None] | None:
        """Begin to end one, unless it is being ended already; return that work, None: nobody can."""
        log = structlog.get_logger().bind(transfer_id=transfer_id)
        carrier = self._carriers.get(provider)
        if carrier is None:
            log.error("phone_may_be_alive", detail=f"expected an account of {provider} in the settings, got none")
            return None
        call = provider, call_id
        if call not in self._hang_ups:
            hang_up = self._hang_ups[call] = HangUp(
                carrier, call_id, rings_s=RING_MAX_S, call_later=self._call_later, log=log
            )
            if self._is_hurried:
                hang_up.hurry()
            hang_up.task.add_done_callback(lambda _: self._hang_ups.pop(call))
        return self._hang_ups[call].task

    def hurry(self) -> None:
        """Wait for no phone that rings on longer than for one that a carrier ends, from now on."""
        self._is_hurried = True
        for hang_up in self._hang_ups.values():
            hang_up.hurry()

    def call_ended(self, provider: str, call_id: str) -> None:
        """The carrier says by itself that one is over."""
        hang_up = self._hang_ups.get((provider, call_id))
        if hang_up is not None:
            hang_up.call_ended()
