"""The stand-ins around workers, and one call of each benchmark with real processes. Nothing is said of how fast."""

import asyncio
import sys

import pytest

from benchmarks.bridge import wire
from benchmarks.transfers.processes import Cores, StandIn
from benchmarks.workers import capacity
from benchmarks.workers.carrier import is_audible
from benchmarks.workers.handover import measure_hand_overs
from benchmarks.workers.memory import ROOMS
from benchmarks.workers.rooms import lateness_ms, percentile
from benchmarks.workers.starts import ACQUIRED, BARE, STARTED, measure_starts
from relay.rooms.local import LocalRoom
from tests.rooms.listener import Listener, run
from tests.signals.waves import pcm

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux keeps a process on a core")


def media(said: bytes) -> bytes:
    return wire.media_prefixes(said)[0][8:] + wire.media_suffix(0)


def test_audible_is_media_that_is_more_than_silence() -> None:
    assert is_audible(media(pcm([8000.0, -8000.0] * 80)))
    assert not is_audible(media(bytes(320)))
    assert not is_audible('{"event":"mark","streamSid":"MZ0","mark":{"name":"1"}}')


def test_late_is_what_comes_more_than_a_frame_after_the_one_before_it() -> None:
    ms = 1_000_000
    assert lateness_ms([[0, 20 * ms, 45 * ms], [5 * ms, 20 * ms], [7 * ms]]) == [0.0, 5.0, -5.0]
    assert percentile([], 99) == float("inf")


@pytest.mark.long
def test_rooms_let_a_place_join_and_hear_a_customer_and_count_what_it_says() -> None:
    async def join(port: int) -> None:
        room, listener = LocalRoom(f"http://127.0.0.1:{port}/rooms/blue"), Listener()
        assert [each.name for each in await room.join(listener)] == ["customer"]
        await listener.has_heard(5)
        await room.leave()

    with StandIn(ROOMS, "--calls", "1", core=Cores.here().others) as rooms:
        run(join(rooms.port))


@pytest.mark.long
def test_a_worker_starts_and_is_acquired() -> None:
    found = measure_starts("local", 1, core=Cores.here().service)
    assert {STARTED, ACQUIRED, BARE} == found.keys()
    assert found[STARTED].ms(50) > found[BARE].ms(50) > 0


@pytest.mark.long
def test_a_step_counts_the_frames_of_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "SETTLE_S", 1)
    step = capacity._step(2, 1, Cores.here())
    assert (step.calls, step.ended, step.failure) == (2, 0, "")
    assert step.answered > 0.5
    assert 0 < step.core <= 1


@pytest.mark.long
def test_a_hand_over_is_shared_between_front_and_worker() -> None:
    found = asyncio.run(measure_hand_overs(1, cores=Cores.here()))
    assert found.violations == []
    for whole, front, worker in zip(found.whole.took_ms, found.front.took_ms, found.worker.took_ms, strict=True):
        assert whole == pytest.approx(front + worker)
        assert min(front, worker) > 0
