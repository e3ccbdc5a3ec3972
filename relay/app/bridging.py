"""What carries the calls of a service: its workers, what each is told, and how the service knows that they are well."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import IO, Final

import aiohttp
import structlog

from relay.app.daily_tokens import DailyTokens, post_with
from relay.app.metrics import Metrics
from relay.app.room_urls import RoomKind, RoomPolicy
from relay.app.settings import Settings
from relay.app.settings_entries import DailyBackend
from relay.bridge import events
from relay.bridge.messages import Configure, RoomSpec
from relay.bridge.messages import RoomKind as RoomKindName
from relay.bridge.pool import WorkerPool
from relay.bridge.settings import BridgeSettings
from relay.bridge.worker_bridge import HELD_UP, LEAKED, LOST
from relay.transfers.record import TransferOrder

WORKER: Final = (sys.executable, "-P", "-m", "relay.app.worker")
"""``-P``: what lies in the directory that the service was started in is no module of a worker's."""
LEAKS_MAX: Final = 3
"""Rooms in a row that did not let go: after that it is the SDK, and not one call."""
FORGET_S: Final = 300.0
"""After so long it is tried again: who goes by readiness sends no call that could show that rooms let go again."""
TOKEN_MARGIN_S: Final = 300.0
"""A token outlives its call: it is not what ends one."""


class Bridging:
    """
    The bridges of a service.

    Args:
        pool: where they come from.
        releases: how they have ended.
    """

    def __init__(self, pool: WorkerPool, releases: Releases) -> None:
        self.pool = pool
        self._releases = releases

    @property
    def is_able(self) -> bool:
        """A worker can be had, as far as is known."""
        return self.pool.is_able

    @property
    def lets_go(self) -> bool:
        """Rooms let go of calls that are over."""
        return self._releases.are_clean


class Releases:
    """
    How the last calls have let go of their rooms. Not counted for ever: the process of each is gone all the same,
    behind a few others at most.

    Args:
        leaks_max: so many that did not, one after the other, are too many.
        now_s: a monotonic clock.
    """

    def __init__(self, leaks_max: int = LEAKS_MAX, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._leaks_max = leaks_max
        self._now_s = now_s
        self._leaks = 0
        self._leaked_s = 0.0

    @property
    def are_clean(self) -> bool:
        """There were fewer in a row that did not, or none for ``FORGET_S``: then it takes but one more."""
        return self._leaks < self._leaks_max or self._now_s() - self._leaked_s >= FORGET_S

    def note(self, ended: events.Ended) -> None:
        """Take note of a bridge that is over."""
        faults = ended.stats.faults
        if faults.get(LEAKED) or faults.get(HELD_UP):
            self._leaks += 1
            self._leaked_s = self._now_s()
        elif not faults.get(LOST):  # which says nothing of rooms
            self._leaks = 0
        if self._leaks == self._leaks_max:
            structlog.get_logger().error("rooms_do_not_let_go", in_a_row=self._leaks)


@asynccontextmanager
async def bridging(
    settings: Settings,
    *,
    rooms: RoomPolicy,
    session: aiohttp.ClientSession,
    metrics: Metrics,
    worker: Sequence[str] = WORKER,
    log: IO[str] | None = None,
) -> AsyncIterator[Bridging]:
    """
    Workers, within the block; leaving it ends those that are left.

    Args:
        settings: how many, and their bounds.
        rooms: which rooms there are.
        session: for requests to Daily.
        metrics: told of what bridges report.
        worker: what each is, without its last argument.
        log: where each logs; None: to our standard error.
    """
    releases = Releases()

    def ended(transfer_id: str, event: events.Ended) -> None:
        metrics.bridge_ended(transfer_id, event.stats)
        releases.note(event)

    pool = WorkerPool(
        worker,
        rooms=lambda order: room_spec(order, rooms, settings),
        tokens=token_source(settings, rooms, session),
        # It has none of the settings' secrets, so none to keep out of its log; those of its call it is told with it.
        configure=Configure(
            log_level=settings.log_level.value,
            log_format=settings.log_format.value,
            rooms=_kinds(settings),
            carriers=tuple(provider.value for provider in settings.providers),
        ),
        settings=BridgeSettings(
            customer_grace_s=settings.customer_grace_s, reconnect_timeout_s=settings.reconnect_timeout_s
        ),
        workers_max=settings.max_transfers,
        spares=settings.worker_spares,
        seats=settings.daily_calls_per_worker if settings.daily_backend is DailyBackend.TRACKS else 1,
        log=log,
        on_statistics=metrics.bridge,
        on_ended=ended,
    )
    metrics.watch(
        "relay_workers", "Worker processes, spares and those on their way out too", lambda: pool.process_count
    )
    metrics.watch("relay_worker_spares", "Transfers that a worker is ready for", lambda: pool.spare_count)
    metrics.watch("relay_workers_lost", "Calls that ended with their worker, so far", lambda: pool.lost_count)
    await pool.open()
    try:
        yield Bridging(pool, releases)
    finally:
        await pool.close()


def room_spec(order: TransferOrder, rooms: RoomPolicy, settings: Settings) -> RoomSpec:
    """
    The place in the room of an order.

    Raises:
        RoomRefused: there is no such room here.
    """
    kind = rooms.check(order.room_url).kind
    return RoomSpec(kind=kind.value, url=order.room_url, token=order.room_token, backend=settings.daily_backend.value)


def token_source(
    settings: Settings, rooms: RoomPolicy, session: aiohttp.ClientSession
) -> Callable[[TransferOrder], Awaitable[str | None]]:
    """
    What makes the token to join with: None for a room that needs none, and if the bot has given one.

    The API key stays here.
    """
    tokens = None
    if settings.daily_api_key is not None:
        tokens = DailyTokens(
            api_key=settings.daily_api_key.get_secret_value(),
            domain_id=settings.daily_domain_id,
            maker=settings.daily_tokens,
            post=post_with(session),
        )

    async def token(order: TransferOrder) -> str | None:
        address = rooms.check(order.room_url)
        if tokens is None or order.room_token is not None or address.kind is not RoomKind.DAILY:
            return None
        lifetime_s = order.ring_timeout_s + order.max_duration_s + TOKEN_MARGIN_S
        return await tokens.token(address.name, lifetime_s=lifetime_s)

    return token


def _kinds(settings: Settings) -> tuple[RoomKindName, ...]:
    """The kinds of rooms that there are: their code is loaded before a worker is needed."""
    daily: tuple[RoomKindName, ...] = ("daily",) if settings.daily_domains else ()
    return (*daily, "local") if settings.local_rooms else daily
