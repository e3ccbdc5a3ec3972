"""Leaves a room without being held up by it."""

from __future__ import annotations

import asyncio

from relay.bridge.faults import Faults
from relay.rooms.base import Room


async def leave(room: Room, *, timeout_s: float, faults: Faults) -> None:
    """Leave; whatever goes wrong is noted."""
    try:
        async with asyncio.timeout(timeout_s):
            await room.leave()
    except TimeoutError:
        faults.note("leave_timeout", f"the room was not left within {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - a room's defect must not keep the bridge from ending
        faults.note("teardown_failed", repr(error))
