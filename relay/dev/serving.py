"""How a stand-in runs as a command: until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import typer
import uvloop

Server = TypeVar("Server")


def serve_until_signal(
    server: AbstractAsyncContextManager[Server], announcement: Callable[[Server], str], *, where: str
) -> None:
    """
    Run a server, print ``announcement`` when it listens, and leave it on a signal.

    Raises:
        typer.Exit: with 2, if it cannot listen ``where`` it should.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(server, announcement))
    except OSError as error:
        print(f"Cannot listen on {where}: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(2) from error


async def _serve(server: AbstractAsyncContextManager[Server], announcement: Callable[[Server], str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server as serving:
        print(announcement(serving), flush=True)
        await stop.wait()
