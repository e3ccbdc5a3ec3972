"""Owns the starts: how long a worker takes to be ready, and a transfer to have one that is; run as a process."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import uvloop

from benchmarks.transfers.processes import Child
from benchmarks.workers.front import Worker, order_of, pool_of, quiet
from relay.transfers.reasons import Reason

ROOM_URL = "https://example.daily.co/support"


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, so often, in ms."""

    took_ms: Sequence[float]

    def ms(self, percentile: float) -> float:
        """So many percent took no longer than this; infinite if there was none."""
        return float(np.percentile(self.took_ms, percentile)) if self.took_ms else float("inf")


STARTED, ACQUIRED, BARE = "started", "acquired", "bare"
_NOTHING = (sys.executable, "-P", "-c", "pass")
"""Python's own start and end, on the same core in the same turns: a machine is slow at one time and not at another."""


def measure_starts(worker: Worker, count: int, *, core: int) -> Mapping[str, Times]:
    """Start so many, one after the other: ``STARTED`` and ``ACQUIRED``; and Python alone before each: ``BARE``."""
    with Child("benchmarks.workers.starts", worker, str(count), core=core) as child:
        return {name: Times(took_ms) for name, took_ms in json.loads(child.read_line()).items()}


async def _run(worker: Worker, count: int) -> dict[str, list[float]]:
    took_ms: dict[str, list[float]] = {STARTED: [], ACQUIRED: [], BARE: []}
    for _ in range(count + 1):
        began_ns = time.perf_counter_ns()
        subprocess.run(_NOTHING, check=True)  # noqa: ASYNC221 - nothing else is to go on; a constant
        took_ms[BARE].append((time.perf_counter_ns() - began_ns) / 1e6)
        pool = pool_of(worker, workers_max=1, spares=1)
        began_ns = time.perf_counter_ns()
        await pool.open()
        await pool.until_spares_ready()
        ready_ns = time.perf_counter_ns()
        bridge = await pool.acquire("tr_1", order_of(ROOM_URL), held=False, on_event=lambda _: None)
        took_ms[ACQUIRED].append((time.perf_counter_ns() - ready_ns) / 1e6)
        took_ms[STARTED].append((ready_ns - began_ns) / 1e6)
        await bridge.release(Reason.CANCELED_BY_API)
        await pool.close()
    return {name: each[1:] for name, each in took_ms.items()}  # the first has read files that others find in memory


def main() -> None:
    """Run, and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("worker")
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()

    async def run() -> dict[str, list[float]]:
        return await asyncio.wait_for(_run(arguments.worker, arguments.count), 10 + 10 * arguments.count)

    quiet()
    print(json.dumps(uvloop.run(run())), flush=True)


if __name__ == "__main__":
    main()
