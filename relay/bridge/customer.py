"""The customer in the room: who left, and when that is for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from structlog.typing import FilteringBoundLogger

from relay.bridge.presence import Presence
from relay.rooms.base import Participant

LATE_S: Final = 1.0
"""A timer this late says that the process stood still: who came back meanwhile has not been read yet."""


class CustomerWatch:
    """
    Says when the customer is gone.

    Until agent and customer are joined there is no grace: a customer who was there and leaves is gone at once, and no
    phone rings on for nobody. Afterwards, and while no customer has been seen at all, it takes ``grace_s``.

    Args:
        presence: who is the customer.
        log: of the bridge.
        grace_s: how long a customer may be away; 0: not at all.
        on_gone: told once, with what there is to say about it.
        clock: monotonic ns.
        call_later: calls a function in so many seconds.
    """

    def __init__(
        self,
        presence: Presence,
        *,
        log: FilteringBoundLogger,
        grace_s: float,
        on_gone: Callable[[str], None],
        clock: Callable[[], int],
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
    ) -> None:
        self._presence = presence
        self._log = log
        self._grace_s = grace_s
        self._on_gone = on_gone
        self._clock = clock
        self._call_later = call_later
        self._timer: asyncio.TimerHandle | None = None
        self._is_joined = False

    @property
    def count(self) -> int:
        """Others in the room."""
        return self._presence.count

    def joined_room(self, participants: Iterable[Participant]) -> None:
        """We are in the room, and these were there before."""
        self._presence.joined_room(participants, self._clock())
        if self._presence.is_unmatched:
            self._log.warning("customer_id_unmatched", participants=self.count)
        self._look()

    def came(self, participant: Participant) -> None:
        """Somebody came."""
        self._presence.came(participant, self._clock())
        self._look()

    def left(self, participant: Participant) -> None:
        """Somebody left."""
        self._presence.left(participant, self._clock())
        self._look()

    def joined(self) -> None:
        """Agent and customer are joined: from now on there is a grace."""
        self._is_joined = True

    def stop(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        since_ns = self._presence.absent_since_ns
        if since_ns is None:
            self.stop()
        elif self._presence.was_seen and not self._is_joined:
            self._gone("the customer left before both were heard")
        elif self._grace_s == 0:
            self._grace_over()
        elif self._timer is None:
            self._wait(since_ns)

    def _wait(self, since_ns: int) -> None:
        left_s = self._grace_s - (self._clock() - since_ns) / 1e9
        self._timer = self._call_later(max(left_s, 0.0), self._due)

    def _due(self) -> None:
        self._timer = None
        since_ns = self._presence.absent_since_ns
        if since_ns is None:
            return
        late_s = (self._clock() - since_ns) / 1e9 - self._grace_s
        if late_s < 0:  # timers may be a little early
            self._wait(since_ns)
        elif late_s > LATE_S:
            self._timer = self._call_later(LATE_S, self._grace_over)
        else:
            self._grace_over()

    def _grace_over(self) -> None:
        self._gone(f"no customer in the room for {self._grace_s:g} s")

    def _gone(self, detail: str) -> None:
        self.stop()
        self._on_gone(detail)
