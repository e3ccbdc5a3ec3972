"""The local room's WebSocket protocol: what its server and its clients say to each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypedDict

import orjson

from relay.media.format import PTIME_MS, pcm
from relay.rooms.base import Participant

RATE_HZ: Final = 16000
FRAME_BYTES: Final = pcm(RATE_HZ).size_bytes(PTIME_MS)
ROOM_PATH: Final = re.compile(r"/rooms/([A-Za-z0-9_-]{1,64})")
"""The path of a room's URL, and of its WebSocket's."""

EJECTED: Final = "ejected"
"""How the close reason starts when a participant is made to leave."""

CLOSE_TIMEOUT_S: Final = 1.0
STALLED_S: Final = 5.0  # a peer that reads nothing for so long is given up


class ConnectionOptions(TypedDict):
    """What ``websockets`` calls them, in ``connect`` and in ``serve``."""

    compression: None
    max_size: int
    max_queue: int
    write_limit: int
    ping_interval: float
    ping_timeout: float
    close_timeout: float


CONNECTION_OPTIONS: Final[ConnectionOptions] = {
    "compression": None,
    "max_size": 65_536,  # the joined event of a full room takes a twentieth of it
    "max_queue": 16,  # messages read ahead, 320 ms; then TCP holds the peer back, which drops
    "write_limit": 1300,  # two frames of 640 bytes in the transport, and then send() waits
    "ping_interval": 5.0,  # a peer that is gone without a word is noticed within two of them
    "ping_timeout": 5.0,
    "close_timeout": CLOSE_TIMEOUT_S,
}
"""Of both ends."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The server's first message."""

    participant_id: str
    participants: Sequence[Participant]
    rate_hz: int = RATE_HZ
    ptime_ms: int = PTIME_MS


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody came."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody went."""

    participant: Participant
    reason: str


RoomEvent: TypeAlias = Joined | ParticipantJoined | ParticipantLeft


def _fields(participant: Participant) -> dict[str, str]:
    return {"id": participant.participant_id, "name": participant.name}


def event_text(event: RoomEvent) -> str:
    """The text message of an event."""
    match event:
        case Joined():
            content = {
                "event": "joined",
                "participant_id": event.participant_id,
                "rate_hz": event.rate_hz,
                "ptime_ms": event.ptime_ms,
                "participants": [_fields(participant) for participant in event.participants],
            }
        case ParticipantJoined():
            content = {"event": "participant_joined", "participant": _fields(event.participant)}
        case ParticipantLeft():
            content = {
                "event": "participant_left",
                "participant": _fields(event.participant),
                "reason": event.reason,
            }
    return orjson.dumps(content).decode()


def _participant(fields: dict[str, str]) -> Participant:
    return Participant(str(fields["id"]), str(fields["name"]))


def parse_event(text: str) -> RoomEvent | None:
    """
    The event of a text message; None for one that this version does not know.

    Raises:
        ValueError: no JSON object, or a known event with other fields than it has.
    """
    content = orjson.loads(text)
    try:
        match content["event"]:
            case "joined":
                return Joined(
                    str(content["participant_id"]),
                    tuple(_participant(fields) for fields in content["participants"]),
                    int(content["rate_hz"]),
                    int(content["ptime_ms"]),
                )
            case "participant_joined":
                return ParticipantJoined(_participant(content["participant"]))
            case "participant_left":
                return ParticipantLeft(_participant(content["participant"]), str(content["reason"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"room event: expected the fields of a room event, got {text[:200]}") from error
    return None
