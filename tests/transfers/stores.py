"""Stores and transfers for the tests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from relay.transfers.door import _unavailable
from relay.transfers.health import Health
from relay.transfers.lines import NEVER
from relay.transfers.record import Transfer, new_transfer_id
from relay.transfers.states import TRANSITIONS, Event, State
from relay.transfers.store import Answer, TransferStore
from relay.transfers.stored import transfer_key

_RAW_MAX_S = 25.0
_clock_ms = itertools.count(1_795_697_000_000)


class OpenStore:
    """Opens stores on one server."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix

    @contextlib.asynccontextmanager
    async def __call__(self, **options: Any) -> AsyncIterator[TransferStore]:
        store = TransferStore(self._url, prefix=self._prefix, **options)
        await store.open()
        try:
            yield store
        finally:
            await store.close()


def new_transfer(**changes: Any) -> Transfer:
    """A transfer that was just requested. Ids are in the order of these calls."""
    transfer = Transfer(
        transfer_id=new_transfer_id(next(_clock_ms), os.urandom(10)),
        state=State.REQUESTED,
        version=1,
        epoch=1,
        owner="node-1",
        provider="twilio",
        room_url="https://example.daily.co/room",
        to_masked="+*********23",
        ring_timeout_s=30.0,
        max_duration_s=14400.0,
    )
    return replace(transfer, **changes)


async def stored_in(store: TransferStore, state: State) -> Transfer:
    """Store a new transfer, and bring it to a state by the shortest way."""
    transfer = await store.create(new_transfer())
    for event in shortest_way(state):
        applied = await store.apply(transfer.transfer_id, event, epoch=transfer.epoch)
        assert applied.answer is Answer.OK
        assert applied.transfer is not None
        transfer = applied.transfer
    assert transfer.state is state
    return transfer


async def started_wait(
    store: TransferStore, transfer_id: str, met: Callable[[Transfer], bool] = lambda _: False
) -> asyncio.Task[Transfer | None]:
    """Begin to wait for a transfer; return when it has been looked at for the first time, and is not ``met``."""
    looked = asyncio.Event()

    def look(transfer: Transfer) -> bool:
        looked.set()
        return met(transfer)

    task = asyncio.create_task(store.wait(transfer_id, look, timeout_s=25))
    await looked.wait()
    return task


def shortest_way(state: State) -> tuple[Event, ...]:
    """Return the events that lead from the first state to another."""
    ways: dict[State, tuple[Event, ...]] = {State.REQUESTED: ()}
    while state not in ways:
        for (before, event), after in TRANSITIONS.items():
            if before in ways and after not in ways:
                ways = {**ways, after: (*ways[before], event)}
                break
    return ways[state]


def key_of(store: TransferStore, transfer_id: str, kind: str = "") -> str:
    """Return the key of a transfer's hash, or of what else belongs to it."""
    return transfer_key(store._prefix, transfer_id) + (kind and f":{kind}")


async def mint(
    store: TransferStore, transfer_id: str, token: str, *, epoch: int = 1, stream: int = 0, ttl_s: float = 30
) -> Answer:
    return await store.mint(transfer_id, epoch=epoch, stream=stream, token_sha256=token, ttl_s=ttl_s)


async def consume(store: TransferStore, transfer_id: str, token: str) -> Answer:
    return await store.consume(transfer_id, token_sha256=token)


async def raw(store: TransferStore, *command: str | int) -> Any:
    """Do to Redis what only somebody else would: once, however long it takes, as it may be nothing to do twice."""
    door = store._door
    asking = door._line.ask([command], tries=NEVER)
    health = Health("somebody")
    (reply,) = await door._bounded(asking, _RAW_MAX_S, health)
    if isinstance(reply, Exception):
        raise _unavailable(reply, health)
    return reply
