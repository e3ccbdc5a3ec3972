"""
A worker whose Daily SDK is a stand-in: its rooms are private, and a customer is in each.

Who has no token of the room that is signed with ``KEY`` is not let in.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import jwt

ROOT = str(Path(__file__).parents[2])
KEY = "an-api-key-of-a-domain-at-daily.co"

if __name__ == "__main__":
    sys.path[0] = ROOT  # in place of this directory: tests are a package

    from tests.rooms import daily_stand_in
    from tests.rooms.daily_play import Play

    class GuardedClient(daily_stand_in.CallClient):
        """Its room looks at tokens."""

        def complete_join(self) -> None:
            assert self.joining is not None
            url, token, _ = self.joining
            self.play.join_error = refusal_of(url, token)
            super().complete_join()

    def refusal_of(url: str, token: str | None) -> str | None:
        """What the room says to a token; None: come in."""
        try:
            claims = jwt.decode(token or "", KEY, algorithms=["HS256"], options={"require": ["exp"]})
        except jwt.InvalidTokenError as error:
            return f"You are not allowed to join this meeting: {error}"
        return None if claims["r"] == url.rpartition("/")[2] else "You do not have access to this room"

    play = Play()
    play.sdk.CallClient = type("CallClient", (GuardedClient,), {"play": play})  # type: ignore[attr-defined]
    play.sdk.EventHandler = daily_stand_in.EventHandler  # type: ignore[attr-defined]
    sys.modules["daily"] = play.sdk
    play.enter("customer")
    with play.running():
        runpy.run_module("relay.app.worker", run_name="__main__")
