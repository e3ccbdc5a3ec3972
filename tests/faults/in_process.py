"""Bridges in the service's own process, for tests of hundreds of transfers that are not about what carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from relay.app.bridging import Bridging, Releases
from relay.app.metrics import Metrics
from relay.app.room_urls import RoomPolicy
from relay.app.settings import Settings
from relay.bridge.in_process import InProcessBridges, RoomPlace
from relay.bridge.pool import WorkerPool
from relay.bridge.worker import ADAPTERS
from relay.rooms.local import LocalRoom
from relay.transfers.record import TransferOrder


class _Pool(InProcessBridges):
    """What a service asks of its pool besides bridges."""

    pids: Final[Sequence[int]] = ()
    is_able: Final = True


@asynccontextmanager
async def bridging_in_process(
    settings: Settings, *, rooms: RoomPolicy, metrics: Metrics, **_: Any
) -> AsyncIterator[Bridging]:
    """As ``relay.app.bridging.bridging``, without workers; local rooms only."""

    def place(order: TransferOrder) -> RoomPlace:
        rooms.check(order.room_url)
        return RoomPlace(LocalRoom(order.room_url))

    pool = _Pool(
        place,
        adapters=lambda provider: ADAPTERS[provider](),
        bridges_max=settings.max_transfers,
        on_statistics=metrics.bridge,
        on_ended=lambda transfer_id, ended: metrics.bridge_ended(transfer_id, ended.stats),
    )
    yield Bridging(cast("WorkerPool", pool), Releases())
