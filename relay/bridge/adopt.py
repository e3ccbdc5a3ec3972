"""Takes over a carrier's TCP connection that somebody else accepted, read the upgrade request of, and authorised."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

import structlog
from websockets.asyncio.server import Server
from websockets.exceptions import InvalidMessage
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from relay.bridge.media_connection import (
    CONNECTION_OPTIONS,
    HANDSHAKE_OPTIONS,
    OPEN_TIMEOUT_S,
    PROTOCOL_OPTIONS,
    MediaConnection,
    selected,
)
from relay.transfers.ports import MediaSocket

_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

log = structlog.get_logger(__name__)


def adopt(
    media: MediaSocket,
    handler: Callable[[MediaConnection], Awaitable[None]],
    *,
    subprotocol: str | None = None,
    open_timeout_s: float = OPEN_TIMEOUT_S,
) -> asyncio.Task[None]:
    """
    Answer the upgrade, and serve the connection as ``serve_media`` does.

    Args:
        media: whose descriptor is closed when the task is done, however it ends.
        handler: serves the connection until it is over.
        subprotocol: the one to select, see ``media_connection.selected``.
        open_timeout_s: the handshake takes longer: the connection is dropped.

    Returns:
        The connection's task. It ends with the connection, which is dropped if the task is cancelled.

    Raises:
        OSError: the descriptor is no socket. It is closed.
    """
    try:
        connected = socket.socket(fileno=media.descriptor)
    except OSError:
        os.close(media.descriptor)
        raise
    connected.settimeout(0)
    connection = _Adopted(media.request, subprotocol, **CONNECTION_OPTIONS)
    task = asyncio.get_running_loop().create_task(_serve(connection, connected, handler, open_timeout_s))
    # Also if it is cancelled before it began. A transport that has the socket has detached it by then, or holds it.
    task.add_done_callback(lambda _: connected.close())
    return task


class _Upgrade(ServerProtocol):
    """The library drops what is no HTTP without a word; whoever forwarded it, or us, is to find out what was wrong."""

    def __init__(self, subprotocol: str | None) -> None:
        super().__init__(**PROTOCOL_OPTIONS)
        self._wanted = subprotocol

    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        chosen = selected(self._wanted, subprotocols)
        if chosen is None and self._wanted is not None:
            # What was offered is not logged: some put tokens there.
            log.warning("subprotocol_not_offered", expected=self._wanted, offered=len(subprotocols))
        return chosen

    def send_eof(self) -> None:
        # Other errors than this one have been answered by now.
        if type(self.handshake_exc) is InvalidMessage:
            self.writes.append(_BAD_REQUEST)
        super().send_eof()


class _NoServer:
    """What a connection asks of the server that accepted it."""

    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[None]] = set()

    def is_serving(self) -> bool:
        return True

    async def handler(self, connection: MediaConnection) -> None:
        """Whoever adopted the connection serves it."""


class _Adopted(MediaConnection):
    """Reads ``request`` before anything that comes from the socket itself."""

    def __init__(self, request: bytes, subprotocol: str | None, **options: Any) -> None:
        super().__init__(_Upgrade(subprotocol), cast("Server", _NoServer()), **options)
        self._request_bytes = request
        self.is_made = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        super().connection_made(transport)
        self.is_made = True
        self.data_received(self._request_bytes)
        self._request_bytes = b""


async def _serve(
    connection: _Adopted,
    connected: socket.socket,
    handler: Callable[[MediaConnection], Awaitable[None]],
    open_timeout_s: float,
) -> None:
    try:
        if await _open(connection, connected, open_timeout_s):
            await handler(connection)
            await connection.close()
    except Exception as error:  # one call's connection; there is nobody above who could do anything about it
        log.exception("connection_failed", error=repr(error))
    finally:
        if connection.is_made:
            connection.abort()


async def _open(connection: _Adopted, connected: socket.socket, open_timeout_s: float) -> bool:
    await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, connected)
    try:
        async with asyncio.timeout(open_timeout_s):
            await connection.handshake(**HANDSHAKE_OPTIONS)
    except TimeoutError:
        log.warning("handshake_timeout", timeout_s=open_timeout_s)
    return connection.protocol.state is State.OPEN
