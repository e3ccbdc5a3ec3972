"""
Owns the waking: how long after a change was sent to Redis each of many waiters has it, and over how many connections.

Each waits for a transfer of its own, and these change one after the other; except where all wait for one.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import aiohttp
import numpy as np
from redis.asyncio import Redis

from benchmarks.transfers.processes import API_KEY, Cores, RelayService
from benchmarks.transfers.records import EPOCH, alive, stored_transfer
from relay.app.embedded_store import EmbeddedStore
from relay.transfers.record import Transfer
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore

WAIT_S: Final = 60.0
APART_S: Final = 0.004
"""Between two who begin to wait: each reads the transfer first."""
SETTLE_S: Final = 1.0
"""Until the last of them waits."""
NOWHERE: Final = "http://127.0.0.1:9"
"""A carrier and rooms that nothing is asked of: these transfers are only in the store."""

WATCHED: Final = "watched"

Wait: TypeAlias = Callable[[str], Awaitable[bool]]
"""Return whether the transfer is being dialled, as soon as it is."""


@dataclass(frozen=True, slots=True)
class Woken:
    """
    One way to wait, and what it came to.

    Args:
        how: in words.
        took_ms: of each waiter.
        failed: waiters that got another answer.
        connections: to Redis, of the store that was waited at.
    """

    how: str
    took_ms: Sequence[float]
    failed: int
    connections: int

    def ms(self, percentile: float) -> float:
        """So many percent were woken within this."""
        return float(np.percentile(self.took_ms, percentile))


async def measure_waiters(*, waiters: int, per_second: int, cores: Cores) -> list[Woken]:
    """All ways to wait, one after the other, each with a store of its own."""
    async with EmbeddedStore() as embedded:
        run = _Run(embedded.url, per_second)
        woken = []
        async with _store(run.watched_url) as here:
            ids = await _transfers(here, waiters)
            woken.append(await run.measure("at the store that writes", here, _at(here), ids))
        async with _store(run.watched_url) as here, _store(embedded.url) as other:
            ids = await _transfers(other, waiters)
            woken.append(await run.measure("at another node's store", other, _at(here), ids))
        async with _store(run.watched_url) as here, _store(embedded.url) as other:
            ids = waiters * [await stored_transfer(other)]
            woken.append(await run.measure("at another node's store, all for one transfer", other, _at(here), ids))
        woken.append(await _over_http(run, waiters=waiters, cores=cores))
        return woken


async def _over_http(run: _Run, *, waiters: int, cores: Cores) -> Woken:
    """Long polls of the service itself; the changes are another node's, so each comes to it over Redis."""
    connector = aiohttp.TCPConnector(limit=0)
    with RelayService(
        store_url=run.watched_url, carrier_url=NOWHERE, rooms_url=NOWHERE, max_transfers=1, core=cores.service
    ) as service:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with (
            _store(run.url) as other,
            alive(other),
            aiohttp.ClientSession(headers=headers, connector=connector) as session,
        ):

            async def wait(transfer_id: str) -> bool:
                query = {"wait_s": f"{WAIT_S:g}", "until": State.DIALING.value}
                async with session.get(f"{service.url}/v1/transfers/{transfer_id}", params=query) as answer:
                    transfer: dict[str, Any] = await answer.json()
                return transfer.get("state") == State.DIALING

            ids = await _transfers(other, waiters)
            return await run.measure("long polls over HTTP, another node writes", other, wait, ids)


class _Run:
    """
    Measures at one Redis.

    Args:
        url: its own.
        per_second: so many transfers change.
    """

    def __init__(self, url: str, per_second: int) -> None:
        self.url = url
        self.watched_url = f"{url}&client_name={WATCHED}"
        """For the store that is waited at: its connections are told by their name."""
        self._per_second = per_second

    async def measure(self, how: str, writer: TransferStore, wait: Wait, ids: Sequence[str]) -> Woken:
        """Let all wait, then let each transfer be dialled in its turn."""
        written_ns: dict[str, int] = {}
        took_ms: list[float] = []

        async def one(transfer_id: str) -> None:
            if await wait(transfer_id):
                took_ms.append((time.perf_counter_ns() - written_ns[transfer_id]) / 1e6)

        loop = asyncio.get_running_loop()
        gc.disable()
        async with asyncio.TaskGroup() as waiting:
            for transfer_id in ids:
                waiting.create_task(one(transfer_id))
                await asyncio.sleep(APART_S)
            await asyncio.sleep(SETTLE_S)
            connections = await self._connections()
            start_s = loop.time()
            for number, transfer_id in enumerate(dict.fromkeys(ids)):
                await asyncio.sleep(start_s + number / self._per_second - loop.time())
                written_ns[transfer_id] = time.perf_counter_ns()
                await writer.apply(transfer_id, Event.DIALED, epoch=EPOCH)
        gc.enable()
        return Woken(how, took_ms, len(ids) - len(took_ms), connections)

    async def _connections(self) -> int:
        async with Redis.from_url(self.url) as redis:
            return sum(client["name"] == WATCHED for client in await redis.client_list())


def _at(store: TransferStore) -> Wait:
    def is_dialling(transfer: Transfer) -> bool:
        return transfer.state is State.DIALING

    async def wait(transfer_id: str) -> bool:
        transfer = await store.wait(transfer_id, is_dialling, timeout_s=WAIT_S)
        return transfer is not None and is_dialling(transfer)

    return wait


async def _transfers(store: TransferStore, count: int) -> list[str]:
    return [await stored_transfer(store) for _ in range(count)]


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[TransferStore]:
    store = TransferStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
