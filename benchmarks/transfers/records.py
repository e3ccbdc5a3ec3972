"""Makes transfers that only the store knows, for what is measured of it and of those who wait for it."""

from __future__ import annotations

import os
import time

from relay.transfers.record import Transfer, new_transfer_id
from relay.transfers.states import Event, State
from relay.transfers.store import TransferStore

EPOCH = 1


async def stored_transfer(store: TransferStore) -> str:
    """The id of a new transfer, with all that one usually has."""
    transfer_id = new_transfer_id(time.time_ns() // 1_000_000, os.urandom(10))
    await store.create(
        Transfer(
            transfer_id=transfer_id,
            state=State.REQUESTED,
            version=1,
            epoch=EPOCH,
            owner="benchmark",
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


async def joined_transfer(store: TransferStore) -> str:
    """The id of a new transfer that was joined."""
    transfer_id = await stored_transfer(store)
    for event in (Event.DIALED, Event.RANG, Event.ANSWERED, Event.JOINED):
        await store.apply(transfer_id, event, epoch=EPOCH, event_id=event.value)
    return transfer_id
