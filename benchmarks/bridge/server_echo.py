"""The server that the bridge is compared with: an echo, on `websockets` alone."""

from __future__ import annotations

import contextlib

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey


async def echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):  # the load just goes
        async for message in connection:
            await connection.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await obey(port, {"freeze": freeze, "begin": int, "end": dict})


if __name__ == "__main__":
    pin(SERVER_CORE)
    uvloop.run(main())
