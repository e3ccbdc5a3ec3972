"""
A worker whose room blocks its event loop: ``python -m tests.bridge.stuck_worker HOW FD``.

``asleep``: other threads run. ``native``: none does, as in native code that keeps the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Mapping

from relay.bridge import driver, worker
from relay.bridge.messages import Configure, RoomSpec
from relay.rooms.base import Participant, Room, RoomListener
from relay.rooms.loopback import LoopbackRoom

FOR_S = 60
STALLED_S = 0.5
HOW: Mapping[str, Callable[[int], object]] = {"asleep": time.sleep, "native": ctypes.PyDLL(None).sleep}


class StuckRoom(LoopbackRoom):
    """Says that it is stuck, and is."""

    async def join(self, listener: RoomListener) -> tuple[Participant, ...]:
        print("stuck", flush=True)
        HOW[sys.argv[1]](FOR_S)
        raise AssertionError(listener)


def stuck(spec: RoomSpec, *, mint_token: object) -> Room:
    return StuckRoom()


if __name__ == "__main__":
    driver.room_of = stuck
    stalled_s = STALLED_S if sys.argv[1] == "native" else worker.STALLED_S

    def configure(configuration: Configure) -> Callable[[str], None]:
        """Log as Python does."""
        return list(configuration.secrets).append

    os._exit(worker.run(int(sys.argv[2]), configure, stalled_s=stalled_s))
