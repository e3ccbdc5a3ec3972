"""
Owns the trigger: so many transfers a second are asked for, at their times and not when the last was answered.

The simulated carrier takes each call at once. What becomes of it, at once as well, is one of ``stand_ins.CALLEES``: the
line is busy, or the agent answers, both sides are bridged, and half a second later the agent hangs up. The service is
``transfers.service``, whose bridges are its own, or ``relay serve`` with a worker for each.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import numpy as np
from redis.asyncio import Redis

from benchmarks.transfers.processes import API_KEY, DESTINATION, SERVE, Child, Cores, RelayService, StandIn
from relay.app.embedded_store import EmbeddedStore

WARM_UP_S: Final = 2
"""Of the same load before the window: code is compiled, connections are made."""
_BEGIN_IN_S: Final = 0.1
_IN_PROCESS: Final = ("benchmarks.transfers.service",)
_TRANSFERS_MAX: Final = 2000
_WORKERS_MAX: Final = 50
STAND_INS: Final = "benchmarks.transfers.stand_ins"
_HEADERS: Final = {"Authorization": f"Bearer {API_KEY}"}


@dataclass(slots=True)
class Asked:
    """What became of the requests of one window."""

    took_ms: list[float] = field(default_factory=list)
    """From the request being written to its answer being read."""
    began_late_ms: list[float] = field(default_factory=list)
    """How long after its time each request was begun: the load's own fault."""
    answers: Counter[int] = field(default_factory=Counter)
    transfer_ids: list[str] = field(default_factory=list)

    def ms(self, percentile: float) -> float:
        """So many percent were answered within this."""
        return float(np.percentile(self.took_ms, percentile))

    def late_ms(self, percentile: float) -> float:
        """So many percent were begun no later than this after their time."""
        return float(np.percentile(self.began_late_ms, percentile))


@dataclass(frozen=True, slots=True)
class TriggerTurn:
    """One window of load on one new service."""

    per_second: int
    asked: Asked
    ends: Mapping[str, int]
    """How the transfers ended: ``state reason``, and whether both were heard before."""
    dials: int
    streams: int
    violations: list[str]
    complaints: Mapping[str, int]
    cores: Mapping[str, float]
    """Of each process, how many it used within the window."""


async def measure_trigger(
    callee: str, *, seconds: int, per_second: int, cores: Cores, workers: bool = False
) -> TriggerTurn:
    """Start everything, ask for ``per_second`` transfers a second, and see each to its end."""
    async with EmbeddedStore() as embedded, Redis.from_url(embedded.url) as redis:
        with ExitStack() as stack:
            carrier = stack.enter_context(StandIn(STAND_INS, "carrier", "--callee", callee, core=cores.others))
            rooms = stack.enter_context(StandIn(STAND_INS, "rooms", core=cores.others))
            rooms_url = f"http://127.0.0.1:{rooms.port}"
            service = stack.enter_context(
                RelayService(
                    SERVE if workers else _IN_PROCESS,
                    max_transfers=_WORKERS_MAX if workers else _TRANSFERS_MAX,
                    store_url=embedded.url,
                    carrier_url=f"http://127.0.0.1:{carrier.port}",
                    rooms_url=rooms_url,
                    core=cores.service,
                )
            )
            processes = {"service": service, "simulated carrier": carrier, "local rooms": rooms}
            load = TriggerLoad(service.url, rooms_url)
            async with load.session:
                before = await load.ask(per_second * WARM_UP_S, per_second=per_second)
                usage = _Usage(processes, redis)
                await usage.begin()
                asked = await load.ask(per_second * seconds, per_second=per_second)
                used = await usage.end()
                ends = await load.ends([*before.transfer_ids, *asked.transfer_ids])
            seen = await asyncio.to_thread(carrier.end)
            return TriggerTurn(
                per_second,
                asked,
                ends,
                seen["dials"],
                seen["streams"],
                seen["violations"],
                dict(service.complaints),
                used,
            )


class TriggerLoad:
    """Asks one service; each request in a room of its own, with an idempotency key of its own."""

    def __init__(self, url: str, rooms_url: str) -> None:
        self._url = f"{url}/v1/transfers"
        self._rooms_url = rooms_url
        self._number = 0
        self.session = aiohttp.ClientSession(headers=_HEADERS, connector=aiohttp.TCPConnector(limit=0))

    async def ask(self, count: int, *, per_second: float) -> Asked:
        """Make so many requests, each at its time, and return when all are answered."""
        asked = Asked()
        loop = asyncio.get_running_loop()
        start_s = loop.time() + _BEGIN_IN_S
        gc.disable()  # the load's own pauses are nobody's latency
        async with asyncio.TaskGroup() as requests:
            for number in range(count):
                due_s = start_s + number / per_second
                await asyncio.sleep(due_s - loop.time())
                asked.began_late_ms.append(1000 * (loop.time() - due_s))
                requests.create_task(self._ask_one(asked))
        gc.enable()
        return asked

    async def _ask_one(self, asked: Asked) -> None:
        self._number += 1
        body = {"room_url": f"{self._rooms_url}/rooms/room-{self._number}", "destination": DESTINATION}
        headers = {"Idempotency-Key": f"call-{self._number}"}
        began_ns = time.perf_counter_ns()
        async with self.session.post(self._url, json=body, headers=headers) as answer:
            transfer: dict[str, Any] = await answer.json(content_type=None)
        asked.took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
        asked.answers[answer.status] += 1
        if "id" in transfer:
            asked.transfer_ids.append(transfer["id"])

    async def ends(self, transfer_ids: list[str]) -> dict[str, int]:
        """Wait for the end of each, one after the other: nearly all are over."""
        ends: Counter[str] = Counter()
        for transfer_id in transfer_ids:
            query = {"wait_s": "60", "until": "disconnected"}
            async with self.session.get(f"{self._url}/{transfer_id}", params=query) as answer:
                transfer = await answer.json(content_type=None)
            was_joined = "joined" in transfer.get("times", ())
            end = f"{transfer.get('state', 'not told')} {transfer.get('reason') or ''}".strip()
            ends[f"joined, then {end}" if was_joined else end] += 1
        return dict(ends)


class _Usage:
    """CPU time of the processes, the store's and this one's, over a window."""

    def __init__(self, processes: Mapping[str, Child], redis: Redis) -> None:
        self._processes = processes
        self._redis = redis
        self._began: dict[str, float] = {}
        self._began_s = 0.0

    async def begin(self) -> None:
        """Count from now on."""
        self._began = await self._cpu_s()
        self._began_s = time.monotonic()

    async def end(self) -> dict[str, float]:
        """Cores in use since then."""
        took_s = time.monotonic() - self._began_s
        return {name: (cpu_s - self._began[name]) / took_s for name, cpu_s in (await self._cpu_s()).items()}

    async def _cpu_s(self) -> dict[str, float]:
        used = await self._redis.info("cpu")
        store_s = float(used["used_cpu_sys"]) + float(used["used_cpu_user"])
        return {
            **{name: process.cpu_s() for name, process in self._processes.items()},
            "workers that have ended": self._processes["service"].children_cpu_s(),
            "Valkey": store_s,
            "load": time.process_time(),
        }
