"""Limits of control groups, of both versions, as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.app.cgroups import Cgroups, CpuQuota, MemoryLimit
from tests.app.planted import MIB, PlantedMachine, in_group_v2

NONE_V1 = 9223372036854771712


@pytest.fixture
def machine(tmp_path: Path) -> PlantedMachine:
    return PlantedMachine(tmp_path)


def limits(machine: PlantedMachine) -> list[MemoryLimit]:
    return list(Cgroups(machine.proc).memory_limits())


# --- Version 2 ---


def test_v2_in_a_container(tmp_path: Path) -> None:
    machine = in_group_v2(tmp_path)
    machine.write_cpu_v2("sys", quota="150000 100000", used_s=12.5)
    machine.write_memory_v2("sys", limit=512 * MIB, used=300 * MIB, droppable=40 * MIB)
    assert Cgroups(machine.proc).cpu_quota() == CpuQuota(1.5, 12.5)
    assert limits(machine) == [MemoryLimit(512 * MIB, 260 * MIB)]


def test_v2_of_a_systemd_unit_has_the_groups_around_it_too(machine: PlantedMachine) -> None:
    machine.belongs_to("0::/system.slice/relay.service")
    machine.mount("cgroup2", "sys")
    machine.write_cpu_v2("sys/system.slice/relay.service", quota="max 100000", used_s=1)
    machine.write_cpu_v2("sys/system.slice", quota="50000 100000", used_s=7)
    machine.write_memory_v2("sys/system.slice/relay.service", limit=200 * MIB, used=100 * MIB)
    machine.write_memory_v2("sys/system.slice", limit="max", used=900 * MIB)
    assert Cgroups(machine.proc).cpu_quota() == CpuQuota(0.5, 7.0)
    assert limits(machine) == [MemoryLimit(200 * MIB, 100 * MIB)]


# --- Version 1 ---


def test_v1_in_a_container_whose_group_is_what_is_mounted(machine: PlantedMachine) -> None:
    """Docker names the group as the machine knows it, and mounts it where the root would be."""
    machine.belongs_to("5:cpu,cpuacct:/docker/abc", "4:memory:/docker/abc", "1:name=systemd:/docker/abc")
    machine.mount("cgroup", "sys/cpu", options="rw,cpu,cpuacct", root="/docker/abc")
    machine.mount("cgroup", "sys/memory", options="rw,memory", root="/docker/abc")
    machine.write("sys/cpu", cpu__cfs_quota_us=200000, cpu__cfs_period_us=100000, cpuacct__usage=3_000_000_000)
    machine.write_memory_v1("sys/memory", limit=256 * MIB, used=250 * MIB, droppable=50 * MIB)
    assert Cgroups(machine.proc).cpu_quota() == CpuQuota(2.0, 3.0)
    assert limits(machine) == [MemoryLimit(256 * MIB, 200 * MIB)]


def test_v1_whose_group_is_not_to_be_seen_has_the_one_that_is_mounted(machine: PlantedMachine) -> None:
    machine.belongs_to("4:memory:/../../elsewhere")
    machine.mount("cgroup", "sys/memory", options="rw,memory", root="/docker/abc")
    machine.write_memory_v1("sys/memory", limit=256 * MIB, used=MIB)
    assert limits(machine) == [MemoryLimit(256 * MIB, MIB)]


def test_v1_has_its_accounts_where_they_are_mounted(machine: PlantedMachine) -> None:
    machine.belongs_to("2:cpuacct:/a", "1:cpu:/a")
    machine.mount("cgroup", "sys/cpu", options="rw,cpu")
    machine.mount("cgroup", "sys/cpuacct", options="rw,cpuacct")
    machine.write("sys/cpu/a", cpu__cfs_quota_us=30000, cpu__cfs_period_us=100000)
    machine.write("sys/cpuacct/a", cpuacct__usage=500_000_000)
    assert Cgroups(machine.proc).cpu_quota() == CpuQuota(0.3, 0.5)


def test_v1_without_limits(machine: PlantedMachine) -> None:
    machine.belongs_to("1:cpu,cpuacct:/", "4:memory:/")
    machine.mount("cgroup", "sys/cpu", options="rw,cpu,cpuacct")
    machine.mount("cgroup", "sys/memory", options="rw,memory")
    machine.write("sys/cpu", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000, cpuacct__usage=1)
    machine.write_memory_v1("sys/memory", limit=NONE_V1, used=MIB)
    assert Cgroups(machine.proc).cpu_quota() is None
    assert limits(machine) == []


def test_both_versions_at_once(machine: PlantedMachine) -> None:
    """A controller is of one of the two: version 2 is there for systemd alone."""
    machine.belongs_to("4:memory:/jobs/relay", "1:cpu:/", "0::/")
    machine.mount("cgroup", "sys/memory", options="rw,memory")
    machine.mount("cgroup", "sys/cpu", options="rw,cpu")
    machine.mount("cgroup2", "sys/unified")
    machine.write_memory_v1("sys/memory/jobs/relay", limit=100 * MIB, used=10 * MIB)
    machine.write_memory_v1("sys/memory/jobs", limit=90 * MIB, used=20 * MIB)
    machine.write("sys/memory", cgroup__procs="1")
    assert limits(machine) == [MemoryLimit(100 * MIB, 10 * MIB), MemoryLimit(90 * MIB, 20 * MIB)]
    assert Cgroups(machine.proc).cpu_quota() is None


# --- What is not there ---


def test_a_limit_that_changes_is_read_anew(tmp_path: Path) -> None:
    machine = in_group_v2(tmp_path)
    machine.write_memory_v2("sys", limit="max", used=1)
    groups = Cgroups(machine.proc)
    assert list(groups.memory_limits()) == []
    machine.write_memory_v2("sys", limit=10, used=1)
    assert list(groups.memory_limits()) == [MemoryLimit(10, 1)]


@pytest.mark.parametrize("content", ["", "nonsense", "1 2 3"])
def test_what_cannot_be_read_sets_no_limit(tmp_path: Path, content: str) -> None:
    machine = in_group_v2(tmp_path)
    machine.write("sys", cpu__max=content, cpu__stat=content, memory__max=content, memory__current=content)
    assert Cgroups(machine.proc).cpu_quota() is None
    assert limits(machine) == []


def test_a_system_without_control_groups(machine: PlantedMachine, tmp_path: Path) -> None:
    for proc in (machine.proc, tmp_path / "nothing"):
        assert Cgroups(proc).cpu_quota() is None
        assert list(Cgroups(proc).memory_limits()) == []


def test_the_groups_of_this_very_process_can_be_read() -> None:
    groups = Cgroups()
    groups.cpu_quota()
    assert all(limit.used_bytes > 0 for limit in groups.memory_limits())


# --- What is no group of ours, and still there ---


def test_mounts_that_are_written_as_no_other_do_not_matter(tmp_path: Path) -> None:
    """A source may be empty, a path need be no UTF-8, and what comes in a later Linux is not known."""
    machine = in_group_v2(tmp_path)
    machine.write_memory_v2("sys", limit=512 * MIB, used=300 * MIB)
    with (machine.proc / "self" / "mountinfo").open("ab") as file:
        file.write(b"40 22 0:27 / /tmp rw - tmpfs  rw,size=1k\n")
        file.write(b"41 22 0:28 / /mnt/\xe9t\xe9 rw - ext4 /dev/sda1 rw\n")
        file.write(b"\n43 22\n44 22 0:29 / /x rw -\n")
    assert limits(machine) == [MemoryLimit(512 * MIB, 300 * MIB)]


@pytest.mark.parametrize(("kind", "line", "options"), [("cgroup2", "0::/", "rw"), ("cgroup", "8:pids:/", "rw,pids")])
def test_tasks_that_are_left(machine: PlantedMachine, kind: str, line: str, options: str) -> None:
    machine.belongs_to(line)
    machine.mount(kind, "sys", options=options)
    assert Cgroups(machine.proc).tasks_left() is None
    machine.write("sys", pids__max="max", pids__current=40)
    assert Cgroups(machine.proc).tasks_left() is None
    machine.write("sys", pids__max=100)
    assert Cgroups(machine.proc).tasks_left() == 60
