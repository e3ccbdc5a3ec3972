"""What stands in around the service, as processes: the simulated carrier, or the local rooms."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from typing import Any

import structlog
import uvloop

from relay.dev.bench.server import freeze, obey
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import BUSY, Answers, Outcome
from relay.dev.room_server import RoomServer

TALK_S = 0.5
CALLEES = {"busy": BUSY, "answers": Outcome(callee=Answers(hangs_up_after_s=TALK_S))}
"""What becomes of each call, at once; an agent who answers hangs up after ``TALK_S``."""


async def carrier(callee: str) -> None:
    """Take every call; ``end`` tells what has been seen."""
    async with SimulatedCarrier(script=CALLEES[callee]) as simulated:

        async def end() -> dict[str, Any]:
            await simulated.until_idle(timeout_s=60)
            violations = [*simulated.violations, *(each for call in simulated.calls for each in call.violations)]
            streams = sum(len(call.phones) for call in simulated.calls)
            return {"dials": simulated.dials, "streams": streams, "violations": violations[:5]}

        freeze()
        await obey(simulated.port, {"end": end})


async def rooms() -> None:
    """Serve rooms; ``end`` has nothing to tell."""
    async with RoomServer(port=0) as server:
        freeze()
        await obey(server.port, {"end": dict})


def main() -> None:
    """Run one of them until its standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("carrier", "rooms"))
    parser.add_argument("--callee", choices=CALLEES, default="answers")
    arguments = parser.parse_args()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(carrier(arguments.callee) if arguments.what == "carrier" else rooms())


if __name__ == "__main__":
    main()
