"""What is read of the machine: of a planted one, and of this one as far as it must be there everywhere."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import pytest

from relay.app import machine as module
from relay.app.machine import DESCRIPTORS_PER_TRANSFER, Machine, check_descriptors
from relay.errors import ConfigurationError
from tests.app.planted import MIB, PlantedMachine, in_group_v2

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def planted(tmp_path: Path) -> PlantedMachine:
    return PlantedMachine(tmp_path)


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine's we may run on 0 to 3; nothing gives way to us, nor we to anything, unless a test says so."""
    monkeypatch.setattr(module, "_processors", lambda: {f"cpu{number}" for number in range(4)})
    be_nice(monkeypatch, 0)


def be_nice(monkeypatch: pytest.MonkeyPatch, nice: int) -> None:
    monkeypatch.setattr(os, "getpriority", lambda *_: nice)


def write_busy(planted: PlantedMachine, busy_s: float) -> None:
    """All four have been so for so long; two others, of which the service has none, the whole time."""
    busy, idle = int(busy_s * TICKS_PER_S), int((1000 - busy_s) * TICKS_PER_S)
    planted.write_stat(*[{"user": busy, "idle": idle}] * 4, *[{"user": 1000 * TICKS_PER_S}] * 2)


# --- Processors ---


def test_f36_whoever_uses_the_processors_leaves_none_for_a_call(planted: PlantedMachine) -> None:
    """User, system, interrupts and what a hypervisor took for others; not what waits for a disk, and no guest twice."""
    machine = Machine(proc=planted.proc)
    planted.write_stat({}, {}, {}, {})
    assert machine.read(100.0).cpu_share is None
    second = TICKS_PER_S
    planted.write_stat(
        {"user": second, "guest": second, "idle": second},
        {"system": second, "iowait": second},
        {"irq": second, "softirq": second},
        {"steal": second, "idle": second},
    )
    assert machine.read(102.0).cpu_share == pytest.approx(5 / 8)


@pytest.mark.parametrize(("nice", "share"), [(-5, 0.25), (0, 0.25), (5, 1.0)])
def test_f36_what_gives_way_to_the_service_leaves_room(
    planted: PlantedMachine, monkeypatch: pytest.MonkeyPatch, nice: int, share: float
) -> None:
    be_nice(monkeypatch, nice)
    machine = Machine(proc=planted.proc)
    planted.write_stat({}, {}, {}, {})
    machine.read(100.0)
    planted.write_stat(*[{"user": TICKS_PER_S // 2, "nice": 3 * TICKS_PER_S // 2}] * 4)
    assert machine.read(102.0).cpu_share == pytest.approx(share)


def test_f36_processors_are_used_as_in_the_last_two_seconds(planted: PlantedMachine) -> None:
    """All are busy for one second: a short burst is not taken for load, nor a short rest for room."""
    machine = Machine(proc=planted.proc)
    shares = []
    for step in range(13):
        write_busy(planted, min(max(step * 0.5 - 3, 0), 1))
        shares.append(machine.read(100 + step * 0.5).cpu_share)
    assert shares == [None] * 4 + [0, 0, 0, 0.25, 0.5, 0.5, 0.5, 0.25, 0]


def test_f36_a_quota_counts_everything_in_its_group_and_nothing_else(tmp_path: Path) -> None:
    planted = in_group_v2(tmp_path)
    write_busy(planted, 0)
    planted.write_cpu_v2("sys", quota="150000 100000", used_s=10.0)
    machine = Machine(proc=planted.proc)
    assert machine.read(100.0).cpu_share is None
    write_busy(planted, 2)
    planted.write_cpu_v2("sys", quota="150000 100000", used_s=12.4)
    assert machine.read(102.0).cpu_share == pytest.approx(0.8)
    planted.write_cpu_v2("sys", quota="300000 100000", used_s=13.2)
    assert machine.read(103.0).cpu_share is None
    planted.write_cpu_v2("sys", quota="300000 100000", used_s=13.8)
    assert machine.read(105.0).cpu_share == pytest.approx(0.1)


def test_f36_a_quota_beyond_the_machine_is_none(tmp_path: Path) -> None:
    planted = in_group_v2(tmp_path)
    planted.write_cpu_v2("sys", quota="800000 100000", used_s=0.0)
    write_busy(planted, 0)
    machine = Machine(proc=planted.proc)
    machine.read(100.0)
    write_busy(planted, 2)
    assert machine.read(102.0).cpu_share == pytest.approx(1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="expected /proc, which is Linux's")
def test_f36_this_machine_says_how_busy_each_of_our_processors_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    machine = Machine()
    before = list(machine._busy())
    began_s = time.process_time()
    while time.process_time() - began_s < 0.2:  # at least so much is used between the two
        pass
    after = list(machine._busy())
    assert len(before) == len(after) == len(os.sched_getaffinity(0))
    assert sum(after) - sum(before) >= 0.15


# --- Memory ---


def test_f37_memory_is_that_of_the_limit_that_is_nearest(tmp_path: Path) -> None:
    planted = in_group_v2(tmp_path)
    planted.write_memory_v2("sys", limit=400 * MIB, used=350 * MIB, droppable=10 * MIB)
    reading = Machine(proc=planted.proc).read(0.0)
    assert (reading.memory_share, reading.memory_left_bytes) == (0.85, 60 * MIB)


def test_f37_without_a_limit_the_machine_has_what_it_has(tmp_path: Path) -> None:
    planted = PlantedMachine(tmp_path, available_bytes=50 * MIB)
    reading = Machine(proc=planted.proc).read(0.0)
    assert (reading.memory_share, reading.memory_left_bytes) == (None, 50 * MIB)


def test_f37_a_limit_does_not_make_memory(tmp_path: Path) -> None:
    planted = PlantedMachine(tmp_path, available_bytes=50 * MIB)
    planted.belongs_to("0::/")
    planted.mount("cgroup2", "sys")
    planted.write_memory_v2("sys", limit=1000 * MIB, used=100 * MIB)
    reading = Machine(proc=planted.proc).read(0.0)
    assert (reading.memory_share, reading.memory_left_bytes) == (0.1, 50 * MIB)


# --- Descriptors ---


def allow(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (count, resource.RLIM_INFINITY))


def test_f38_descriptors_are_counted(planted: PlantedMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux had it before 6.2, where the size of the folder said nothing; here it says what its file system says."""
    allow(monkeypatch, 1000)
    machine = Machine(proc=planted.proc)
    fd = planted.proc / "self" / "fd"
    monkeypatch.setattr(Path, "stat", lambda _: os.stat_result([0] * 10))
    for number in range(250):
        (fd / str(number)).touch()
    assert machine.read(0.0).descriptors_share == 0.25
    allow(monkeypatch, resource.RLIM_INFINITY)
    assert machine.read(0.0).descriptors_share is None


@pytest.mark.skipif(sys.platform != "linux", reason="expected /proc, which is Linux's")
def test_f38_the_descriptors_of_this_process_are_seen() -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = Machine().read(0.0).descriptors_share
    held = [os.dup(0) for _ in range(10)]
    after = Machine().read(0.0).descriptors_share
    for descriptor in held:
        os.close(descriptor)
    assert before is not None
    assert after is not None
    assert (after - before) * allowed == pytest.approx(10)


def test_f38_as_many_descriptors_as_transfers_need_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed in (50 * DESCRIPTORS_PER_TRANSFER, 1 << 20, resource.RLIM_INFINITY):
        allow(monkeypatch, allowed)
        check_descriptors(50)


def test_f38_too_few_descriptors_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, 50 * DESCRIPTORS_PER_TRANSFER - 1)
    with pytest.raises(ConfigurationError) as told:
        check_descriptors(50)
    assert str(told.value) == (
        "RLIMIT_NOFILE: expected at least 200 descriptors, 4 for each of RELAY_MAX_TRANSFERS, got 199; raise it "
        "(`ulimit -n 200`, LimitNOFILE=200 in a systemd unit, a container's ulimits), "
        "or set RELAY_MAX_TRANSFERS to 49 at most"
    )
    allow(monkeypatch, 3)
    with pytest.raises(ConfigurationError) as told:
        check_descriptors(1)
    assert "RELAY_MAX_TRANSFERS to" not in str(told.value)


# --- All of it ---


def test_where_nothing_can_be_read_nothing_is_bounded(tmp_path: Path) -> None:
    reading = Machine(proc=tmp_path / "nothing").read(0.0)
    assert (reading.memory_share, reading.memory_left_bytes, reading.descriptors_share) == (None, None, None)


def test_this_machine_is_read_in_no_time() -> None:
    """It is done on the loop that serves."""
    machine = Machine()
    machine.read(time.monotonic())
    took_s = min(_took_s(machine) for _ in range(5))
    print(f"machine: read in {took_s * 1000:.2f} ms")
    assert took_s < 0.01


def _took_s(machine: Machine) -> float:
    began_s = time.thread_time()  # the machine may have others to serve
    machine.read(time.monotonic())
    return time.thread_time() - began_s
