"""Makes transfers that only the store knows, for what is measured of it and of those who wait for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay.transfers.record import Transfer, new_transfer_id
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore
from relay.transfers.sweep import BEAT_S

EPOCH = 1
NODE = "benchmark"
"""Whose they are."""


async def stored_transfer(store: TransferStore) -> str:
    """The id of a new transfer, with all that one usually has."""
    transfer_id = new_transfer_id(time.time_ns() // 1_000_000, os.urandom(10))
    await store.create(
        Transfer(
            transfer_id=transfer_id,
            state=State.REQUESTED,
            version=1,
            epoch=EPOCH,
            owner=NODE,
            provider="twilio",
            room_url="https://example.daily.co/support-42",
            to_masked="+*********23",
            destination="billing",
            customer_id="6e0a2b9c-41d7-4c58-9a3f-d2f1b7705e84",  # rooms give their participants UUIDs
            bot_id="Bot",
            ring_timeout_s=30.0,
            max_duration_s=14400.0,
            metadata={"topic": "invoice"},
        )
    )
    return transfer_id


@asynccontextmanager
async def alive(store: TransferStore) -> AsyncIterator[None]:
    """``NODE`` is alive: a service on the same Redis would end its transfers."""

    async def beat() -> None:
        while True:
            await store.leases.renew(NODE)
            await asyncio.sleep(BEAT_S)

    await store.leases.renew(NODE)
    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


async def joined_transfer(store: TransferStore) -> str:
    """The id of a new transfer that was joined."""
    transfer_id = await stored_transfer(store)
    for event in (Event.DIALED, Event.RANG, Event.ANSWERED, Event.JOINED):
        await store.apply(transfer_id, event, epoch=EPOCH, event_id=event.value)
    return transfer_id
