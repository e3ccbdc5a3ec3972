"""What a server under test has taken of its core."""

import asyncio
import sys

import pytest

from relay.dev.bench.processes import Child
from relay.dev.bench.server import cpu_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's clocks of processes")
THREAD_THAT_ENDS = """
import sys, threading, time
def work():
    while time.thread_time() < 0.05: pass
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(time.process_time_ns(), flush=True)
sys.stdin.read()
"""


def test_cpu_time_is_that_of_threads_that_have_ended_too() -> None:
    async def scenario() -> None:
        async with Child("-c", THREAD_THAT_ENDS, environment={}) as child:
            said_ns = await child.answer()
            cpu = cpu_of(child.pid)
            assert cpu.total_ns >= said_ns >= 50_000_000
            assert cpu.user_s + cpu.system_s >= 0.04

    asyncio.run(scenario())


def test_process_that_has_ended_has_no_cpu_time() -> None:
    with pytest.raises(OSError, match=r".+"):
        cpu_of((1 << 22) + 1)
