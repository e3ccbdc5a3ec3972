"""A node's sign of life, and what it does about other nodes that give none: what they have left is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Final

import structlog

from relay.errors import StoreUnavailable
from relay.transfers.clock import CallLater, pause
from relay.transfers.leases import LEASE_S
from relay.transfers.orphans import Orphans
from relay.transfers.store import TransferStore

BEAT_S: Final = 1.0
LOOK_S: Final = 0.5
"""Between beats while there are other nodes, whose leases are looked at then, or while the store is away."""


class Sweep:
    """
    Renews this node's lease, and ends what nodes without one have left: as long as it is alone that is one question to
    the store each second, however many transfers there are.

    When the store has been away the leases of nodes that are alive have run out. So nobody is taken for dead until this
    node has renewed its own, without a gap, for as long as one lasts; and whether another has taken this one for dead
    meanwhile is looked up.

    Args:
        store: where the leases are.
        orphans: ends transfers and phones.
        node_id: this node.
        look_after_own: sees whether all that goes on here is still ours; raises ``StoreUnavailable``.
        call_later: the clock.
    """

    def __init__(
        self,
        store: TransferStore,
        orphans: Orphans,
        *,
        node_id: str,
        look_after_own: Callable[[], Awaitable[None]],
        call_later: CallLater,
    ) -> None:
        self._store = store
        self._leases = store.leases
        self._orphans = orphans
        self._node_id = node_id
        self._look_after_own = look_after_own
        self._call_later = call_later
        self._log = structlog.get_logger()
        self._beating: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._work: dict[str, asyncio.Task[None]] = {}
        """What is done about which node."""
        self._has_beaten = False
        self._has_missed = False
        """The store was away: nobody can say whether the lease ran out."""
        self._doubt_s = 0.0
        """So long nobody is taken for dead."""
        self._dead: Collection[str] = ()
        """Nodes that had no lease when they were looked at last."""
        self._may_sweep = True

    @property
    def is_in_doubt(self) -> bool:
        """The store has been away: who has no lease need not be dead."""
        return self._has_missed or self._doubt_s > 0

    def start(self) -> None:
        """Begin to beat, and to sweep."""
        self._beating = asyncio.create_task(self._beat())

    def sweep_no_more(self) -> None:
        """Go on beating, but leave it to others to end what is left."""
        self._may_sweep = False
        for task in self._work.values():
            task.cancel()

    async def stop(self) -> None:
        """Beat no longer: other nodes may look after what is left here, if anything is. Whoever asks waits for it."""
        self.sweep_no_more()
        if self._stopping is None and self._beating is not None:
            self._stopping = asyncio.create_task(self._stop(self._beating))
        if self._stopping is not None:
            await asyncio.shield(self._stopping)

    async def _stop(self, beating: asyncio.Task[None]) -> None:
        beating.cancel()
        await asyncio.wait([beating, *self._work.values()])
        try:
            await self._leases.end(self._node_id)
        except StoreUnavailable as error:  # it ends by itself
            self._log.info("lease_left", detail=str(error))

    async def _beat(self) -> None:
        while True:
            pause_s = await self._beat_once()
            await pause(self._call_later, pause_s, asyncio.Event())
            self._doubt_s -= pause_s

    async def _beat_once(self) -> float:
        """Renew the lease, and look at the others'; how long until the next time."""
        try:
            renewed = await self._leases.renew(self._node_id)
            dead = await self._leases.dead(renewed.others)
        except StoreUnavailable as error:  # of a store that is away the store itself logs
            if self._store.is_available and not self._has_missed:
                self._log.error("lease_refused", detail=str(error))
            self._has_missed, self._doubt_s = True, LEASE_S
            return LOOK_S
        if self._has_missed or (self._has_beaten and not renewed.was_held):
            self._log.warning("lease_interrupted", was_held=renewed.was_held, lease_s=LEASE_S)
            self._doubt_s = LEASE_S
            self._begin(self._node_id, self._look)
        self._has_beaten, self._has_missed = True, False
        before, self._dead = self._dead, dead
        if self._doubt_s <= 0 and self._may_sweep:
            for node in set(dead).intersection(before):  # once may have been just after the store had been away
                self._begin(node, lambda node=node: self._sweep(node))  # type: ignore[misc]  # this very one
        return LOOK_S if renewed.others else BEAT_S

    def _begin(self, node: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Beats wait for nothing of this."""
        if node not in self._work:
            task = self._work[node] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._work.pop(node))

    async def _look(self) -> None:
        try:
            await self._look_after_own()
        except StoreUnavailable:
            self._has_missed = True

    async def _sweep(self, node: str) -> None:
        try:
            left = await self._leases.in_hand(node)
            log = self._log.warning if left else self._log.info
            log("node_gone", node=node, transfers=len(left))
            ending = [await self._orphans.end_left(transfer_id) for transfer_id in left]
            hang_ups = [task for task in ending if task is not None]
            if hang_ups:
                await asyncio.wait(hang_ups)
            await self._leases.strike_off(node, left)
        except StoreUnavailable as error:  # it is still among the nodes, and is come upon again
            self._log.info("sweep_interrupted", node=node, detail=str(error))
