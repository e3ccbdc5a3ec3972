"""A bare echo on `websockets`: the least that a server of Python's can do for a message, without looking into it."""

from __future__ import annotations

import contextlib

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.serving import run


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):  # the load just goes
        async for message in connection:
            await connection.send(message)


if __name__ == "__main__":
    run(echo, compression=None, ping_interval=None)
