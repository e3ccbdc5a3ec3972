"""What waits to be sent: bounded, and what is dropped is counted and logged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve

from relay.rooms.outbox import EVENTS_MAX, FRAMES_MAX, Outbox
from tests.rooms.listener import run


def on_a_connection(test: Callable[[Connection, list[Any]], Awaitable[None]]) -> None:
    """Run the test on a connection to a server that sends back what it gets."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as connection:
                with structlog.testing.capture_logs() as logged:
                    await test(connection, logged)

    run(scenario())


async def sent(outbox: Outbox, connection: Connection, messages: int) -> list[bytes | str]:
    """The first messages that arrive."""
    running = asyncio.create_task(outbox.run())
    arrived = [await connection.recv() for _ in range(messages)]
    running.cancel()
    await asyncio.wait([running])
    return arrived


def test_the_newest_frames_are_sent_and_the_dropped_are_counted_and_logged() -> None:
    async def test(connection: Connection, logged: list[Any]) -> None:
        outbox = Outbox(connection, stalled_s=5, log=structlog.get_logger())
        for number in range(FRAMES_MAX + 9):
            outbox.put_frame(bytes([number]))
        assert await sent(outbox, connection, FRAMES_MAX) == [bytes([9 + number]) for number in range(FRAMES_MAX)]
        assert (outbox.dropped_frames, outbox.dropped_events) == (9, 0)
        assert [(entry["event"], entry["count"]) for entry in logged] == [
            ("outbox.frame_dropped", count) for count in (1, 2, 4, 8)
        ]

    on_a_connection(test)


def test_events_pass_by_frames_that_are_dropped_and_above_their_own_bound_are_counted_and_logged() -> None:
    async def test(connection: Connection, logged: list[Any]) -> None:
        outbox = Outbox(connection, stalled_s=5, log=structlog.get_logger())
        outbox.put_frame(b"early")
        for number in range(EVENTS_MAX + 3):
            outbox.put_event(str(number))
        for _ in range(FRAMES_MAX):
            outbox.put_frame(b"late")
        expected = [*map(str, range(EVENTS_MAX)), *[b"late"] * FRAMES_MAX]
        assert await sent(outbox, connection, len(expected)) == expected
        assert (outbox.dropped_frames, outbox.dropped_events) == (1, 3)
        assert [(entry["event"], entry["count"]) for entry in logged] == [
            ("outbox.event_dropped", 1),
            ("outbox.event_dropped", 2),
            ("outbox.frame_dropped", 1),
        ]

    on_a_connection(test)
