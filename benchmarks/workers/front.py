"""
A front without transfers: whoever opens a media stream is given a worker, a room, and its socket handed over.

Its commands are those of ``bridge.server``; ``pids`` prints those of its workers, which share its core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import numpy as np
import structlog
import uvloop

from relay.app.bridging import WORKER
from relay.bridge.events import Ended
from relay.bridge.messages import Configure, RoomSpec
from relay.bridge.pool import WorkerPool
from relay.bridge.stats import BridgeStats
from relay.dev.bench.server import freeze, obey
from relay.transfers.ports import BridgeEvent, MediaSocket
from relay.transfers.record import TransferOrder

_HEAD_END: Final = b"\r\n\r\n"
Worker = Literal["local", "daily", "daily_devices"]
DAILY_DEVICES: Final = (*WORKER[:-1], "benchmarks.workers.daily_worker")
"""As ``relay.app.worker``, with the devices of the SDK and a client made when it is ready."""


def order_of(room_url: str) -> TransferOrder:
    """A transfer, as far as a bridge goes."""
    number = "+14155550123"
    return TransferOrder(room_url=room_url, provider="twilio", to=number, to_masked="+*********23", from_number=number)


def pool_of(worker: Worker, *, workers_max: int, spares: int, **options: Any) -> WorkerPool:
    """Workers with the rooms' code loaded that they are for."""
    kind: Literal["local", "daily"] = "local" if worker == "local" else "daily"
    return WorkerPool(
        DAILY_DEVICES if worker == "daily_devices" else WORKER,
        rooms=lambda order: RoomSpec(kind=kind, url=order.room_url),
        configure=Configure(log_level="error", log_format="json", rooms=(kind,)),
        workers_max=workers_max,
        spares=spares,
        **options,
    )


class Front:
    """
    Gives each connection a call.

    Args:
        worker: of which kind.
        spares: to be ready before the first connection.
        rooms_url: the origin of the rooms.
    """

    def __init__(self, worker: Worker, *, spares: int, rooms_url: str) -> None:
        self._rooms_url = rooms_url
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._own_time_ms: dict[str, list[float]] = {"agent to room": [], "room to agent": []}
        self._ended = 0
        self.pool = pool_of(
            worker, workers_max=spares, spares=spares, on_statistics=self._take_statistics, on_ended=self._take_end
        )

    async def serve(self) -> None:
        """Start the spares, say where it listens, and obey."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listener.settimeout(0)
        await self.pool.open()
        await self.pool.until_spares_ready()
        accepting = asyncio.create_task(self._accept(listener))
        await obey(
            listener.getsockname()[1], {"freeze": freeze, "begin": self.begin, "pids": self._pids, "end": self.seen}
        )
        accepting.cancel()
        await self.pool.close()

    def begin(self) -> None:
        """Forget what workers have said so far."""
        for each in self._own_time_ms.values():
            each.clear()

    def seen(self) -> Mapping[str, Any]:
        """What workers have said since ``begin``: of each second of each call the p99 of own time, and of those p99."""
        p99_ms = {name: float(np.percentile(values or [0.0], 99)) for name, values in self._own_time_ms.items()}
        return {
            "own_time_p99_ms": p99_ms,
            "bridges": self.pool.count,
            "ended": self._ended,
            "lost": self.pool.lost_count,
        }

    def _pids(self) -> None:
        print(json.dumps(self.pool.pids), flush=True)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(self._take(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        request = b""
        while _HEAD_END not in request:
            if not (data := await asyncio.get_running_loop().sock_recv(connection, 4096)):
                raise ConnectionError("expected an upgrade request, got an end")
            request += data
        self._calls += 1
        room_url = f"{self._rooms_url}/rooms/call-{self._calls}"
        bridge = await self.pool.acquire(f"tr_{self._calls}", order_of(room_url), held=False, on_event=_ignore)
        await bridge.join()
        bridge.hand_over(MediaSocket(connection.detach(), request, "twilio"))

    def _take_statistics(self, _transfer_id: str, stats: BridgeStats) -> None:
        for name, way in (("agent to room", stats.agent_to_room), ("room to agent", stats.room_to_agent)):
            if way is not None:
                self._own_time_ms[name].append(way.own_time.p99_ms)

    def _take_end(self, _transfer_id: str, ended: Ended) -> None:
        self._ended += 1
        print(f"a call has ended: {ended.reason} {ended.detail}", file=sys.stderr)


def _ignore(_: BridgeEvent) -> None:
    """Nobody is told: there is no transfer."""


def quiet() -> None:
    """Log what is wrong only, and never to the standard output, which is for answers."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", choices=get_args(Worker), default="local")
    parser.add_argument("--spares", type=int, required=True)
    parser.add_argument("--rooms-url", default="http://127.0.0.1:9")
    arguments = parser.parse_args()

    async def serve() -> None:
        await Front(arguments.worker, spares=arguments.spares, rooms_url=arguments.rooms_url).serve()

    quiet()
    uvloop.run(serve())


if __name__ == "__main__":
    main()
