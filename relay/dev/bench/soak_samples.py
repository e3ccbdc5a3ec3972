"""What a soak reads of the service again and again, and what it says of the growth of a series."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from relay.dev.bench.processes import ZOMBIE, Held, descendants, held_by
from relay.dev.bench.service import metrics_of

WORKER: Final = "relay.app.worker"
STORE: Final = "valkey-server"
WINDOW: Final = 0.1
"""Of a series, at each end: what is compared are the medians of the two."""


@dataclass(frozen=True, slots=True)
class Sample:
    """
    The service at one time.

    Args:
        at_s: since the start of the run.
        done: set-ups that were over.
        service: the front.
        store: the embedded server; None: there is none.
        workers: by process id.
        tasks: asyncio's, of the service.
        live: transfers that hold a bridge.
        spares: that a worker is ready for.
        zombies: children that have ended, and nobody has asked for.
    """

    at_s: float
    done: int
    service: Held
    store: Held | None
    workers: Mapping[int, Held]
    tasks: int
    live: int
    spares: int
    zombies: frozenset[int]

    @property
    def own_descriptors(self) -> int:
        """Of the service, but for a worker's process and its end of a pair for each call, live or to come."""
        return self.service.descriptors - len(self.workers) - self.live - self.spares


class Sampler:
    """
    Reads one service.

    Args:
        pid, url: of the service.
        session: for its metrics.
    """

    def __init__(self, pid: int, url: str, session: aiohttp.ClientSession) -> None:
        self.samples: list[Sample] = []
        self._pid = pid
        self._url = url
        self._session = session

    async def take(self, at_s: float, done: int) -> Sample:
        """
        Read it now, and keep that.

        Raises:
            ConnectionError: the service is gone.
        """
        metrics = await self._metrics()
        family = descendants(self._pid)
        service = held_by(self._pid)
        if service is None:
            raise ConnectionError("soak: the service has ended by itself")
        stores = [pid for pid, (_, *command) in family.items() if command and STORE in command[0]]
        workers = {pid: held_by(pid) for pid, (_, *command) in family.items() if WORKER in command}
        sample = Sample(
            at_s,
            done,
            service,
            held_by(stores[0]) if stores else None,
            {pid: held for pid, held in workers.items() if held is not None},
            int(metrics["relay_tasks"]),
            int(metrics["relay_transfers_live"]),
            int(metrics["relay_worker_spares"]),
            frozenset(pid for pid, (state, *_) in family.items() if state == ZOMBIE),
        )
        self.samples.append(sample)
        return sample

    async def _metrics(self) -> Mapping[str, float]:
        async with self._session.get(f"{self._url}/metrics") as answer:
            return metrics_of(await answer.text())


@dataclass(frozen=True, slots=True)
class Growth:
    """How a series has grown: medians of its first and last windows, and the line of least squares through it all."""

    first: float
    last: float
    slope: float
    """A unit of the series for a unit of its abscissa."""

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> Growth:
        """
        Of points in order.

        Raises:
            ValueError: there are fewer than two.
        """
        if len(points) < 2:
            raise ValueError(f"growth: expected two points at least, got {len(points)}")
        window = max(1, round(len(points) * WINDOW))
        values = [value for _, value in points]
        slope = statistics.linear_regression(*zip(*points, strict=True)).slope
        return cls(statistics.median(values[:window]), statistics.median(values[-window:]), slope)

    @property
    def share(self) -> float:
        """Of the first window, how much was added."""
        return self.last / self.first - 1


def whole_time(samples: Sequence[Sample]) -> frozenset[int]:
    """The workers that were there in every one of these."""
    pids = [frozenset(sample.workers) for sample in samples]
    return frozenset.intersection(*pids) if pids else frozenset()


def repeated_zombies(samples: Sequence[Sample]) -> frozenset[int]:
    """Those that were seen twice running: one that has just ended is not yet asked for."""
    return frozenset().union(*(a.zombies & b.zombies for a, b in itertools.pairwise(samples)))
