"""One process: started with one end of a pair, apart from ours, and always reaped."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any

import pytest

from relay.bridge.worker_process import WorkerProcess, how_it_ended
from tests.bridge.pooled import children, descriptors

Run = Callable[[Coroutine[Any, Any, None]], None]
SAYS = """
import os, socket, sys
pair = socket.socket(fileno=int(sys.argv[1]))
others = sorted(number for number in os.listdir("/proc/self/fd") if int(number) > 2 and number != sys.argv[1])
others = [number for number in others if os.path.exists("/proc/self/fd/" + number)]
settings = [name for name in os.environ if name.startswith("RELAY_")]
pair.sendall(f"{os.getsid(0) == os.getpid()} {os.readlink('/proc/self/fd/0')} {others} {settings}".encode())
pair.recv(1)
sys.exit(7)
"""


@pytest.fixture(params=["pidfd", "thread"])
def watched_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How a process's end is seen: by Linux's descriptor, or where there is none, by a thread that waits."""
    if request.param == "thread":

        def refuse(pid: int, flags: int = 0) -> int:
            raise OSError(errno.ENOSYS, "no such call")

        monkeypatch.setattr(os, "pidfd_open", refuse)
    return str(request.param)


class Started:
    """A process, our end of its pair, and how it ended."""

    def __init__(self, code: str, log: IO[str] | None = None) -> None:
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pair, theirs = socket.socketpair()
        self.pair.settimeout(0)
        with theirs:
            self.process = WorkerProcess([sys.executable, "-c", code], theirs, on_exit=self.exited.set_result, log=log)

    async def says(self) -> str:
        return (await asyncio.get_running_loop().sock_recv(self.pair, 1000)).decode()


def test_it_has_its_end_of_the_pair_a_session_of_its_own_and_nothing_else_of_ours(
    run: Run, watched_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_TWILIO_AUTH_TOKEN", "secret")

    async def test() -> None:
        open_before, children_before = descriptors(), children()
        with socket.socket() as of_ours:
            of_ours.set_inheritable(True)
            started = Started(SAYS)
            with started.pair:
                assert await started.says() == "True /dev/null [] []"
                assert children() - children_before == {started.process.pid}
                started.pair.send(b"!")
                assert await started.exited == 7
        assert children() == children_before
        assert descriptors() == open_before

    run(test())


def test_it_runs_the_codec_as_we_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_INSTRUCTION_SET", "portable")

    async def test() -> None:
        started = Started(SAYS)
        with started.pair:
            assert "['RELAY_INSTRUCTION_SET']" in await started.says()
            started.pair.send(b"!")
            await started.exited

    run(test())


def test_its_standard_error_goes_where_it_is_told_and_native_code_logs_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUST_LOG", "trace")

    async def test() -> None:
        with (tmp_path / "log").open("w") as log:
            started = Started("import os, sys; print('a line', os.environ['RUST_LOG'], file=sys.stderr)", log)
            with started.pair:
                assert await started.exited == 0
        assert (tmp_path / "log").read_text() == "a line off\n"

    run(test())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV], ids=lambda each: each.name)
def test_f44_process_that_a_signal_ends_is_reaped(run: Run, watched_by: str, number: signal.Signals) -> None:
    async def test() -> None:
        started = Started(SAYS)
        with started.pair:
            await started.says()
            os.kill(started.process.pid, number)
            assert await started.exited == -number
            assert started.process.pid not in children()

    run(test())


def test_kill_ends_it_and_a_second_one_nobody_else(run: Run, watched_by: str) -> None:
    async def test() -> None:
        started = Started(SAYS)
        with started.pair:
            await started.says()
            started.process.kill()
            started.process.kill()
            assert await started.exited == -signal.SIGKILL
            started.process.kill()

    run(test())


def test_interrupt_of_the_terminal_is_not_for_it(run: Run) -> None:
    """Ctrl-C goes to every process of the foreground's group."""

    async def test() -> None:
        started = Started(SAYS)
        with started.pair:
            await started.says()
            assert os.getpgid(started.process.pid) == started.process.pid != os.getpgid(0)
            started.process.kill()
            await started.exited

    run(test())


def test_program_that_does_not_exist_leaves_nothing(run: Run) -> None:
    async def test() -> None:
        before, threads = descriptors(), threading.active_count()
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(FileNotFoundError):
            WorkerProcess(["/nowhere/relay-worker"], theirs, on_exit=lambda _: None)
        assert (descriptors(), threading.active_count()) == (before, threads)

    run(test())


def test_end_is_said_in_words() -> None:
    assert [how_it_ended(status) for status in (0, 1, -9, -6, -64, -99)] == [
        *("exit status 0", "exit status 1", "SIGKILL", "SIGABRT", "SIGRTMAX", "signal 99")
    ]
