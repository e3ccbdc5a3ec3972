"""A process of a run, and what Linux says of it."""

import asyncio
import os
import sys

import pytest

from relay.dev.bench.processes import ZOMBIE, Child, descendants, held_by, is_there

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")

ECHO = (
    "import sys\nprint('7', flush=True)\nfor line in sys.stdin: print(repr(line).replace(chr(39), chr(34)), flush=True)"
)
HOLDS = (
    "import socket, subprocess, sys\nheld = [socket.socket() for _ in range(20)]\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE)\n"
    "dead = subprocess.Popen(['true'])\nimport os\nos.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)\n"
    "print(child.pid, flush=True)\nsys.stdin.read()\nchild.communicate()"
)


def test_child_says_something_and_answers_and_is_gone_afterwards() -> None:
    async def scenario() -> int:
        async with Child("-c", ECHO, environment={}) as child:
            assert await child.answer() == 7
            assert await child.ask("how") == "how\n"
            return child.pid

    assert not is_there(asyncio.run(scenario()))


def test_child_that_ends_has_no_answer() -> None:
    async def scenario() -> None:
        async with Child("-c", "pass", environment={}) as child:
            with pytest.raises(ConnectionError):
                await child.answer()

    asyncio.run(scenario())


def test_child_is_kept_to_a_core_and_its_parent_is_not() -> None:
    before = os.sched_getaffinity(0)
    core = max(before)

    async def scenario() -> object:
        code = "import os, json; print(json.dumps(sorted(os.sched_getaffinity(0))))"
        async with Child("-c", code, environment={}, core=core) as child:
            return await child.answer()

    assert asyncio.run(scenario()) == [core]
    assert os.sched_getaffinity(0) == before


def test_settings_of_ours_are_not_a_childs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_LISTEN", "127.0.0.1:1")

    async def scenario() -> object:
        code = "import os, json; print(json.dumps([name for name in os.environ if name.startswith('RELAY_')]))"
        async with Child("-c", code, environment={"RELAY_LOG_LEVEL": "info"}) as child:
            return await child.answer()

    assert asyncio.run(scenario()) == ["RELAY_LOG_LEVEL"]


def test_what_a_process_holds_and_what_it_has_started_is_seen() -> None:
    async def scenario() -> None:
        async with Child("-c", HOLDS, environment={}) as child:
            started = await child.answer()
            held = held_by(child.pid)
            assert held is not None
            assert held.descriptors >= 3 + 20 + 1
            assert held.threads == 1
            assert held.pss_bytes >= held.anonymous_bytes > 0
            family = descendants(child.pid)
            assert family[started][-1] == "import sys; sys.stdin.read()"
            assert [state for pid, (state, *_) in family.items() if pid != started] == [ZOMBIE]

    asyncio.run(scenario())


def test_a_process_that_has_ended_holds_nothing() -> None:
    assert held_by(1 << 30) is None
    assert descendants(1 << 30) == {}
