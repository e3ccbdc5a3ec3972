"""
``relay serve``, but with bridges in the service's own process, and its machine not watched: what a trigger costs.

Fifty transfers a second cannot have a process each on a core or two, and the service would refuse most of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast
from unittest.mock import patch

from relay.app import cli, service
from relay.app.admission import Admission
from relay.app.bridging import Bridging, Releases
from relay.app.metrics import Metrics
from relay.app.room_urls import RoomPolicy
from relay.app.settings import Settings
from relay.bridge.in_process import InProcessBridges, RoomPlace
from relay.bridge.pool import WorkerPool
from relay.bridge.settings import BridgeSettings
from relay.providers.registry import adapter_class
from relay.rooms.local import LocalRoom
from relay.transfers.record import TransferOrder


class _Bridges(InProcessBridges):
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

    bridges = _Bridges(
        place,
        adapters=lambda carrier: adapter_class(carrier)(),
        settings=BridgeSettings(
            customer_grace_s=settings.customer_grace_s, reconnect_timeout_s=settings.reconnect_timeout_s
        ),
        bridges_max=settings.max_transfers,
        on_statistics=metrics.bridge,
        on_ended=lambda transfer_id, ended: metrics.bridge_ended(transfer_id, ended.stats),
    )
    yield Bridging(cast("WorkerPool", bridges), Releases())


@contextmanager
def _not_watching(*_: object) -> Iterator[Admission]:
    """As ``relay.app.machine_watch.watching``: an admission that never hears of any load."""
    yield Admission()


def main() -> None:
    """Serve until SIGTERM."""
    with patch.object(service, "bridging", bridging_in_process), patch.object(service, "watching", _not_watching):
        cli.run()


if __name__ == "__main__":
    main()
