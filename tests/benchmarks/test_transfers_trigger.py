"""A few transfers through a real service, its carrier and its rooms being processes of their own."""

import asyncio
import sys

import pytest

from benchmarks.transfers.processes import Cores
from benchmarks.transfers.stand_ins import CALLEES
from benchmarks.transfers.trigger import WARM_UP_S, measure_trigger

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps a process on a core"),
]


@pytest.mark.parametrize(("callee", "workers"), [*((callee, False) for callee in CALLEES), ("answers", True)])
def test_every_request_is_answered_and_every_transfer_ends_with_one_call_at_most(
    callee: str,
    workers: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Nothing is said of how fast: others may use this machine."""
    turn = asyncio.run(measure_trigger(callee, seconds=1, per_second=4, cores=Cores.here(), workers=workers))
    made = sum(turn.ends.values())
    assert sum(turn.asked.answers.values()) == len(turn.asked.took_ms) == 4
    assert turn.asked.answers[201] == len(turn.asked.transfer_ids)
    assert 0 < turn.dials <= made <= 4 * (1 + WARM_UP_S)
    assert turn.violations == []
    assert (turn.streams > 0) == (callee == "answers")
    assert turn.asked.ms(50) > 0
    assert set(turn.cores) == {
        "service",
        "simulated carrier",
        "local rooms",
        "workers that have ended",
        "Valkey",
        "load",
    }
    assert turn.cores["service"] > 0
