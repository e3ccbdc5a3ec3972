"""The stand-ins around workers, and one call of each benchmark with real processes. Nothing is said of how fast."""

import asyncio
import sys

import pytest

from benchmarks.transfers.processes import Cores
from benchmarks.workers.carrier import is_audible
from benchmarks.workers.handover import measure_hand_overs
from benchmarks.workers.starts import ACQUIRED, BARE, STARTED, measure_starts
from tests.benchmarks import wire
from tests.signals.waves import pcm

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps a process on a core")


def media(said: bytes) -> bytes:
    return wire.media_prefixes(said)[0][8:] + wire.media_suffix(0)


def test_audible_is_media_that_is_more_than_silence() -> None:
    assert is_audible(media(pcm([8000.0, -8000.0] * 80)))
    assert not is_audible(media(bytes(320)))
    assert not is_audible('{"event":"mark","streamSid":"MZ0","mark":{"name":"1"}}')


@pytest.mark.long
def test_a_worker_starts_and_is_acquired() -> None:
    found = measure_starts("local", 1, core=Cores.here().service)
    assert {STARTED, ACQUIRED, BARE} == found.keys()
    assert found[STARTED].ms(50) > found[BARE].ms(50) > 0


@pytest.mark.long
def test_a_hand_over_is_shared_between_front_and_worker() -> None:
    found = asyncio.run(measure_hand_overs(1, cores=Cores.here()))
    assert found.violations == []
    for whole, front, worker in zip(found.whole.took_ms, found.front.took_ms, found.worker.took_ms, strict=True):
        assert whole == pytest.approx(front + worker)
        assert min(front, worker) > 0
