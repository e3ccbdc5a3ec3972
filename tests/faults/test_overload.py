"""A machine that has no room for more: what is live goes on, and what has not begun is refused with the reason."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from relay.app import service as service_module
from relay.app.admission import HOLD_S, RETRY_AFTER_S
from relay.app.loop_lag import LoopLag
from relay.app.machine import Machine
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.planted import MIB, PlantedMachine, in_group_v2
from tests.app.process import ServiceProcess, settings_with, started
from tests.faults.conftest import SetStage
from tests.faults.ears import until_heard_at_phone, until_heard_in_room
from tests.faults.node import Node
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, CUSTOMER_HZ, Stage

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
REFUSED_WITHIN_S = 3 * HOLD_S
"""Two seconds of it, in windows of two seconds, and the time between two looks."""
LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({count}, {count}))
from relay.__main__ import main
main()
"""
FEW = 96
"""Descriptors: enough for a service that serves a few."""
SOME = 400


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlantedMachine:
    """A machine whose limits the test writes; the service finds no other."""
    planted = in_group_v2(tmp_path)
    monkeypatch.setattr(service_module, "Machine", functools.partial(Machine, proc=planted.proc))
    return planted


@pytest.fixture
def loop_in_time(real_machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """How late it is, with carrier and customer on it, is no matter of this test."""
    monkeypatch.setattr(LoopLag, "p99_ms", lambda _: 0.0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: pytest's own are too long for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="relay-") as name:
        yield Path(name)


async def request(stage: Stage, room: str = "green") -> tuple[int, Any]:
    """How a bot is answered now that asks for a transfer; it is ended if it is made."""
    body = {"room_url": stage.room_url(room), "destination": "billing"}
    async with stage.http.post(f"{stage.service.base_url}/v1/transfers", json=body) as response:
        answer = await response.json(content_type=None)
        if response.status == 503:
            assert response.headers["Retry-After"] == str(int(RETRY_AFTER_S))
        else:
            stage.transfer_ids.append(answer["id"])
            await stage.relay.cancel(answer["id"])
        return response.status, answer


async def parts_short(stage: Stage) -> set[str]:
    """What ``/readyz`` says is missing."""
    async with stage.http.get(f"{stage.service.base_url}/readyz") as response:
        parts = (await response.json())["parts"]
        short = {name for name, is_there in parts.items() if not is_there}
        assert response.status == (503 if short else 200)
        return short


async def until_short(stage: Stage, of: str, *, within_s: float) -> None:
    """Of this; empty: of nothing any longer."""
    short = await parts_short(stage)
    async with asyncio.timeout(within_s):
        while not (of in short if of else not short):
            short = await parts_short(stage)


async def refusals(stage: Stage, shortage: str) -> float:
    async with stage.http.get(f"{stage.service.base_url}/metrics") as response:
        name = f'relay_admission_refused_total{{shortage="{shortage}"}} '
        found = [line for line in (await response.text()).splitlines() if line.startswith(name)]
        return float(found[0].removeprefix(name)) if found else 0


# --- F36: processors, and a loop that is late ---


@pytest.mark.long
@pytest.mark.usefixtures("real_machine")
async def test_f36_a_loop_that_lags_takes_no_more_transfers_and_keeps_its_call(
    set_stage: SetStage, planted: PlantedMachine
) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        working = True

        def work() -> None:
            if working:
                time.sleep(0.045)  # it is this that makes the loop late
                asyncio.get_running_loop().call_later(0.045, work)

        work()
        await until_short(stage, "loop", within_s=2 * REFUSED_WITHIN_S)
        dialled = len(stage.carrier.calls)
        status, refusal = await request(stage)
        assert (status, refusal["type"]) == (503, "urn:relay:problem:overloaded")
        assert "expected timers to be 20 ms late at most" in refusal["detail"]
        assert len(stage.carrier.calls) == dialled
        assert await refusals(stage, "loop") == 1
        assert (await stage.relay.get(on.transfer_id)).state is State.JOINED
        working = False
        await until_short(stage, "", within_s=2 * REFUSED_WITHIN_S)
        await until_heard_in_room(stage.customer, AGENT_HZ)
        assert (await request(stage))[0] == 201
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
@pytest.mark.usefixtures("loop_in_time")
async def test_f36_a_quota_that_is_used_up_takes_no_more_transfers_and_keeps_its_call(
    set_stage: SetStage, planted: PlantedMachine
) -> None:
    """The group's accounts are planted: it uses as much as the test says."""
    using = True
    began_s = time.monotonic()

    def use() -> None:
        """Half a processor, which is all of it."""
        planted.write_cpu_v2("sys", quota="50000 100000", used_s=(time.monotonic() - began_s) / 2)
        if using:
            asyncio.get_running_loop().call_later(0.05, use)

    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        use()
        await until_short(stage, "cpu", within_s=REFUSED_WITHIN_S)
        status, refusal = await request(stage)
        assert (status, refusal["type"]) == (503, "urn:relay:problem:overloaded")
        assert "expected 90 % of the CPU in use at most" in refusal["detail"]
        await until_heard_in_room(stage.customer, AGENT_HZ)
        using = False
        await until_short(stage, "", within_s=REFUSED_WITHIN_S)
        assert (await request(stage))[0] == 201
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


# --- F37: memory ---


@pytest.mark.usefixtures("loop_in_time")
@pytest.mark.long
async def test_f37_a_limit_of_memory_takes_no_more_transfers_and_keeps_its_call(
    set_stage: SetStage, planted: PlantedMachine
) -> None:
    planted.write_memory_v2("sys", limit=1000 * MIB, used=500 * MIB)
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        planted.write_memory_v2("sys", limit=1000 * MIB, used=900 * MIB, droppable=20 * MIB)
        await until_short(stage, "memory", within_s=REFUSED_WITHIN_S)
        dialled = len(stage.carrier.calls)
        status, refusal = await request(stage)
        assert (status, refusal["type"]) == (503, "urn:relay:problem:overloaded")
        assert "expected 85 % of the memory in use at most, and under 80 % again, got 88%" in refusal["detail"]
        assert len(stage.carrier.calls) == dialled
        assert await refusals(stage, "memory") == 1
        await until_heard_in_room(stage.customer, AGENT_HZ)
        planted.write_memory_v2("sys", limit=1000 * MIB, used=600 * MIB)
        await until_short(stage, "", within_s=REFUSED_WITHIN_S)
        assert (await request(stage))[0] == 201
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


# --- F38: descriptors ---


@pytest.mark.long
async def test_f38_too_few_descriptors_are_told_at_the_start(folder: Path) -> None:
    async with started(folder, settings_with(), ("-c", LIMITED.format(count=64), "serve")) as service:
        assert await service.ended() == 2
    said = "".join(service.lines)
    assert "RLIMIT_NOFILE: expected at least 200 descriptors" in said
    assert "got 64; raise it (`ulimit -n 200`" in said
    assert "RELAY_MAX_TRANSFERS to 16 at most" in said
    assert "Traceback" not in said


@pytest.mark.long
async def test_f38_connections_wait_when_there_are_no_descriptors_and_the_service_does_not_spin(folder: Path) -> None:
    settings = settings_with() | {"MAX_TRANSFERS": "5", "WORKER_SPARES": "0"}
    arguments = ("-c", LIMITED.format(count=FEW), "serve")
    async with started(folder, settings, arguments, TMPDIR=str(folder)) as service:
        base_url = (await service.until("serving"))["url"]
        async with asyncio.timeout(30), crowd(base_url, 2 * FEW) as clients:
            await service.until("accepting_paused")
            began_s, used_s = time.monotonic(), used_by_s(service)
            waiting = asyncio.create_task(asks(clients[-1]))
            await asyncio.wait([waiting], timeout=1.0)
            assert not waiting.done()
            spun = (used_by_s(service) - used_s) / (time.monotonic() - began_s)
            print(f"descriptors: {spun:.1%} of a processor while connections wait")
            assert spun < 0.2
            for client in clients[:-1]:
                client.close()
            assert (await waiting).startswith(b"HTTP/1.1 200 ")
            clients[-1].close()
            async with aiohttp.ClientSession() as http, http.get(f"{base_url}/readyz") as ready:
                assert ready.status == 200
            service.process.terminate()
            assert await service.ended() == 0
    assert sum('"accepting_paused"' in line for line in service.lines) < 5
    assert [line for line in service.lines if '"level": "error"' in line or "Traceback" in line] == []


class FewDescriptors(Node):
    """A node that may have ``FEW`` open."""

    arguments = ("-c", LIMITED.format(count=FEW), "serve")


class SomeDescriptors(Node):
    """A node whose 85 % come before its last 32."""

    arguments = ("-c", LIMITED.format(count=SOME), "serve")


@pytest.mark.long
async def test_f38_call_goes_on_without_a_descriptor_left_and_its_phone_is_hung_up(store_url: str) -> None:
    async with FewDescriptors(store_url, SPEAKS, max_transfers=5) as node:
        on = await node.on_call()
        async with crowd(node.base_url, 2 * FEW):
            await node.process.until("accepting_paused")
            await until_heard_in_room(node.customer, AGENT_HZ)
            await until_heard_at_phone(on.phone, CUSTOMER_HZ)
            await node.customer.leave()
            await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=10)  # over REST: nothing comes in
        await node.ended(on.transfer_id, State.DISCONNECTED, Reason.CUSTOMER_LEFT)


@pytest.mark.long
async def test_f38_with_few_descriptors_left_no_transfer_is_begun(store_url: str) -> None:
    async with SomeDescriptors(store_url, SPEAKS, max_transfers=5) as node:
        on = await node.on_call()
        async with crowd(node.base_url, int(SOME * 0.85)):
            status, parts = await node.readiness()
            async with asyncio.timeout(REFUSED_WITHIN_S):
                while status == 200:
                    status, parts = await node.readiness()
            assert [name for name, is_well in parts.items() if not is_well] == ["descriptors"]
            assert await node.refusal() == (503, "urn:relay:problem:overloaded")
            await until_heard_in_room(node.customer, AGENT_HZ)
        on.phone.stop()
        await node.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@asynccontextmanager
async def crowd(base_url: str, count: int) -> AsyncIterator[list[socket.socket]]:
    """So many connections that ask for nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(await connected(base_url)) for _ in range(count)]


async def connected(base_url: str) -> socket.socket:
    parts = urlsplit(base_url)
    client = socket.socket()
    client.settimeout(0)
    await asyncio.get_running_loop().sock_connect(client, (parts.hostname, parts.port))
    return client


async def asks(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n")
    return await loop.sock_recv(client, 1000)


def used_by_s(service: ServiceProcess) -> float:
    """Processor time of its main process so far."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
