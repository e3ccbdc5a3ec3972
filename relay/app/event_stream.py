"""A transfer's events as server-sent events, from any of them on, until it is over."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, cast

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Send

from relay.app.transfer_json import event_json
from relay.errors import StoreUnavailable
from relay.transfers.record import LoggedEvent
from relay.transfers.states import TRANSITIONS
from relay.transfers.store import TransferStore

HEARTBEAT_S: Final = 15.0
"""Shorter than what proxies take for a dead connection."""
RETRY_MS: Final = 1000
HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""No proxy may keep events back; the second one is for nginx."""

_STAYING: Final = frozenset(event for (before, event), after in TRANSITIONS.items() if before is after)
"""Events that lead to no other state, and so are called by their own names."""


class EventStream(StreamingResponse):
    """
    Sends what has happened to a transfer after ``after``, then what happens, and ends with the transfer.

    A client that is cut off comes back with ``Last-Event-ID``, and misses nothing.

    Args:
        store: where the events are.
        transfer_id: of the transfer.
        after: the id of the last event that the client has; empty: it has none.
        heartbeat_s: a comment is sent when nothing else was for so long.
    """

    media_type = "text/event-stream"

    def __init__(
        self, store: TransferStore, transfer_id: str, *, after: str = "", heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        super().__init__(_events(store, transfer_id, after, heartbeat_s), headers=HEADERS)

    async def stream_response(self, send: Send) -> None:
        """Send it, and let go of the store at once when the client is gone."""
        async with aclosing(cast("AsyncGenerator[bytes]", self.body_iterator)):
            await super().stream_response(send)


async def _events(store: TransferStore, transfer_id: str, after: str, heartbeat_s: float) -> AsyncGenerator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    try:
        async with store.news(transfer_id) as news:
            while True:
                for entry in await store.events(transfer_id, after=after):
                    after = entry.entry_id
                    yield server_sent_event(transfer_id, entry)
                    if entry.state.is_terminal:
                        return
                if await news.changed(heartbeat_s):
                    continue
                if await is_over(store, transfer_id, after):
                    return
                yield b": nothing new\n\n"
    except StoreUnavailable as error:  # the client comes back, and goes on where it was
        structlog.get_logger().warning("event_stream_cut", transfer_id=transfer_id, detail=str(error))


async def is_over(store: TransferStore, transfer_id: str, after: str) -> bool:
    """
    Whether nothing follows the event ``after``.

    Raises:
        StoreUnavailable: nobody can say.
    """
    transfer = await store.get(transfer_id)
    is_live = transfer is not None and not transfer.is_terminal
    return not is_live and not await store.events(transfer_id, after=after)


def server_sent_event(transfer_id: str, entry: LoggedEvent) -> bytes:
    """An entry of the log as it goes over the wire: named after the state it led to, if it led to another one."""
    name = entry.event.value if entry.event is not None and entry.event in _STAYING else entry.state.value
    data = event_json(transfer_id, entry).model_dump_json()
    return f"id: {entry.entry_id}\nevent: {name}\ndata: {data}\n\n".encode()
