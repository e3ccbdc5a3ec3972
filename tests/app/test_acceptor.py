"""Connections are taken as long as there are descriptors, and wait when there are none; nobody is sent away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import cast

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.app import acceptor as module
from relay.app.acceptor import Acceptor

MAX_S = 20.0


class Echo(asyncio.Protocol):
    """Says what it is told."""

    def __init__(self, on: On) -> None:
        self.on = on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none, and acts like one
        self.on.made.append(self)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class On:
    """An acceptor, and what it has taken."""

    def __init__(self, listener: socket.socket) -> None:
        self.made: list[Echo] = []
        self.address = listener.getsockname()
        self.acceptor = Acceptor(listener, lambda: Echo(self))

    async def connect(self, client: socket.socket | None = None) -> socket.socket:
        client = client or socket.socket()
        client.settimeout(0)
        await asyncio.get_running_loop().sock_connect(client, self.address)
        return client


async def says(client: socket.socket) -> bytes:
    """What comes back of a byte."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"x")
    return await loop.sock_recv(client, 10)


def run(scenario: Callable[[On], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(MAX_S), AsyncExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
            on = On(listener)
            await scenario(on)
            on.acceptor.close()
            await on.acceptor.wait_closed()
            for each in on.made:
                each.transport.close()

    uvloop.run(whole())


@contextlib.contextmanager
def allowing(count: int) -> Iterator[None]:
    """So many descriptors more than there are now. The bound is read anew each time, so it need not be a real one."""
    probe = os.dup(0)
    os.close(probe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "getrlimit", lambda _: (probe + count, resource.RLIM_INFINITY))
        patch.setattr(module, "RESERVED", 0)
        yield


def test_connections_are_served_as_those_of_a_server_of_the_loop() -> None:
    async def scenario(on: On) -> None:
        clients = [await on.connect() for _ in range(100)]
        assert await asyncio.gather(*map(says, clients)) == [b"x"] * 100
        for client in clients:
            client.close()
        nodelay = on.made[0].transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert nodelay

    run(scenario)


def test_f38_what_there_is_no_descriptor_for_waits_until_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is sent away, the loop does not spin, and one line says that it was so."""
    tries = 0
    is_full = Acceptor._is_full

    def counted(acceptor: Acceptor) -> bool:
        nonlocal tries
        tries += 1
        return is_full(acceptor)

    monkeypatch.setattr(Acceptor, "_is_full", counted)

    async def scenario(on: On) -> None:
        clients = [socket.socket() for _ in range(20)]  # they take descriptors of this process, too
        with capture_logs() as logs, allowing(10):
            for client in clients:
                await on.connect(client)
            asking = [asyncio.create_task(says(client)) for client in clients]
            done, waiting = await asyncio.wait(asking, timeout=5 * module.PAUSE_S)
            assert 0 < len(done) <= 10
            assert {task.result() for task in done} == {b"x"}
            assert len(on.made) == len(done)
            assert tries < 2 * len(done) + 10
            assert [log["event"] for log in logs] == ["accepting_paused"]
            for each in on.made[:]:
                each.transport.close()
            on.made.clear()
            for task, client in zip(asking, clients, strict=True):
                if task in done:
                    client.close()
            assert await asyncio.gather(*waiting) == [b"x"] * len(waiting)
        for client in clients:
            client.close()

    run(scenario)


def test_f38_a_system_without_descriptors_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE all the same: another thread took the last one."""

    async def scenario(on: On) -> None:
        failures = iter([True, True])
        is_full = Acceptor._is_full

        def fails(acceptor: Acceptor) -> bool:
            if next(failures, False):
                raise OSError(24, "Too many open files")
            return is_full(acceptor)

        monkeypatch.setattr(Acceptor, "_is_full", fails)
        with capture_logs() as logs:
            client = await on.connect()
            assert await says(client) == b"x"
            again = await on.connect()
            assert await says(again) == b"x"
        client.close()
        again.close()
        assert [(log["event"], log.get("why")) for log in logs] == [
            ("accepting_paused", "Too many open files"),
            ("accepting_again", None),
        ]

    run(scenario)


def test_one_that_is_closed_while_it_waits_takes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Acceptor, "_is_full", lambda _: True)

    async def scenario(on: On) -> None:
        client = await on.connect()
        paused = asyncio.Event()
        asyncio.get_running_loop().call_later(module.PAUSE_S / 2, paused.set)
        await paused.wait()
        on.acceptor.close()
        monkeypatch.undo()
        asyncio.get_running_loop().call_later(2 * module.PAUSE_S, paused.set)
        paused.clear()
        await paused.wait()
        assert on.made == []
        client.close()

    run(scenario)
