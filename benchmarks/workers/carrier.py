"""The simulated carrier as a process, with a watch on when each media socket asked, was let in, and heard the room."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import orjson
import uvloop

from benchmarks.workers.front import quiet
from relay._codec import Decoder
from relay.dev import phone
from relay.dev.bench.server import freeze, obey
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.phone_websocket import Closed, WebSocket
from relay.transfers.record import TRANSFER_ID

RING_S: Final = 0.8
"""Until then the worker that replaces the transfer's is ready, on a machine that has nothing else to do."""
TALK_S: Final = 0.5
AUDIBLE: Final = 1000
"""Of full scale, 32767; the room speaks at 8000."""


@dataclass(slots=True)
class Seen:
    """One media socket, in ns of the monotonic clock, which all processes share; 0: it has not come so far."""

    transfer_id: str
    asked_ns: int = 0
    """The last byte of the upgrade request was written."""
    opened_ns: int = 0
    """The 101 was read."""
    heard_ns: int = 0
    """The first message was read in which the room can be heard."""


class WatchedWebSocket(WebSocket):
    """A phone's connection, watched."""

    seen: Final[list[Seen]] = []

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        subprotocols: Sequence[str] = (),
        received: Callable[[str | bytes], None],
        closed: Callable[[Closed], None],
    ) -> None:
        found = TRANSFER_ID.search(url)
        self._seen = Seen(found[0] if found is not None else "")
        self.seen.append(self._seen)

        def listen(message: str | bytes) -> None:
            if not self._seen.heard_ns and is_audible(message):
                self._seen.heard_ns = time.monotonic_ns()
            received(message)

        super().__init__(url, headers=headers, subprotocols=subprotocols, received=listen, closed=closed)

    def _flush(self, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        super()._flush(delay_ns=delay_ns, written=written if self._seen.asked_ns else self._asked)

    def _asked(self, at_ns: int) -> None:
        self._seen.asked_ns = at_ns

    def _upgraded(self, opened: asyncio.Future[None]) -> None:
        self._seen.opened_ns = time.monotonic_ns()
        super()._upgraded(opened)


def is_audible(message: str | bytes) -> bool:
    """Whether a message is media with more than silence in it."""
    content: dict[str, Any] = orjson.loads(message)
    if content.get("event") != "media":
        return False
    decoded = Decoder("pcmu", 8000, 8000).push_base64(content["media"]["payload"])
    return bool(np.abs(np.frombuffer(decoded, dtype="<i2").astype(np.int32)).max(initial=0) >= AUDIBLE)


async def run() -> None:
    """Take every call; ``end`` tells what was seen of each media socket."""
    async with SimulatedCarrier(script=Outcome(callee=Answers(after_s=RING_S, hangs_up_after_s=TALK_S))) as simulated:

        async def end() -> dict[str, Any]:
            await simulated.until_idle(timeout_s=60)
            violations = [*simulated.violations, *(each for call in simulated.calls for each in call.violations)]
            return {"seen": [asdict(each) for each in WatchedWebSocket.seen], "violations": violations[:5]}

        freeze()
        await obey(simulated.port, {"end": end})


if __name__ == "__main__":
    quiet()
    with patch.object(phone, "WebSocket", WatchedWebSocket):
        uvloop.run(run())
