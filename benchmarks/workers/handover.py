"""
Owns the hand-over: how long a carrier waits for its 101, how that is shared, and when its phone hears the room.

The service is ``relay serve`` with real workers, the transfers come one after the other.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.transfers.processes import Cores, RelayService, StandIn
from benchmarks.transfers.trigger import TriggerLoad
from benchmarks.workers.memory import ROOMS
from benchmarks.workers.starts import Times
from relay.app.embedded_store import EmbeddedStore

PER_SECOND: Final = 1
"""The worker of each is replaced before it is answered, and it is answered before the next one takes its own."""
WARM_UP: Final = 3
_TRANSFERS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class HandOvers:
    """What became of the media sockets of one turn."""

    whole: Times
    """From the request's last byte being written to the 101 being read."""
    front: Times
    """Of that, until the front began to hand it over."""
    worker: Times
    """Of that, the rest."""
    heard: Times
    """From the 101 being read to the first message being read in which the room can be heard."""
    answers: Mapping[str, int]
    """To the requests for transfers."""
    unheard: int
    """Media sockets that opened, and never heard the room."""
    complaints: Mapping[str, int]
    violations: Sequence[str]


async def measure_hand_overs(count: int, *, cores: Cores) -> HandOvers:
    """Make so many transfers, and some before to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        noted = pathlib.Path(folder) / "handed_over"
        async with EmbeddedStore() as embedded:
            with ExitStack() as stack:
                carrier = stack.enter_context(StandIn("benchmarks.workers.carrier", core=cores.others))
                rooms = stack.enter_context(StandIn(ROOMS, core=cores.others))
                rooms_url = f"http://127.0.0.1:{rooms.port}"
                service = stack.enter_context(
                    RelayService(
                        ("benchmarks.workers.service", str(noted)),
                        store_url=embedded.url,
                        carrier_url=f"http://127.0.0.1:{carrier.port}",
                        rooms_url=rooms_url,
                        max_transfers=_TRANSFERS_MAX,
                        core=cores.service,
                    )
                )
                load = TriggerLoad(service.url, rooms_url)
                async with load.session:
                    asked = await load.ask(WARM_UP + count, per_second=PER_SECOND)
                    await load.ends(asked.transfer_ids)
                seen = await asyncio.to_thread(carrier.end)
        # The service has ended, and has written what it noted.
        return _found(seen, json.loads(noted.read_text()), asked.answers, service.complaints)


def _found(
    seen: Mapping[str, Any], handed_over_ns: Mapping[str, int], answers: Counter[int], complaints: Mapping[str, int]
) -> HandOvers:
    opened = [each for each in seen["seen"] if each["opened_ns"] and each["transfer_id"] in handed_over_ns][WARM_UP:]
    heard = [each for each in opened if each["heard_ns"]]
    between = [(each["asked_ns"], handed_over_ns[each["transfer_id"]], each["opened_ns"]) for each in opened]
    return HandOvers(
        whole=_times((asked_ns, opened_ns) for asked_ns, _, opened_ns in between),
        front=_times((asked_ns, handed_ns) for asked_ns, handed_ns, _ in between),
        worker=_times((handed_ns, opened_ns) for _, handed_ns, opened_ns in between),
        heard=_times((each["opened_ns"], each["heard_ns"]) for each in heard),
        answers={str(status): number for status, number in answers.items()},
        unheard=len(opened) - len(heard),
        complaints=dict(complaints),
        violations=seen["violations"],
    )


def _times(spans_ns: Iterable[tuple[int, int]]) -> Times:
    return Times([(end_ns - begin_ns) / 1e6 for begin_ns, end_ns in spans_ns])
