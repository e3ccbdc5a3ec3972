"""What the servers on `websockets` share: a port of this machine, a core, and obedience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey


def run(serve_call: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> None:
    """Serve calls until told to end; ``options`` are of ``serve``."""
    pin(SERVER_CORE)
    uvloop.run(_serve(serve_call, options))


async def _serve(serve_call: Callable[[ServerConnection], Awaitable[None]], options: dict[str, Any]) -> None:
    async with serve(serve_call, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await obey(port, {"freeze": freeze, "begin": int, "end": dict})
