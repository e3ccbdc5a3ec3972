"""Phone calls that turn up when nobody wants them any longer: each is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import structlog

from relay.transfers.phone_leg import CallLater, end_call
from relay.transfers.ports import Carrier


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
        self._ending: dict[str, asyncio.Task[None]] = {}

    @property
    def ending(self) -> Collection[asyncio.Task[None]]:
        """What has not been ended yet."""
        return list(self._ending.values())

    def end(self, provider: str, call_id: str, *, transfer_id: str) -> None:
        """Begin to end one; one that is being ended already is let be."""
        carrier = self._carriers.get(provider)
        if carrier is not None and call_id not in self._ending:
            self._ending[call_id] = asyncio.create_task(self._end(carrier, call_id, transfer_id))

    async def _end(self, carrier: Carrier, call_id: str, transfer_id: str) -> None:
        try:
            log = structlog.get_logger().bind(transfer_id=transfer_id)
            await end_call(carrier, call_id, call_later=self._call_later, log=log)
        finally:
            del self._ending[call_id]
