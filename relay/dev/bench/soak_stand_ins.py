"""What stands in around the service in a soak, as processes: the simulated carrier, or the rooms."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
import uvloop

from relay.dev.bench.processes import obey
from relay.dev.bench.soak_kinds import BRIDGE, outcome_of_number
from relay.dev.carrier import SimulatedCarrier
from relay.dev.phone_playout import RATE_HZ
from relay.dev.phone_source import repeated
from relay.dev.room_server import RoomServer

FORGET_S: Final = 5.0
AGENT_HZ: Final = 700
"""Whole periods in a frame."""
VIOLATIONS_MAX: Final = 5


def tone(hz: int, rate_hz: int) -> bytes:
    """A second of a tone, at a quarter of full scale: L16."""
    return array("h", (round(8192 * math.sin(2 * math.pi * hz * n / rate_hz)) for n in range(rate_hz))).tobytes()


class CarrierWatch:
    """What is seen at the simulated carrier: calls that are over are counted and let go of, so that it can go on."""

    def __init__(self, carrier: SimulatedCarrier) -> None:
        self._carrier = carrier
        self._over: Counter[str] = Counter()
        self._violations: list[str] = []

    def tidy(self) -> None:
        """Count what is over, and keep no audio."""
        calls = self._carrier.calls
        for call in [each for each in calls if not each.is_live]:
            self._over[call.status] += 1
            self._violations += call.violations
            calls.remove(call)
        for call in calls:
            for phone in call.phones:
                phone.forget()

    def seen(self) -> dict[str, Any]:
        """How it stands now."""
        self.tidy()
        return {
            "live": len(self._carrier.live_calls),
            "over": dict(self._over),
            "violations": [*self._carrier.violations, *self._violations][:VIOLATIONS_MAX],
            "bridges": {
                call.sid: [len(call.phone.sent_ns), call.phone.frames_heard]
                for call in self._carrier.live_calls
                if call.to == BRIDGE.number and call.phone is not None
            },
        }


async def carrier() -> None:
    """Take every call."""
    says = repeated(tone(AGENT_HZ, RATE_HZ))
    async with SimulatedCarrier(script=lambda number: outcome_of_number(number, says)) as simulated:
        watch = CarrierWatch(simulated)
        tidying = asyncio.create_task(_every(FORGET_S, watch.tidy))
        await _serve(simulated.port, {"seen": watch.seen, "settings": lambda: _settings(simulated)})
        tidying.cancel()


def _settings(simulated: SimulatedCarrier) -> Mapping[str, str]:
    return simulated.dialect.settings(simulated.api_url, BRIDGE.number)


async def rooms() -> None:
    """Serve rooms."""
    async with RoomServer(port=0) as server:
        await _serve(server.port, {"seen": lambda: {"rooms": {name: server.names(name) for name in server.rooms}}})


async def _serve(port: int, commands: Mapping[str, Callable[[], object]]) -> None:
    print(json.dumps({"port": port}), flush=True)
    await obey(commands)


async def _every(interval_s: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(interval_s)
        act()


def main() -> None:
    """Run one of them until its standard input ends."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run({"carrier": carrier, "rooms": rooms}[sys.argv[1]]())


if __name__ == "__main__":
    main()
