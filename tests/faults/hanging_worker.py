"""
A worker whose Daily SDK is a stand-in: a customer is in every room, and ``release()`` never returns.

It waits in a thread of the SDK's, as the real one does when its threads have locked each other out.
"""

from __future__ import annotations

import runpy
import sys
import threading
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[2])  # in place of this directory: tests are a package

from tests.rooms import daily_stand_in  # noqa: E402 - behind the line above
from tests.rooms.daily_play import Play  # noqa: E402 - as above

play = Play(release_gate=threading.Event())
play.sdk.EventHandler = daily_stand_in.EventHandler  # type: ignore[attr-defined]
sys.modules["daily"] = play.sdk
play.enter("customer")
with play.running():
    runpy.run_module("relay.app.worker", run_name="__main__")
