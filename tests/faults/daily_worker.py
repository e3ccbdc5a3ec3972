"""
A worker whose Daily SDK is a stand-in: a customer is in every room, and hardly to be heard.

    python daily_worker.py well|hangs FD

Signals play what happens in the room: SIGUSR1 interrupts the network, for which the SDK is waited for no longer than
``LOST_MS``; SIGUSR2 brings it back, SIGHUP puts relay out. ``hangs``: ``release()`` never returns. It waits in a thread
of the SDK's, as the real one does when its threads have locked each other out.
"""

from __future__ import annotations

import runpy
import signal
import sys
import threading
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[2])  # in place of this directory: tests are a package

from relay.rooms import daily_watch  # noqa: E402 - behind the line above
from tests.rooms import daily_stand_in  # noqa: E402 - as above
from tests.rooms.daily_play import Play  # noqa: E402 - as above

LOST_MS = 2000

if __name__ == "__main__":
    release_gate = threading.Event() if sys.argv.pop(1) == "hangs" else None
    play = Play(release_gate=release_gate)
    play.sdk.EventHandler = daily_stand_in.EventHandler  # type: ignore[attr-defined]
    sys.modules["daily"] = play.sdk
    daily_watch.RECONNECT_MAX_MS = LOST_MS  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, lambda *_: play.network("sfu-recv", "interrupted"))
    signal.signal(signal.SIGUSR2, lambda *_: play.network("sfu-recv", "connected"))
    signal.signal(signal.SIGHUP, lambda *_: play.eject())
    play.enter("customer")
    with play.running():
        runpy.run_module("relay.app.worker", run_name="__main__")
