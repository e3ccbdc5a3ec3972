"""What is held, for how long and how much of it, over a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from relay.bridge.outbox import Outbox
from tests.bridge.peers import RawPeer, relay

Run = Callable[[Coroutine[Any, Any, None]], None]
MS = 1_000_000


@dataclass
class Sending:
    """An outbox, and the carrier that reads what comes out of it, or not."""

    outbox: Outbox
    carrier: RawPeer
    message_ms: int
    written: list[tuple[int, int]] = field(default_factory=list)
    now_ns: int = 0
    put: int = 0

    def send(self, count: int) -> int:
        """Put messages as time goes by, each with its number in it; returns how many were dropped."""
        dropped = 0
        for _ in range(count):
            self.now_ns += self.message_ms * MS
            dropped += self.outbox.put(self.message(self.put), self.now_ns)
            self.put += 1
        return dropped

    def message(self, number: int) -> bytes:
        return number.to_bytes(2, "big") * 16 * self.message_ms

    async def read(self) -> int:
        """The number of the next message that the carrier gets."""
        return int.from_bytes(bytes((await self.carrier.receive()).data)[:2], "big")


@contextlib.asynccontextmanager
async def sending(message_ms: int = 20, *, queue_max_ms: int = 200, stopped: bool = False) -> AsyncIterator[Sending]:
    """``stopped``: the carrier does not read."""
    async with relay() as served:
        carrier = await RawPeer.connect(served, receive_buffer_bytes=4096 if stopped else None)
        if stopped:
            carrier.writer.transport.pause_reading()  # type: ignore[attr-defined] # transports that read have it
        connection = await served.connection()
        outbox = Outbox(
            connection,
            text=False,
            message_ms=message_ms,
            message_bytes=32 * message_ms,
            queue_max_ms=queue_max_ms,
            on_written=lambda read_ns, now_ns: case.written.append((read_ns, now_ns)),
        )
        case = Sending(outbox, carrier, message_ms)
        try:
            yield case
        finally:
            connection.abort()
            await carrier.close()


@pytest.mark.parametrize(
    ("message_ms", "queue_max_ms", "bound_ms", "held"),
    [(20, 200, 200, 2), (20, 80, 80, 2), (40, 200, 200, 1), (60, 200, 200, 1), (100, 200, 220, 1), (200, 200, 420, 1)],
)
def test_t17_what_waits_is_bounded_however_long_messages_are(
    run: Run, message_ms: int, queue_max_ms: int, bound_ms: int, held: int
) -> None:
    async def test() -> None:
        async with sending(message_ms, queue_max_ms=queue_max_ms, stopped=True) as case:
            dropped = 0
            for _ in range(10_000 // message_ms):
                dropped += case.send(1)
                assert case.outbox.queued_ms() <= bound_ms
                await asyncio.sleep(0)
            assert case.outbox.held == held
            assert dropped == case.put - len(case.written) - held > 0
            assert case.outbox.stalled_since_ns is not None

    run(test())


@pytest.mark.parametrize("message_ms", [20, 100, 200])
def test_carrier_that_reads_loses_nothing(run: Run, message_ms: int) -> None:
    async def test() -> None:
        async with sending(message_ms) as case:
            for number in range(30):
                assert case.send(1) == 0
                assert await case.read() == number
                while case.outbox.queued_ms():  # noqa: ASYNC110 - the kernel has no event for an acknowledgement
                    await asyncio.sleep(0)
            assert case.written == [(message_ms * n * MS,) * 2 for n in range(1, 31)]
            assert (case.outbox.held, case.outbox.stalled_since_ns) == (0, None)

    run(test())


@pytest.mark.parametrize(("message_ms", "held"), [(20, 2), (100, 1)])
def test_paused_nothing_is_written_and_the_newest_is_kept(run: Run, message_ms: int, held: int) -> None:
    async def test() -> None:
        async with sending(message_ms) as case:
            case.send(1)
            case.outbox.pause(case.now_ns)
            assert case.send(6) == 6 - held
            assert (len(case.written), case.outbox.held) == (1, held)
            assert (case.outbox.paused_since_ns, case.outbox.stalled_since_ns) == (message_ms * MS, None)
            case.outbox.flush(case.now_ns)  # as the tick does
            assert len(case.written) == 1
            assert await case.read() == 0
            case.outbox.resume(case.now_ns)
            assert [await case.read() for _ in range(held)] == list(range(7 - held, 7))
            assert (case.outbox.paused_since_ns, case.outbox.held) == (None, 0)

    run(test())


def test_pause_that_is_told_twice_is_one_from_its_beginning_on(run: Run) -> None:
    async def test() -> None:
        async with sending() as case:
            case.outbox.pause(5)
            case.outbox.pause(7)
            assert (case.outbox.paused_since_ns, case.outbox.pauses) == (5, 1)
            case.outbox.resume(8)
            case.outbox.resume(9)
            case.outbox.pause(10)
            assert (case.outbox.paused_since_ns, case.outbox.pauses) == (10, 2)

    run(test())


def test_clear_drops_what_is_held_and_ends_no_pause(run: Run) -> None:
    async def test() -> None:
        async with sending() as case:
            case.outbox.pause(0)
            case.send(2)
            case.outbox.clear()
            assert (case.outbox.held, case.outbox.queued_ms(), case.outbox.paused_since_ns) == (0, 0, 0)

    run(test())
