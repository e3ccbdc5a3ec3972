"""The machine is read again and again, and what follows is told, logged and counted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.app import admission as admission_module
from relay.app.admission import HOLD_S, Admission, Reading, Shortage
from relay.app.machine import Machine
from relay.app.machine_watch import SAMPLE_S, START_S, MachineWatch, watching
from relay.app.metrics import Metrics
from relay.errors import Overloaded
from tests.app.planted import MIB, PlantedMachine, in_group_v2
from tests.transfers.clock import ManualClock

MAX_S = 20.0
pytestmark = pytest.mark.usefixtures("real_machine")


class Watched:
    """A watch over a planted machine, whose clock the test moves."""

    def __init__(self, planted: PlantedMachine) -> None:
        self.clock = ManualClock()
        self.admission = Admission()
        self.watch = MachineWatch(
            self.admission,
            Machine(proc=planted.proc),
            call_later=self.clock.call_later,
            now_s=lambda: self.clock.now_s,
        )


def test_f37_a_limit_that_is_nearly_reached_closes_the_door_and_is_logged_once(tmp_path: Path) -> None:
    planted = in_group_v2(tmp_path)
    planted.write_memory_v2("sys", limit=1000 * MIB, used=500 * MIB)
    on = Watched(planted)
    with capture_logs() as logs:
        on.watch.start()
        on.clock.advance(10)
        on.admission.check()
        planted.write_memory_v2("sys", limit=1000 * MIB, used=870 * MIB)
        on.clock.advance(SAMPLE_S)
        with pytest.raises(Overloaded, match="85 % of the memory in use at most, and under 80 % again, got 87%"):
            on.admission.check()
        on.clock.advance(10)
        planted.write_memory_v2("sys", limit=1000 * MIB, used=700 * MIB)
        on.clock.advance(HOLD_S + SAMPLE_S)
        on.admission.check()
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("transfers_refused", "warning"),
        ("transfers_taken_again", "info"),
    ]
    assert logs[0]["short_of"] == logs[1]["enough_of"] == "memory"


def test_f36_a_loop_that_lags_closes_the_door(tmp_path: Path) -> None:
    on = Watched(PlantedMachine(tmp_path))
    on.watch.start()
    on.clock.advance(5)
    for _ in range(60):
        on.clock.stand_still(0.05)
        on.clock.advance(0.02)
    assert on.watch.reading.loop_lag_ms == pytest.approx(40, abs=1)
    assert set(on.admission.short_of) == {Shortage.LOOP}
    on.clock.advance(2 * HOLD_S + 2 * SAMPLE_S)
    assert on.admission.short_of == {}


@pytest.mark.parametrize("busy_s", [START_S - 1, START_S + HOLD_S + 2 * SAMPLE_S])
def test_f36_what_the_start_of_the_service_takes_refuses_nobody(tmp_path: Path, busy_s: float) -> None:
    """Of that which is still so afterwards, the first readings count as any others."""
    planted = in_group_v2(tmp_path)
    on = Watched(planted)
    began_s, short = on.clock.now_s, set[Shortage]()
    on.watch.start()
    while (age_s := on.clock.now_s - began_s) < 2 * START_S:
        planted.write_cpu_v2("sys", quota="1000 100000", used_s=min(age_s, busy_s) / 100)
        on.clock.stand_still(0.05 if age_s < busy_s else 0.0)
        on.clock.advance(0.02)
        short |= set(on.admission.short_of)
        assert not short or age_s >= START_S
    assert short == (set() if busy_s < START_S else {Shortage.LOOP, Shortage.CPU})


def test_one_that_is_stopped_leaves_no_timer(tmp_path: Path) -> None:
    on = Watched(PlantedMachine(tmp_path))
    on.watch.start()
    on.clock.advance(3)
    on.watch.stop()
    assert on.clock.delays_s == []
    on.watch.stop()


def test_what_is_read_is_in_the_metrics(tmp_path: Path) -> None:
    planted = in_group_v2(tmp_path)
    planted.write_memory_v2("sys", limit=1000 * MIB, used=500 * MIB)

    async def text() -> str:
        metrics = Metrics()
        with watching(metrics, Machine(proc=planted.proc)) as admission:
            admission.note(0.0, Reading(memory_share=0.9))
            with pytest.raises(Overloaded):
                admission.check()
            return metrics.render().decode()

    lines = uvloop.run(text()).splitlines()
    assert "relay_memory_share 0.5" in lines
    assert 'relay_admission_refused_total{shortage="memory"} 1.0' in lines
    for name in ("relay_loop_lag_seconds", "relay_cpu_share", "relay_descriptors_share"):
        assert any(line.startswith(f"{name} ") for line in lines)


@pytest.mark.long
def test_f36_a_real_loop_that_is_made_to_lag_refuses_and_then_takes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission_module, "HOLD_S", 0.5)
    # Others may keep it waiting for 20 ms, too.
    quick = [admission_module.Bound(Shortage.LOOP, lambda reading: reading.loop_lag_ms, 100.0, 50.0, 0.5, str)]
    planted = PlantedMachine(tmp_path)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        is_busy = True

        def work() -> None:
            if is_busy:
                time.sleep(0.25)  # it is this that makes the loop late
                loop.call_later(0.02, work)

        with watching(Metrics(), Machine(proc=planted.proc), quick) as admission:
            work()
            while not admission.short_of:
                await _next_turn()
            is_busy = False
            while admission.short_of:
                await _next_turn()

    async def bounded() -> None:
        async with asyncio.timeout(MAX_S):
            await scenario()

    uvloop.run(bounded())


async def _next_turn() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_later(0.005, turned.set)
    await turned.wait()
