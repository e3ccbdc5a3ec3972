"""A run that is ended from outside ends what it has started."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks whether a process is there in /proc")
RUN = """
import asyncio, json, signal, sys, uvloop
from relay.dev.bench.ending import end_as_by_ctrl_c
from relay.dev.bench.processes import Child
async def main():
    async with Child("-c", "import sys; sys.stdin.read()", environment={}) as child:
        print(json.dumps(child.pid), flush=True)
        await asyncio.Event().wait()
if sys.argv[1:] == ["in the background"]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
end_as_by_ctrl_c()
try:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
finally:
    print(json.dumps("closed"), flush=True)
"""


@pytest.mark.parametrize("where", ["in front", "in the background"])
def test_sigterm_takes_down_what_was_started(where: str) -> None:
    command = [sys.executable, "-c", RUN, where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        child = json.loads(run.stdout.readline())
        run.terminate()
        said = run.stdout.readline()
    assert json.loads(said or "null") == "closed"
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
