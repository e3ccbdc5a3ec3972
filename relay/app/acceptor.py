"""Takes connections of a listening socket, and waits when there are no descriptors for them."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Callable
from typing import Final

import structlog

PAUSE_S: Final = 0.1
RESERVED: Final = 32
"""Descriptors that no connection from outside gets: phones are hung up, and workers spoken to, with these."""
AT_A_TIME: Final = 64
"""Connections that are taken in one turn of the loop."""
_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """
    What ``loop.create_server`` returns, as far as uvicorn needs it. New connections wait in the backlog while there
    are too few descriptors: uvloop takes such connections and closes them, and asyncio logs each time it cannot.

    Args:
        listener: listens; who made it closes it, after this.
        protocol: one for each connection.
    """

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._is_short = False
        listener.settimeout(0)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take no more."""
        self._loop.remove_reader(self._listener)
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None

    async def wait_closed(self) -> None:
        """Return when what has been taken before ``close`` has its protocol."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                if self._is_full():
                    self._pause("reserved")
                    return
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._note_enough()
                return
            except OSError as error:
                if error.errno not in _SHORT:
                    raise
                self._pause(error.strerror or str(error))
                return
            opening = self._loop.create_task(self._open(connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:  # it has gone meanwhile
            structlog.get_logger().debug("connection_lost", error=str(error))
            connection.close()

    def _is_full(self) -> bool:
        """Whether the next descriptor is a reserved one: a new one is the lowest that is free."""
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed == resource.RLIM_INFINITY:
            return False
        probe = os.dup(self._listener.fileno())
        os.close(probe)
        return probe >= allowed - min(RESERVED, allowed // 4)

    def _note_enough(self) -> None:
        """Nobody waits any longer."""
        if self._is_short:
            self._is_short = False
            structlog.get_logger().info("accepting_again")

    def _pause(self, why: str) -> None:
        if not self._is_short:
            self._is_short = True
            structlog.get_logger().warning("accepting_paused", why=why)
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listener, self._accept)
