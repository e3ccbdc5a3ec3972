"""A service in a control group of its own: real quotas and limits of this machine, where a test may set them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from relay.app.cgroups import Cgroups
from tests.app.planted import MIB
from tests.app.process import settings_with, started

WITHIN_S = 15.0
REMOVED_WITHIN_S = 5.0
JOIN = """
from pathlib import Path
for group in {groups!r}:
    Path(group, "cgroup.procs").write_text("0")
"""
SERVE = "from relay.__main__ import main\nmain()\n"
BURN = "while True: pass\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: pytest's own are too long for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="relay-") as name:
        yield Path(name)


@contextlib.contextmanager
def groups_of(*controllers: str) -> Iterator[Sequence[Path]]:
    """A new group of version 1 for each, within the block, inside this process's own."""
    found = Cgroups()
    own = {"cpu": found._cpu, "cpuacct": found._cpuacct, "memory": found._memory}
    made: list[Path] = []
    name = f"relay-{uuid.uuid4().hex}"
    try:
        for hierarchy in (own[controller] for controller in controllers):
            if hierarchy is None or hierarchy.is_v2:
                pytest.skip("expected control groups of version 1, whose limits need no other groups' consent")
            path = hierarchy.groups[0] / name
            with contextlib.suppress(FileExistsError):  # the same for two controllers
                try:
                    path.mkdir()
                except OSError as error:
                    pytest.skip(f"expected that groups may be made here: {error}")
                made.append(path)
        yield made
    finally:
        for path in made:
            remove(path)


def remove(group: Path) -> None:
    """When the last process is gone, which takes a moment after it was killed."""
    deadline_s = time.monotonic() + REMOVED_WITHIN_S
    while True:
        try:
            group.rmdir()
        except OSError:
            assert time.monotonic() < deadline_s, f"{group} has {(group / 'cgroup.procs').read_text()!r}"
        else:
            return


@asynccontextmanager
async def serving_in(groups: Sequence[Path], folder: Path) -> AsyncIterator[str]:
    code = JOIN.format(groups=[str(group) for group in groups]) + SERVE
    settings = settings_with() | {"WORKER_SPARES": "0", "MAX_CPU_PERCENT": "90"}
    async with started(folder, settings, ("-c", code, "serve"), TMPDIR=str(folder)) as service:
        yield (await service.until("serving"))["url"]
        service.process.terminate()
        await service.ended()


async def until(base_url: str, part: str, is_enough: bool) -> None:  # noqa: FBT001 - as the parts of /readyz have it
    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{base_url}/readyz") as answer:
                if (await answer.json())["parts"][part] is is_enough:
                    return


async def refusal(base_url: str) -> tuple[int, str]:
    body = {"room_url": "http://127.0.0.1:1/rooms/blue", "destination": "billing"}
    async with aiohttp.ClientSession() as http, http.post(f"{base_url}/v1/transfers", json=body) as answer:
        return answer.status, (await answer.json(content_type=None))["detail"]


@pytest.mark.long
async def test_f36_a_real_quota_that_others_use_up_takes_no_more_transfers(folder: Path) -> None:
    with groups_of("cpu", "cpuacct") as groups:
        async with serving_in(groups, folder) as base_url:
            (groups[0] / "cpu.cfs_period_us").write_text("20000")
            (groups[0] / "cpu.cfs_quota_us").write_text(
                "5000"
            )  # others of this machine leave as much, whatever they do
            await until(base_url, "cpu", is_enough=True)
            code = JOIN.format(groups=[str(group) for group in groups]) + BURN
            burning = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
            try:
                await until(base_url, "cpu", is_enough=False)
                status, detail = await refusal(base_url)
                assert status == 503
                assert "expected 90 % of the CPU in use at most" in detail
            finally:
                burning.kill()
                await burning.wait()
            almost_all_us = int(19000 * (os.cpu_count() or 1))  # so little is used up by who asks for /readyz
            (groups[0] / "cpu.cfs_quota_us").write_text(str(almost_all_us))
            await until(base_url, "cpu", is_enough=True)


@pytest.mark.long
async def test_f37_a_real_limit_that_is_nearly_reached_takes_no_more_transfers(folder: Path) -> None:
    with groups_of("memory") as groups:
        limit, used = groups[0] / "memory.limit_in_bytes", groups[0] / "memory.usage_in_bytes"
        limit.write_text(str(1000 * MIB))
        async with serving_in(groups, folder) as base_url:
            await until(base_url, "memory", is_enough=True)
            limit.write_text(str(int(used.read_text()) + 16 * MIB))
            await until(base_url, "memory", is_enough=False)
            status, detail = await refusal(base_url)
            assert status == 503
            assert "memory" in detail
            limit.write_text(str(1000 * MIB))
            await until(base_url, "memory", is_enough=True)
