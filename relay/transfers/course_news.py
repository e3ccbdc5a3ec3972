"""What happens to a transfer, from whichever side: one item in the queue that ``Course`` takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from relay.transfers.ports import BridgeEvent, DialAnswer, PhoneReport
from relay.transfers.reasons import Reason


@dataclass(frozen=True, slots=True)
class Dialed:
    """The carrier's answer to the dial."""

    answer: DialAnswer


@dataclass(frozen=True, slots=True)
class Close:
    """
    It is to end.

    ``code`` is the carrier's own, if it has refused something; ``is_told``: an agent on the line has heard so already.
    """

    reason: Reason
    code: str = ""
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The carrier asks where the media of an answered call goes; ``token`` becomes the answer, None: hang up."""

    stream: int
    call_id: str
    placed_id: str
    token: asyncio.Future[str | None] = field(compare=False)

    def reply(self, token: str | None) -> None:
        """Answer, if whoever asks still waits."""
        if not self.token.done():
            self.token.set_result(token)


@dataclass(frozen=True, slots=True, eq=False)
class Expired:
    """What had to happen next did not, in time; counts only while it still has to. ``code`` as ``Close``'s."""

    why: Callable[[], Reason]
    code: str = ""


@dataclass(frozen=True, slots=True)
class Undetected:
    """The carrier has had its time to say whether a machine picked up."""


News: TypeAlias = Dialed | Close | Asked | Expired | Undetected | PhoneReport | BridgeEvent
