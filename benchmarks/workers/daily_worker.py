"""``relay.app.worker``, but that it has made what a call with Daily needs when it is ready: all but the joining."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any
from unittest.mock import patch

from relay.app import worker as app_worker
from relay.bridge import driver, worker
from relay.bridge.messages import RoomKind

_made: list[Any] = []


def _module_with_devices(kind: RoomKind, room_module: Any = driver.room_module) -> ModuleType:
    """As ``room_module``; the devices and the client are as ``SdkCall.join`` makes them."""
    module: ModuleType = room_module(kind)
    if _made:
        return module
    from relay.rooms.daily_call import SdkCall  # noqa: PLC0415 - when it is asked for, as in a worker

    sdk = module.daily
    sdk.Daily.init()
    call = SdkCall(sdk, module.Backend.VIRTUAL)
    _made.extend((call, call._make_virtual(), sdk.CallClient()))
    return module


if __name__ == "__main__":
    with patch.object(worker, "room_module", _module_with_devices):
        code = app_worker.main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)
