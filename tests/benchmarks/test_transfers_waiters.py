"""A few waiters of each kind, those over HTTP at a real service."""

import asyncio
import sys

import pytest

from benchmarks.transfers.processes import Cores
from benchmarks.transfers.report import CONNECTIONS_MAX
from benchmarks.transfers.waiters import measure_waiters


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps a process on a core")
def test_all_are_woken_in_every_way_over_few_connections() -> None:
    ways = asyncio.run(measure_waiters(waiters=5, per_second=50, cores=Cores.here()))
    assert len({way.how for way in ways}) == 4
    for way in ways:
        assert (len(way.took_ms), way.failed) == (5, 0), way.how
        assert way.ms(50) > 0
        assert 1 <= way.connections <= CONNECTIONS_MAX
