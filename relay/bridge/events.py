"""What a bridge tells whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from relay.bridge.stats import BridgeStats
from relay.rooms.base import Participant
from relay.transfers.reasons import Reason


@dataclass(frozen=True, slots=True)
class RoomJoined:
    """We are in the room."""

    participants: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The carrier opened its stream: ``call_id`` is to be compared with the one its signed webhook named."""

    stream_id: str
    call_id: str
    custom: dict[str, str]


@dataclass(frozen=True, slots=True)
class Joined:
    """Both are really heard: the agent in the room, and the room by the agent. Comes once."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The agent pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The carrier's stream broke after both were heard. Another is waited for."""

    detail: str


@dataclass(frozen=True, slots=True)
class MediaBack:
    """Both are heard again, over another stream. Comes once after each ``MediaLost``, unless the bridge ends first."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Once a second."""

    stats: BridgeStats


@dataclass(frozen=True, slots=True)
class Ending:
    """
    The bridge is over, and the agent has been told: the phone can be hung up. Once, before ``Ended``.

    What is left is to close the carrier's connection and to leave the room, which may take seconds.
    """

    reason: Reason
    detail: str
    was_joined: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The bridge is over and everything it held is released. The last event, once."""

    reason: Reason
    detail: str
    was_joined: bool
    stats: BridgeStats


BridgeEvent: TypeAlias = RoomJoined | MediaStarted | Joined | Dtmf | MediaLost | MediaBack | Statistics | Ending | Ended
